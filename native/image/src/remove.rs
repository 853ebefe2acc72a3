//! Recursive removal by descriptors. The tree may be a container's: as deep and as odd as it liked.

use crate::beneath::{list, open_dir, unless_gone};
use crate::error::{Context, Error, Result};
use crate::name::show;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, open, renameat_with, seek, unlinkat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Each level holds a descriptor open. What lies deeper is moved to the top first.
const DEEPEST: usize = 64;

/// Removes the directory at an absolute path; it is fine if there is none.
pub fn directory(path: &str) -> Result<()> {
    let (parent, name) = split_absolute(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = unless_gone(open(parent, flags, Mode::empty()));
    match opened.doing(|| format!("Cannot open {parent}"))? {
        None => Ok(()),
        Some(parent) => tree(&parent, name.as_bytes()).map_err(|error| error.within(format!("Cannot remove {path}"))),
    }
}

/// An absolute path that the caller made up, as its directory and its last step.
pub fn split_absolute(path: &str) -> Result<(&str, &str)> {
    let refuse = || Error::format(format!("'{}' is not an absolute path of a file", show(path.as_bytes())));
    let (parent, name) = path.rsplit_once('/').filter(|_| path.starts_with('/')).ok_or_else(refuse)?;
    if name.is_empty() || name == "." || name == ".." || name.contains('\0') {
        return Err(refuse());
    }
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}

/// Removes the directory `name` in `parent` with all that is in it.
pub fn tree(parent: impl AsFd, name: &[u8]) -> Result<()> {
    let Some(top) = opened(parent.as_fd(), name)? else { return Ok(()) };
    Removal { top: top.as_fd(), moved: 0 }.empty(top.as_fd(), 0)?;
    remove_empty(parent.as_fd(), name)
}

/// Removes all that is in the directory `dir`, and not the directory.
pub fn contents(dir: impl AsFd) -> Result<()> {
    Removal { top: dir.as_fd(), moved: 0 }.empty(dir.as_fd(), 0)
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    moved: u64,
}

impl Removal<'_> {
    /// What was moved up shows in the next listing of the top, so it lists until there is nothing.
    fn empty(&mut self, dir: BorrowedFd<'_>, depth: usize) -> Result<()> {
        loop {
            seek(dir, rustix::fs::SeekFrom::Start(0)).doing(|| "Cannot rewind a directory")?;
            let items = list(dir).doing(|| "Cannot read a directory")?;
            if items.is_empty() {
                return Ok(());
            }
            for item in items {
                let is_directory = item.kind == FileType::Directory;
                match if is_directory { Err(Errno::ISDIR) } else { unlinkat(dir, &item.name, AtFlags::empty()) } {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(Errno::ISDIR) => self.descend(dir, &item.name, depth)?,
                    Err(errno) => return Err(Error::io(format!("Cannot unlink {}: {errno}", show(&item.name)))),
                }
            }
        }
    }

    fn descend(&mut self, dir: BorrowedFd<'_>, name: &[u8], depth: usize) -> Result<()> {
        if depth >= DEEPEST {
            return self.move_up(dir, name);
        }
        let Some(child) = opened(dir, name)? else { return Ok(()) };
        self.empty(child.as_fd(), depth + 1)?;
        remove_empty(dir, name)
    }

    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        loop {
            self.moved += 1;
            let moved = format!(".tsrun-moved-{}", self.moved);
            match renameat_with(dir, name, self.top, &moved, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::io(format!("Cannot move {}: {errno}", show(name)))),
            }
        }
    }
}

fn opened(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>> {
    match open_dir(dir, name) {
        // Emptying what is mounted there would destroy somebody else's files.
        Err(Errno::XDEV) => Err(Error::io(format!("{} is a mount point", show(name)))),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(Error::io(format!("{} is not a directory", show(name)))),
        opened => unless_gone(opened).doing(|| format!("Cannot open directory {}", show(name))),
    }
}

fn remove_empty(dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let removed = unless_gone(unlinkat(dir, name, AtFlags::REMOVEDIR));
    removed.map(|_| ()).doing(|| format!("Cannot remove directory {}", show(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_path_of_a_file_is_taken() {
        assert_eq!(split_absolute("/a/b").unwrap(), ("/a", "b"));
        assert_eq!(split_absolute("/a").unwrap(), ("/", "a"));
        for path in ["", "/", "a/b", "/a/", "/a/..", "/a/."] {
            assert!(split_absolute(path).is_err(), "{path}");
        }
    }
}
