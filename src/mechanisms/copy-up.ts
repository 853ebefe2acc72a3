/** What `tmpcopyup` asks for: a tmpfs begins with the files of the directory that it covers. */
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
import { statOf } from "../sys/files.ts";
import type { Fd, Sys } from "../sys/sys.ts";

/** Copies what is in `from` into `to`, by descriptors, following no link. Throws a SysError. */
export function copyTree(sys: Sys, from: Fd, to: Fd): void {
  for (const name of sys.readDirectory(from)) {
    const stat = sys.statx(from, name, AT_SYMLINK_NOFOLLOW);
    switch (stat.mode & S_IFMT) {
      case S_IFDIR: {
        sys.mkdirat(to, name, 0o700);
        using source = sys.openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        using copy = sys.openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        copyTree(sys, source, copy);
        sys.fchmod(copy, statOf(sys, source).mode & 0o7777);
        break;
      }
      case S_IFREG: {
        using source = sys.openat(from, name, O_RDONLY | O_NOFOLLOW, 0);
        using copy = sys.openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
        sys.copyFile(source, copy);
        sys.fchownat(to, name, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW);
        sys.fchmod(copy, stat.mode & 0o7777);
        continue;
      }
      case S_IFLNK:
        sys.symlinkat(sys.readlinkat(from, name), to, name);
        break;
      default:
        sys.mknodat(to, name, stat.mode, stat.rdevMajor, stat.rdevMinor);
    }
    sys.fchownat(to, name, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW);
  }
}
