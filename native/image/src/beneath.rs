//! Directories, opened step by step from a descriptor: no link is followed and no mount is entered.

use rustix::fs::{FileType, Mode, OFlags, RawDir, ResolveFlags, openat2};
use rustix::io::{Errno, Result};
use rustix::path::Arg;
use std::mem::MaybeUninit;
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

/// openat2(2), again and again while a rename or mount elsewhere keeps the kernel from seeing that a ".." leads nowhere else: it
/// then says EAGAIN, whatever is renamed.
pub fn open_patiently(dir: impl AsFd, path: impl Arg + Copy, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
    let mut tries = 0;
    loop {
        match openat2(dir.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < 128 => tries += 1,
            opened => return opened,
        }
    }
}

/// Opens the directory at `path` below `dir`; the empty path is `dir` itself.
pub fn open_dir(dir: impl AsFd, path: &[u8]) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open_patiently(dir, path, flags, resolve())
}

/// Opens the regular file `name` in `dir` for reading.
pub fn open_file(dir: impl AsFd, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    open_patiently(dir, name, flags, resolve())
}

/// How every path below a tree is resolved.
pub fn resolve() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV
}

/// Everything in a directory, from the descriptor's position on.
pub fn list(dir: impl AsFd) -> Result<Vec<Item>> {
    // On the stack: the allocator would have the kernel map and clear it for each directory.
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut reader = RawDir::new(dir, &mut buffer);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn renames_elsewhere_do_not_keep_a_path_from_being_opened() {
        let folder = std::env::temp_dir().join(format!("beneath-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        let root = fs::File::open(&folder).unwrap();
        let done = AtomicBool::new(false);
        let failures = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (one, other) = (folder.join("one"), folder.join("other"));
                fs::create_dir(&one).unwrap();
                while !done.load(Ordering::Relaxed) {
                    fs::rename(&one, &other).unwrap();
                    fs::rename(&other, &one).unwrap();
                }
            });
            let opened = || open_patiently(&root, "a/b/../b/..", OFlags::PATH, ResolveFlags::IN_ROOT).is_err();
            let failures = (0..20_000).filter(|_| opened()).count();
            done.store(true, Ordering::Relaxed);
            failures
        });
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(failures, 0);
    }
}
