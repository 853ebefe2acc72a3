/**
 * A small machine that answers the program's calls, so that a command can be gone through without doing anything. Its
 * descriptors are real ones of /dev/null and its errors real ones, of calls that can only fail; what it answers is the same
 * on every machine.
 */
import { CGROUP2_SUPER_MAGIC, O_CREAT, O_RDWR, S_IFCHR, S_IFDIR, S_IFREG, ST_RDONLY } from "../../src/sys/constants.ts";
import type { Fd, Sys } from "../../src/sys/sys.ts";

type Answers = { readonly [Name in keyof Sys]?: (...args: Parameters<Sys[Name]>) => ReturnType<Sys[Name]> };
/** A pid that no process has: proc(5), pid_max. */
const NOBODY = 0x3fff_ffff;

type Content = string | Uint8Array;

/** Thrown where the process would have become another one, and by every call after that. */
class End extends Error {}

export interface Setting {
  /** What clone3 gives: 0 is the child's side. */
  readonly clone: number;
  /** What comes through channels, one after the other; then they are closed. */
  readonly messages: readonly string[];
  /** Paths that are there; those that end in "/" are directories. */
  readonly files: Readonly<Record<string, Content>>;
}

export class World {
  readonly sys: Sys;
  /** What the program printed, also as its last words; and what it became. */
  output = "";
  became: string | undefined;
  readonly #native: Sys;
  readonly #setting: Setting;
  readonly #messages: string[];
  readonly #files: Map<string, Content>;
  readonly #paths = new Map<number, string>();
  #ended = 0;

  constructor(native: Sys, setting: Setting) {
    this.#native = native;
    this.#setting = setting;
    this.#messages = [...setting.messages];
    this.#files = new Map(Object.entries(setting.files));
    this.sys = this.#answering({
      ...this.#ofFiles(),
      ...this.#ofContents(),
      ...this.#ofProcesses(),
      ...this.#ofMounts(),
    });
  }

  /** Calls that nothing is said about answer nothing. The real function is looked up as the program would. */
  #answering(answers: Answers): Sys {
    const native = this.#native as unknown as Record<string, unknown>;
    const world: Record<string, unknown> = {};
    for (const name of Object.keys(native)) {
      const answer = (answers as Record<string, ((...args: unknown[]) => unknown) | undefined>)[name];
      world[name] = (...args: unknown[]): unknown => {
        if (this.became !== undefined) throw new End();
        return native[name] === undefined ? undefined : answer?.(...args);
      };
    }
    const { load, enableRegExp, cutJson, findInJson, sameText, bytesOf, hashText, phase } = this.#native;
    return Object.assign(world, {
      load,
      enableRegExp,
      cutJson,
      findInJson,
      sameText,
      bytesOf,
      hashText,
      phase,
    }) as unknown as Sys;
  }

  #open(path: string): Fd {
    const fd = this.#native.openat(null, "/dev/null", O_RDWR, 0);
    this.#paths.set(fd.number, path);
    return fd;
  }

  /** The path of a file below a directory that is open, without what means nothing. */
  #at(dir: Fd | null, path: string): string {
    const base = dir === null ? "" : (this.#paths.get(dir.number) ?? "");
    const parts = `${base}/${path}`.split("/").filter((part) => part !== "" && part !== ".");
    return `/${parts.join("/")}`;
  }

  #isThere(path: string): boolean {
    return path === "/" || path.startsWith("/proc/self/fd/") || this.#files.has(path) || this.#files.has(`${path}/`);
  }

  /** Opens what is there or is to be made; else undefined. */
  #find(path: string, flags: number): Fd | undefined {
    if ((flags & O_CREAT) !== 0) this.#files.set(path, "");
    return this.#isThere(path) ? this.#open(path) : undefined;
  }

  #missing(): never {
    this.#native.openat(null, "", 0, 0);
    throw new Error("unreachable");
  }

  #stat(path: string): ReturnType<Sys["statx"]> {
    const device = path === "/dev/null";
    const type = device ? S_IFCHR : this.#files.has(path) ? S_IFREG : S_IFDIR;
    const numbers = device ? { rdevMajor: 1, rdevMinor: 3 } : { rdevMajor: 0, rdevMinor: 0 };
    return { mode: type + 0o755, ino: 1, uid: 0, gid: 0, size: 0, nlink: 1, ...numbers, attributes: 0, mountId: 1 };
  }

  #ofFiles(): Answers {
    const at = (dir: Fd | null, path: string): string => this.#at(dir, path);
    return {
      openat: (dir, path, flags) => this.#find(at(dir, path), flags) ?? this.#missing(),
      openIfAny: (dir, path, flags) => this.#find(at(dir, path), flags),
      openat2: (dir, path, flags) => this.#find(at(dir, path), flags) ?? this.#missing(),
      openat2IfAny: (dir, path, flags) => this.#find(at(dir, path), flags),
      mkdirat: (dir, path) => void this.#files.set(`${at(dir, path)}/`, ""),
      mkdirIfNone: (dir, path) => {
        if (this.#isThere(at(dir, path))) return false;
        this.#files.set(`${at(dir, path)}/`, "");
        return true;
      },
      mknodat: (dir, path) => void this.#files.set(at(dir, path), ""),
      readlinkat: () => "/",
      unlinkIfAny: (dir, path) => this.#files.delete(at(dir, path)),
      renameat2: (from, oldName, to, newName) => {
        this.#files.set(at(to, newName), this.#files.get(at(from, oldName)) ?? "");
        this.#files.delete(at(from, oldName));
      },
      statx: (dir, path) => this.#stat(at(dir, path)),
      statxIfAny: (dir, path) => (this.#isThere(at(dir, path)) ? this.#stat(at(dir, path)) : undefined),
      fstatfs: (fd) => ({
        type: at(fd, "").startsWith("/sys/fs/cgroup") ? CGROUP2_SUPER_MAGIC : 0xef53,
        flags: at(fd, "") === "/proc/self/exe" ? ST_RDONLY : 0,
      }),
      readDirectory: (fd) => {
        const base = `${at(fd, "")}/`;
        const below = [...this.#files.keys()]
          .filter((path) => path.startsWith(base))
          .map((path) => path.slice(base.length));
        return [...new Set(below.map((path) => path.split("/")[0] ?? ""))].filter((name) => name !== "");
      },
      getcwd: () => "/",
      umask: () => 0o22,
    };
  }

  #ofContents(): Answers {
    const content = (fd: Fd): Content => this.#files.get(this.#at(fd, "")) ?? "";
    const write = (fd: Fd, data: Content): void => {
      const path = this.#at(fd, "");
      if (path === "/dev/stdout" || path === "/dev/stderr") this.output += String(data);
      else this.#files.set(path, data);
    };
    return {
      readText: (fd) => {
        if (this.#at(fd, "").startsWith("/proc/self/fd/")) this.#wouldBlock();
        return String(content(fd));
      },
      readBytes: (fd) => content(fd) as Uint8Array,
      readSome: () => Uint8Array.of(48),
      writeText: write,
      writeBytes: write,
      pipe: () => [this.#open("/pipe"), this.#open("/pipe")],
      duplicate: (fd) => this.#open(this.#at(fd, "")),
      inherited: (number) => this.#open(["/dev/stdin", "/dev/stdout", "/dev/stderr"][number] ?? ""),
      isTerminal: () => false,
    };
  }

  /** EAGAIN: an empty pipe says so. */
  #wouldBlock(): void {
    const [end] = this.#native.pipe();
    this.#native.setNonblocking(end);
    this.#native.readText(end, 1);
  }

  #ofProcesses(): Answers {
    const { clone } = this.#setting;
    const become = (how: string): never => {
      this.became = how;
      throw new End();
    };
    return {
      clone3: () => ({ pid: clone, pidfd: clone === 0 ? [] : [this.#open("/pidfd")] }),
      // A child that ended, and then the error of a process that has none.
      wait: () => (this.#ended++ === 0 ? { pid: clone, code: 0, signal: 0 } : this.#native.wait(-1, false)),
      pidfdOpen: () => {
        if (this.#ended > 0) this.#native.kill(NOBODY, 0);
        return this.#open("/pidfd");
      },
      getpid: () => 4242,
      getppid: () => 1,
      prctl: () => 0,
      uname: () => ({ release: "6.12.0-1-amd64", machine: "x86_64" }),
      clockRealtime: () => [1_700_000_000, 123_456_789],
      clockMonotonic: () => 13_453_604_110,
      randomHex: (count) => "5a".repeat(count),
      geteuid: () => 0,
      getegid: () => 0,
      execve: (path) => become(path),
      exit: (code) => become(`exit ${code}`),
      becomeProcess: (path) => become(path),
      signalFd: () => this.#open("/signalfd"),
      readSignal: () => (this.#ended === 0 ? 17 : 0),
      poll: (fds) => fds.map(() => 9),
      socketPair: () => [this.#open("/channel"), this.#open("/channel")],
      sendMessage: () => undefined,
      receiveMessage: () => ({ text: this.#messages.shift() ?? "", fds: [] }),
    };
  }

  #ofMounts(): Answers {
    return {
      openTree: (dir, path) => this.#open(this.#at(dir, path)),
      fsopen: () => this.#open("/context"),
      fsmount: () => this.#open("/mount"),
      loadDeviceFilter: () => this.#open("/program"),
    };
  }
}
