//! Directories, opened step by step from a descriptor: no link is followed and no mount is entered.

use rustix::fs::{FileType, Mode, OFlags, RawDir, ResolveFlags, openat2};
use rustix::io::{Errno, Result};
use std::os::fd::{AsFd, OwnedFd};

/// What a directory has under a name.
pub struct Item {
    /// The name.
    pub name: Vec<u8>,
    /// What it is; some file systems do not say.
    pub kind: FileType,
    /// The number of its inode.
    pub inode: u64,
}

/// Opens the directory at `path` below `dir`; the empty path is `dir` itself.
pub fn open_dir(dir: impl AsFd, path: &[u8]) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(dir, path, flags, Mode::empty(), resolve())
}

/// Opens the regular file `name` in `dir` for reading.
pub fn open_file(dir: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat2(dir, name, flags, Mode::empty(), resolve())
}

/// How every path below a tree is resolved.
pub fn resolve() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

/// Everything in a directory, from the descriptor's position on.
pub fn list(dir: impl AsFd) -> Result<Vec<Item>> {
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut reader = RawDir::new(dir, buffer.spare_capacity_mut());
    let mut items = Vec::new();
    while let Some(entry) = reader.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            items.push(Item { name: name.to_vec(), kind: entry.file_type(), inode: entry.ino() });
        }
    }
    Ok(items)
}

/// The result, or nothing when the thing is not there.
pub fn unless_gone<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
