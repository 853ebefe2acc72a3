/** Options before the command → what holds for every command. */
import { Failure } from "../sys/failure.ts";
import { isErrno } from "../sys/errno.ts";
import { readFile } from "../sys/files.ts";
import type { Sys } from "../sys/sys.ts";
import { absolutePath, isSet, option, variable, type Globals, type Parsed } from "./context.ts";

/** The runtime directories of the system. */
const ROOT = "/run/tsrun";
const STORE = "/var/lib/tsrun";

/** Throws a Failure. */
export function globalsOf(sys: Sys, parsed: Parsed, env: readonly string[]): Globals {
  const root = option(parsed, "root");
  const store = option(parsed, "store");
  return {
    root: root === undefined ? defaultRoot(sys, env) : givenRoot(sys, root),
    rootGiven: root !== undefined,
    // Found out when a command asks for it: most have nothing to do with images.
    get store() {
      return store === undefined ? defaultStore(sys, env) : absolutePath(sys, store);
    },
    get snapshotter() {
      return snapshotterOf(option(parsed, "snapshotter") ?? variable(env, "TSRUN_SNAPSHOTTER"));
    },
    cgroupManager: managerOf(parsed),
    debug: isSet(parsed, "debug"),
  };
}

/** Below "/" the names of containers would be those of the system's own directories, for `delete` to remove. */
function givenRoot(sys: Sys, path: string): string {
  const root = path === "" ? "/" : absolutePath(sys, path);
  if (root === "/") throw new Failure("Option --root argument should not be set to /");
  return root;
}

function defaultRoot(sys: Sys, env: readonly string[]): string {
  const base = variable(env, "XDG_RUNTIME_DIR");
  if (base === "" || isSystemWide(sys, env)) return ROOT;
  const root = `${absolutePath(sys, base)}/tsrun`;
  try {
    // The XDG specification lets whoever cleans up remove what is old there and has no sticky bit.
    sys.mkdirat(null, root, 0o1700);
  } catch (error) {
    if (!isErrno(error, "EEXIST"))
      throw new Failure(
        `cannot make the state directory ${root}`,
        error,
        "XDG_RUNTIME_DIR names its parent; --root names another one",
      );
  }
  return root;
}

function defaultStore(sys: Sys, env: readonly string[]): string {
  if (isSystemWide(sys, env)) return STORE;
  const data = variable(env, "XDG_DATA_HOME");
  if (data !== "") return `${absolutePath(sys, data)}/tsrun`;
  const home = variable(env, "HOME");
  return home === "" ? STORE : `${absolutePath(sys, home)}/.local/share/tsrun`;
}

/** Whether the caller is the machine's root, or root in a user namespace that calls itself so; as runc decides it. */
function isSystemWide(sys: Sys, env: readonly string[]): boolean {
  if (sys.geteuid() !== 0) return false;
  return variable(env, "USER") === "root" || readFile(sys, null, "/proc/self/uid_map").trim().endsWith(" 4294967295");
}

function snapshotterOf(name: string): Globals["snapshotter"] {
  if (name === "") return "overlayfs";
  if (name === "overlayfs" || name === "erofs") return name;
  throw new Failure(`unknown snapshotter ${JSON.stringify(name)}: must be overlayfs or erofs`);
}

function managerOf(parsed: Parsed): Globals["cgroupManager"] {
  if (isSet(parsed, "systemd-cgroup")) return "systemd";
  const name = option(parsed, "cgroup-manager") ?? "cgroupfs";
  if (name === "cgroupfs" || name === "disabled" || name === "systemd") return name;
  throw new Failure(`unknown cgroup manager ${JSON.stringify(name)}: must be cgroupfs, systemd or disabled`);
}
