"""Writes a line for every file below argv[1]: all that it is but its inode number, so that equal trees give equal lines.

path kind mode uid:gid mtime-in-ns size-or-number target-or-hash first-name-of-the-same-file {attributes}, the path as JSON, sorted.
Paths that follow are left out, with all below them.
"""

import hashlib
import json
import os
import stat
import sys

KINDS = {stat.S_IFDIR: "d", stat.S_IFREG: "f", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}


def shown(path):
    return json.dumps(path.decode("utf8", "backslashreplace"), ensure_ascii=False)


def paths(folder):
    yield folder
    if stat.S_ISDIR(os.lstat(folder).st_mode) and folder not in left_out:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name) if folder != b"." else name
            if path not in left_out:
                yield from paths(path)


def what(path, status):
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return f"{status.st_size} {hashlib.sha256(file.read()).hexdigest()}"
    if stat.S_ISLNK(status.st_mode):
        return f"- {shown(os.readlink(path))}"
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)} -"
    return "- -"


def attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in names}


left_out = {os.fsencode(name) for name in sys.argv[2:]}
first = {}
os.chdir(sys.argv[1])
sys.stdout.reconfigure(encoding="utf8")
for path in paths(b"."):
    status = os.lstat(path)
    same = path
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        same = first.setdefault((status.st_dev, status.st_ino), path)
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    mode = "-" if kind == "l" else f"{stat.S_IMODE(status.st_mode):o}"
    same = "-" if same == path else shown(same)
    owner = f"{status.st_uid}:{status.st_gid}"
    print(shown(path), kind, mode, owner, status.st_mtime_ns, what(path, status), same, json.dumps(attributes(path)))
