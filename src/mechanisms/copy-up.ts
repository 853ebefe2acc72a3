/** What `tmpcopyup` asks for: a tmpfs begins with the files of the directory that it covers, as `cp -a` copies them. */
import {
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../sys/constants.ts";
import type { Fd, Sys } from "../sys/sys.ts";

type Stat = ReturnType<Sys["statx"]>;

/** A name in a directory, and in the copy of that. */
interface Place {
  readonly from: Fd;
  readonly to: Fd;
  readonly name: string;
  /** From the root of the copy. */
  readonly path: string;
}

/** Copies what is in `from` into `to`, the root of a file system, by descriptors, following no link. Throws a SysError. */
export function copyTree(sys: Sys, from: Fd, to: Fd): void {
  using root = sys.openat(to, ".", O_RDONLY | O_DIRECTORY, 0);
  new Copy(sys, root).directory(from, root, "");
}

class Copy {
  readonly #sys: Sys;
  readonly #root: Fd;
  /** Files with several names, and the first one of each in the copy. */
  readonly #linked = new Map<string, string>();

  constructor(sys: Sys, root: Fd) {
    this.#sys = sys;
    this.#root = root;
  }

  directory(from: Fd, to: Fd, path: string): void {
    const sys = this.#sys;
    for (const name of sys.readDirectory(from)) this.#item({ from, to, name, path: `${path}${name}` });
    sys.copyXattrs(from, to, "");
    // Last: the time of a directory changes with what is put into it.
    sys.copyTimes(from, to, "");
  }

  #item(place: Place): void {
    const { from, to, name, path } = place;
    const sys = this.#sys;
    const stat = sys.statx(from, name, AT_SYMLINK_NOFOLLOW);
    const kind = stat.mode & S_IFMT;
    if (kind === S_IFDIR) return this.#subdirectory(place, stat);
    const file = `${stat.mountId}:${stat.ino}`;
    const first = this.#linked.get(file);
    if (first !== undefined) return sys.linkat(this.#root, first, to, name);
    if (stat.nlink > 1) this.#linked.set(file, path);
    if (kind === S_IFREG) return this.#file(place, stat);
    if (kind === S_IFLNK) sys.symlinkat(sys.readlinkat(from, name), to, name);
    else sys.mknodat(to, name, stat.mode, stat.rdevMajor, stat.rdevMinor);
    sys.fchownat(to, name, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW);
    sys.copyXattrs(from, to, name);
    sys.copyTimes(from, to, name);
  }

  #subdirectory({ from, to, name, path }: Place, { uid, gid, mode }: Stat): void {
    const sys = this.#sys;
    sys.mkdirat(to, name, 0o700);
    using source = sys.openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    using copy = sys.openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    // Owner before mode, which chown(2) would change.
    sys.fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW);
    sys.fchmod(copy, mode & 0o7777);
    this.directory(source, copy, `${path}/`);
  }

  #file({ from, to, name }: Place, { uid, gid, mode }: Stat): void {
    const sys = this.#sys;
    using source = sys.openat(from, name, O_RDONLY | O_NOFOLLOW, 0);
    using copy = sys.openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    sys.copyFile(source, copy);
    sys.fchownat(to, name, uid, gid, AT_SYMLINK_NOFOLLOW);
    sys.fchmod(copy, mode & 0o7777);
    sys.copyXattrs(source, copy, "");
    sys.copyTimes(source, copy, "");
  }
}
