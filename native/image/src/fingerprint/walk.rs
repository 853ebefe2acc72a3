//! A tree as it lies on the disk, file by file, in the order of the list.

use super::entry::{Entry, Kind, hex};
use super::sum::{Sum, Summing};
use crate::beneath::{list, open_dir, open_file};
use crate::error::{Context, Error, Result};
use crate::inspect::all_attributes_at;
use crate::name::{DEEPEST, join, show};
use rustix::fs::{AtFlags, FileType, SeekFrom, Stat, major, minor, readlinkat, seek, statat};
use rustix::io::{Errno, pread, read};
use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A file that the walk has come to.
pub struct Found<'a> {
    /// Its directory.
    pub dir: BorrowedFd<'a>,
    /// Its name there, "." for the root.
    pub name: &'a [u8],
    /// Its path.
    pub path: &'a [u8],
    /// The number of its inode, as the directory has it; 0 for the root.
    pub inode: u64,
    stat: OnceCell<Stat>,
}

/// Calls `visit` for the root and for all below it.
pub fn walk(root: &OwnedFd, visit: &mut dyn FnMut(&Found) -> Result<()>) -> Result<()> {
    visit(&Found::new(root, b".", b"", 0))?;
    descend(root, b"", 0, visit)
}

fn descend(dir: &OwnedFd, path: &[u8], depth: usize, visit: &mut dyn FnMut(&Found) -> Result<()>) -> Result<()> {
    // A layer is never deeper (name.rs); what is has been changed, and a descriptor for each level has an end.
    if depth > DEEPEST {
        return Err(Error::limit(format!("{} is deeper than {DEEPEST} directories", show(path))));
    }
    let mut items = list(dir).doing(|| format!("Cannot read directory {}", show(path)))?;
    items.sort_by(|one, other| one.name.cmp(&other.name));
    for item in items {
        let below = join(path, &item.name);
        let found = Found::new(dir, &item.name, &below, item.inode);
        visit(&found)?;
        let is_directory = match item.kind {
            FileType::Unknown => found.kind()? == Kind::Directory,
            kind => kind == FileType::Directory,
        };
        if is_directory {
            let child = open_dir(dir, &item.name).doing(|| format!("Cannot open directory {}", show(&below)))?;
            descend(&child, &below, depth + 1, visit)?;
        }
    }
    Ok(())
}

impl<'a> Found<'a> {
    /// The file `name` in `dir`.
    pub fn new(dir: &'a OwnedFd, name: &'a [u8], path: &'a [u8], inode: u64) -> Self {
        Self { dir: dir.as_fd(), name, path, inode, stat: OnceCell::new() }
    }

    /// What the kernel says of it, asked once.
    pub fn stat(&self) -> Result<&Stat> {
        if let Some(stat) = self.stat.get() {
            return Ok(stat);
        }
        let stat = statat(self.dir, self.name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.doing(|| format!("Cannot look at {}", show(self.path)))?;
        Ok(self.stat.get_or_init(|| stat))
    }

    /// What it is. A sparse file looks like any other.
    pub fn kind(&self) -> Result<Kind> {
        match FileType::from_raw_mode(self.stat()?.st_mode) {
            FileType::Directory => Ok(Kind::Directory),
            FileType::RegularFile => Ok(Kind::File),
            FileType::Symlink => Ok(Kind::Link),
            FileType::CharacterDevice => Ok(Kind::Char),
            FileType::BlockDevice => Ok(Kind::Block),
            FileType::Fifo => Ok(Kind::Fifo),
            _ => Err(Error::format(format!("{} is of a kind that no layer has", show(self.path)))),
        }
    }

    /// Bytes of a regular file.
    pub fn size(&self) -> Result<u64> {
        Ok(u64::try_from(self.stat()?.st_size).unwrap_or(0))
    }

    /// All that is to be known of it. `hash` gives the content of a regular file.
    pub fn entry(&self, kind: Kind, hash: impl FnOnce() -> Result<String>) -> Result<Entry> {
        let stat = self.stat()?;
        let (size, content) = match kind {
            Kind::File | Kind::Sparse => (self.size()?, hash()?),
            Kind::Link => {
                let target = readlinkat(self.dir, self.name, Vec::new()).doing(|| "Cannot read a link")?;
                (0, hex(target.to_bytes()))
            }
            Kind::Char | Kind::Block => (0, format!("{}:{}", major(stat.st_rdev), minor(stat.st_rdev))),
            Kind::Directory | Kind::Fifo => (0, "-".to_owned()),
        };
        let attributes = all_attributes_at(self.dir, self.name, stat)?;
        let links = if kind == Kind::Directory { 0 } else { stat.st_nlink };
        Ok(Entry { path: self.path.to_vec(), kind, attributes, links, size, content })
    }

    /// The hash of its content, read from the disk.
    pub fn hash(&self, kind: Kind) -> Result<String> {
        let file = open_file(self.dir, self.name).doing(|| format!("Cannot open {}", show(self.path)))?;
        let hash =
            if kind == Kind::Sparse { hash_sparse(file.as_fd(), self.size()?) } else { hash_plain(file.as_fd()) };
        hash.map(Sum::hex).doing(|| format!("Cannot read {}", show(self.path)))
    }
}

/// Of a file to its end.
fn hash_plain(file: BorrowedFd<'_>) -> rustix::io::Result<Sum> {
    let mut summing = Summing::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match read(file, &mut buffer) {
            Ok(0) => return Ok(summing.sum()),
            Ok(count) => {
                summing.add(buffer.get(..count).unwrap_or_default());
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Of the blocks that are not all zeros, each with its place: whatever the file system makes of holes.
pub fn hash_sparse(file: BorrowedFd<'_>, size: u64) -> rustix::io::Result<Sum> {
    let mut summing = Summing::default();
    let mut buffer = [0; 4096];
    let block = buffer.len() as u64;
    let mut at = 0;
    while at < size {
        let data = match seek(file, SeekFrom::Data(at)) {
            Err(Errno::NXIO) => break,
            data => data?,
        };
        at = data - data % block;
        let count = pread(file, &mut buffer, at)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.iter().any(|&byte| byte != 0) {
            summing.add(&at.to_le_bytes());
            summing.add(bytes);
        }
        at += block;
    }
    Ok(summing.sum())
}
