//! Recursive removal by descriptors. The tree may be a container's: as deep as it liked, with names of any bytes.

use super::errno::Errno;
use rustix::{
    fs::{self, AtFlags, Mode, OFlags, RenameFlags, ResolveFlags},
    io::Errno as Io,
};
use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Each level holds a descriptor open and some of the stack. What lies deeper is moved to the top first.
const DEEPEST: usize = 64;

/// Removes `name` in `dir`: a file, or a directory with all that is in it. It is fine if there is none.
pub fn remove(dir: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    if unlinked(dir, name)? {
        return Ok(());
    }
    // `name` may be a path that leads through mounts; from the directory on nothing does.
    let Some(top) = opened(dir, name, ResolveFlags::empty())? else { return Ok(()) };
    Removal { top: top.as_fd(), moved: 0 }.empty(top.as_fd(), 0)?;
    unless_gone(fs::unlinkat(dir, name, AtFlags::REMOVEDIR))?;
    Ok(())
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    moved: u64,
}

impl Removal<'_> {
    /// What was moved up shows in the next listing of the top, so it lists until there is nothing.
    fn empty(&mut self, dir: BorrowedFd, depth: usize) -> Result<(), Errno> {
        loop {
            let names = listed(dir)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                if !unlinked(dir, &name)? {
                    self.descend(dir, &name, depth)?;
                }
            }
        }
    }

    fn descend(&mut self, dir: BorrowedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
        if depth >= DEEPEST {
            return self.move_up(dir, name);
        }
        let Some(child) = opened(dir, name, ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV)? else { return Ok(()) };
        self.empty(child.as_fd(), depth + 1)?;
        unless_gone(fs::unlinkat(dir, name, AtFlags::REMOVEDIR))?;
        Ok(())
    }

    fn move_up(&mut self, dir: BorrowedFd, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let moved = format!(".tsrun-moved-{}", self.moved);
            match fs::renameat_with(dir, name, self.top, &moved, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Io::NOENT) => return Ok(()),
                Err(Io::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Whether there is no such name any more; a directory stays.
fn unlinked(dir: BorrowedFd, name: &CStr) -> Result<bool, Errno> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Io::NOENT) => Ok(true),
        // unlink(2): EISDIR of Linux, EPERM of POSIX. A file that may not be unlinked fails again when it is opened.
        Err(Io::ISDIR | Io::PERM) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Not through a link, and not into what is mounted there: its files are somebody else's.
fn opened(dir: BorrowedFd, name: &CStr, resolve: ResolveFlags) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    unless_gone(fs::openat2(dir, name, flags, Mode::empty(), resolve))
}

fn listed(dir: BorrowedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn unless_gone<T>(answer: rustix::io::Result<T>) -> Result<Option<T>, Errno> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Io::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
