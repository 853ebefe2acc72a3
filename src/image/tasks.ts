/**
 * Commands that are under way, `tasks/TOKEN/`: what each needs of the store, and what it is making there. Its owner holds a lock on
 * the directory, which ends with it however it ends: so there is no telling of pids, and all that it leaves lies in one place.
 */
import { LOCK_EX, LOCK_NB } from "../sys/constants.ts";
import { isErrno } from "../sys/errno.ts";
import { attempt } from "../sys/failure.ts";
import { openDirectory, readFileIfAny } from "../sys/files.ts";
import { writeFile, type Used } from "./containers.ts";
import { lockStore, namesIn, type Store } from "./store.ts";

const TASK_FILE = "task.json";

/** A command at work; nothing of it is left when it is disposed of. */
export interface Task extends Disposable {
  /** A directory for what is in the making. */
  readonly path: string;
}

/** Says what this command needs: from here on nobody sweeps it, whether it is there already or still to come. Throws a Failure. */
export function beginTask(store: Store, needs: readonly Used[]): Task {
  const { sys } = store;
  const path = `${store.path}/tasks/${sys.randomHex(16)}`;
  return attempt(`make ${path}`, () => {
    // Whoever sweeps has this lock: a task without its own lock is never seen.
    using _lock = lockStore(store);
    sys.mkdirat(null, path, 0o700);
    const folder = openDirectory(sys, null, path);
    const end = (): void => {
      sys.removeTree(null, path);
      folder[Symbol.dispose]();
    };
    try {
      sys.flock(folder, LOCK_EX);
      writeFile(sys, folder, TASK_FILE, { text: JSON.stringify(needs), mode: 0o600 });
    } catch (error) {
      end();
      throw error;
    }
    return { path, [Symbol.dispose]: end };
  });
}

/** What commands under way need, and the names of tasks that nobody is at. Only under the lock. */
export function lookAtTasks(store: Store): { readonly used: readonly Used[]; readonly abandoned: readonly string[] } {
  const used: Used[] = [];
  const abandoned: string[] = [];
  for (const token of namesIn(store, "tasks")) {
    const text = readHeld(store, token);
    if (text === undefined) abandoned.push(token);
    else used.push(...(JSON.parse(text) as Used[]));
  }
  return { used, abandoned };
}

/** What a task says that somebody is at; undefined where there is nobody. */
function readHeld({ sys, path }: Store, token: string): string | undefined {
  try {
    using folder = openDirectory(sys, null, `${path}/tasks/${token}`);
    if (isFree(() => sys.flock(folder, LOCK_EX | LOCK_NB))) return undefined;
    return readFileIfAny(sys, folder, TASK_FILE) ?? "[]";
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined; // It has ended meanwhile.
    throw error;
  }
}

/** Whether a lock that is not waited for could be taken. */
export function isFree(lock: () => void): boolean {
  try {
    lock();
    return true;
  } catch (error) {
    if (isErrno(error, "EAGAIN")) return false;
    throw error;
  }
}
