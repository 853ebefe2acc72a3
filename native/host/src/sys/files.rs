//! Files and directories by their names: always below a descriptor. What is in them is in `contents`.

use super::{
    errno::Errno,
    text::Text,
    value::{Dir, Fd, base},
};
use crate::{calls, record};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, RawMode, RenameFlags, ResolveFlags, StatxFlags, Uid};
use std::{ffi::CString, os::fd::OwnedFd};

record! {
    /// What statx(2) says of a file.
    Stat {
        mode: i64 = "mode",
        ino: i64 = "ino",
        uid: i64 = "uid",
        gid: i64 = "gid",
        size: i64 = "size",
        links: i64 = "nlink",
        major: i64 = "rdevMajor",
        minor: i64 = "rdevMinor",
        attributes: i64 = "attributes",
        mount: i64 = "mountId",
    }
}

impl From<fs::Statx> for Stat {
    fn from(stat: fs::Statx) -> Self {
        Self {
            mode: stat.stx_mode.into(),
            ino: signed(stat.stx_ino),
            uid: stat.stx_uid.into(),
            gid: stat.stx_gid.into(),
            size: signed(stat.stx_size),
            links: stat.stx_nlink.into(),
            major: stat.stx_rdev_major.into(),
            minor: stat.stx_rdev_minor.into(),
            attributes: signed(stat.stx_attributes.bits()),
            mount: signed(stat.stx_mnt_id),
        }
    }
}

/// None where there is nothing: an answer that is expected costs no exception.
fn if_any<T>(answer: rustix::io::Result<T>) -> Result<Option<T>, Errno> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn statx_of(dir: Dir, path: &CString, flags: u32) -> rustix::io::Result<Stat> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let flags = AtFlags::from_bits_retain(flags);
    match fs::statx(base(dir), path, flags, mask) {
        // A seccomp filter that is in force already may be older than statx(2).
        Err(rustix::io::Errno::PERM | rustix::io::Errno::NOSYS) => fs::statat(base(dir), path, flags).map(Stat::from),
        answer => answer.map(Stat::from),
    }
}

impl From<fs::Stat> for Stat {
    fn from(stat: fs::Stat) -> Self {
        Self {
            mode: stat.st_mode.into(),
            ino: signed(stat.st_ino),
            uid: stat.st_uid.into(),
            gid: stat.st_gid.into(),
            size: stat.st_size,
            links: signed(stat.st_nlink),
            major: fs::major(stat.st_rdev).into(),
            minor: fs::minor(stat.st_rdev).into(),
            attributes: 0,
            mount: 0,
        }
    }
}

/// A rename elsewhere can make the kernel ask for another try: it gets up to 128.
fn openat2_patiently(dir: Dir, path: &CString, how: (u32, u32, u64)) -> rustix::io::Result<OwnedFd> {
    let (flags, mode, resolve) = how;
    let flags = OFlags::from_bits_retain(flags) | OFlags::CLOEXEC;
    let mut tries = 0;
    loop {
        match fs::openat2(base(dir), path, flags, Mode::from_raw_mode(mode), ResolveFlags::from_bits_retain(resolve)) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if tries < 128 => tries += 1,
            answer => return answer,
        }
    }
}

record! {
    /// What fstatfs(2) says of a file system.
    FileSystem { kind: i64 = "type", flags: i64 = "flags" }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

calls! {
    /// `openat(2)`, close-on-exec always. For host paths; below a root file system only `openat2` will do.
    fn openat(dir: Dir, path: CString, flags: u32, mode: u32) -> OwnedFd {
        Ok(fs::openat(base(dir), path, OFlags::from_bits_retain(flags) | OFlags::CLOEXEC, Mode::from_raw_mode(mode))?)
    }

    /// As openat; undefined where there is nothing.
    fn openIfAny(dir: Dir, path: CString, flags: u32) -> Option<OwnedFd> {
        if_any(fs::openat(base(dir), path, OFlags::from_bits_retain(flags) | OFlags::CLOEXEC, Mode::empty()))
    }

    /// `openat2(2)`, close-on-exec always; `resolve` is RESOLVE_*.
    fn openat2(dir: Dir, path: CString, flags: u32, mode: u32, resolve: u64) -> OwnedFd {
        Ok(openat2_patiently(dir, &path, (flags, mode, resolve))?)
    }

    /// As openat2; undefined where there is nothing.
    fn openat2IfAny(dir: Dir, path: CString, flags: u32, resolve: u64) -> Option<OwnedFd> {
        if_any(openat2_patiently(dir, &path, (flags, 0, resolve)))
    }

    /// `mkdirat(2)`.
    fn mkdirat(dir: Dir, path: CString, mode: u32) -> () {
        Ok(fs::mkdirat(base(dir), path, Mode::from_raw_mode(mode))?)
    }

    /// As mkdirat; says whether nothing was there before.
    fn mkdirIfNone(dir: Dir, path: CString, mode: u32) -> bool {
        match fs::mkdirat(base(dir), path, Mode::from_raw_mode(mode)) {
            Err(rustix::io::Errno::EXIST) => Ok(false),
            made => Ok(made.map(|()| true)?),
        }
    }

    /// `mknodat(2)`; `mode` holds the type too.
    fn mknodat(dir: Dir, path: CString, mode: u32, major: u32, minor: u32) -> () {
        let kind = FileType::from_raw_mode(mode as RawMode);
        Ok(fs::mknodat(base(dir), path, kind, Mode::from_raw_mode(mode), fs::makedev(major, minor))?)
    }

    /// `symlinkat(2)`.
    fn symlinkat(target: CString, dir: Dir, path: CString) -> () {
        Ok(fs::symlinkat(target, base(dir), path)?)
    }

    /// `linkat(2)`; the link that `path` may be is not followed.
    fn linkat(fromDir: Dir, fromPath: CString, dir: Dir, path: CString) -> () {
        Ok(fs::linkat(base(fromDir), fromPath, base(dir), path, AtFlags::empty())?)
    }

    /// `readlinkat(2)`; with an empty path the link that `dir` is (O_PATH|O_NOFOLLOW).
    fn readlinkat(dir: Dir, path: CString) -> Text {
        Ok(Text(fs::readlinkat(base(dir), path, Vec::new())?.into_bytes()))
    }

    /// `unlinkat(2)`; `flags` is AT_REMOVEDIR or 0.
    fn unlinkat(dir: Dir, path: CString, flags: u32) -> () {
        Ok(fs::unlinkat(base(dir), path, AtFlags::from_bits_retain(flags))?)
    }

    /// As unlinkat; says whether there was something.
    fn unlinkIfAny(dir: Dir, path: CString, flags: u32) -> bool {
        Ok(if_any(fs::unlinkat(base(dir), path, AtFlags::from_bits_retain(flags)))?.is_some())
    }

    /// Removes the file or directory `name` with all that is in it, by descriptors, through no link and into no other mount;
    /// fine if there is none. Natively, because names need not be text and trees may be deeper than the engine's stack.
    fn removeTree(dir: Dir, name: CString) -> () {
        super::tree::remove(base(dir), &name)
    }

    /// `renameat2(2)`.
    fn renameat2(from: Dir, oldName: CString, to: Dir, newName: CString, flags: u32) -> () {
        Ok(fs::renameat_with(base(from), oldName, base(to), newName, RenameFlags::from_bits_retain(flags))?)
    }

    /// `fchmod(2)`.
    fn fchmod(fd: Fd, mode: u32) -> () {
        Ok(fs::fchmod(fd.get(), Mode::from_raw_mode(mode))?)
    }

    /// `fchownat(2)`; `flags` is AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW or both; a gid of 2^32-1 leaves the group as it is.
    fn fchownat(dir: Dir, path: CString, uid: u32, gid: u32, flags: u32) -> () {
        let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
        Ok(fs::chownat(base(dir), path, Some(Uid::from_raw(uid)), gid, AtFlags::from_bits_retain(flags))?)
    }

    /// `statx(2)`; an empty path with AT_EMPTY_PATH for the descriptor itself.
    fn statx(dir: Dir, path: CString, flags: u32) -> Stat {
        Ok(statx_of(dir, &path, flags)?)
    }

    /// As statx; undefined where there is nothing.
    fn statxIfAny(dir: Dir, path: CString, flags: u32) -> Option<Stat> {
        if_any(statx_of(dir, &path, flags))
    }

    /// `fstatfs(2)`.
    fn fstatfs(fd: Fd) -> FileSystem {
        // SAFETY: an all-zero statfs is a valid value.
        let mut answer: libc::statfs = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open and `answer` ours.
        if unsafe { libc::fstatfs(fd.0, &raw mut answer) } != 0 {
            return Err(Errno::last());
        }
        Ok(FileSystem { kind: signed(answer.f_type), flags: signed(answer.f_flags) })
    }

    /// The names in a directory, without . and .., in the order of the file system.
    fn readDirectory(fd: Fd) -> Vec<Text> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(fd.get())? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(Text::from(name));
            }
        }
        Ok(names)
    }

    /// `faccessat(2)` with the effective ids; `mode` is R_OK, W_OK, X_OK or their sum.
    fn faccessat(dir: Dir, path: CString, mode: u32) -> () {
        let access = fs::Access::from_bits_retain(mode);
        match fs::accessat(base(dir), &path, access, AtFlags::EACCESS) {
            // A seccomp filter that is in force already may be older than faccessat2(2): execve has the last word.
            Err(rustix::io::Errno::PERM | rustix::io::Errno::NOSYS) => Ok(fs::accessat(base(dir), &path, access, AtFlags::empty())?),
            answer => Ok(answer?),
        }
    }

    /// `flock(2)`; `operation` is LOCK_*.
    fn flock(fd: Fd, operation: i32) -> () {
        loop {
            // SAFETY: the descriptor is open; no memory is involved.
            if unsafe { libc::flock(fd.0, operation) } == 0 {
                return Ok(());
            }
            let errno = Errno::last();
            if errno.0 != libc::EINTR {
                return Err(errno);
            }
        }
    }

    /// `fchdir(2)`.
    fn fchdir(fd: Fd) -> () {
        Ok(rustix::process::fchdir(fd.get())?)
    }

    /// `chdir(2)`.
    fn chdir(path: CString) -> () {
        Ok(rustix::process::chdir(path)?)
    }

    /// `getcwd(2)`, raw: a directory out of reach begins with "(unreachable)", which libc would hide.
    fn getcwd() -> Text {
        let mut buffer = [0_u8; libc::PATH_MAX as usize];
        // SAFETY: the buffer is ours and its length is told.
        let length = unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) };
        let Ok(length) = usize::try_from(length) else { return Err(Errno::last()) };
        Ok(Text(buffer.get(..length.saturating_sub(1)).unwrap_or_default().to_vec()))
    }

    /// `umask(2)`; gives the old one.
    fn umask(mode: u32) -> i64 {
        Ok(rustix::process::umask(Mode::from_raw_mode(mode)).as_raw_mode().into())
    }
}
