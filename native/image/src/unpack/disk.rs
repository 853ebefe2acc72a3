//! A layer as a directory of the host. The kernel is only ever given paths without links, so that nothing outside is reached.

use super::ground::{Found, Ground};
use crate::attributes::{Attributes, Maker, OPAQUE, USER_OPAQUE};
use crate::beneath::open_dir;
use crate::error::{Context, Result};
use crate::fingerprint::walk::walk;
use crate::fingerprint::{Contents, entry};
use crate::limits::Limits;
use crate::name::show;
use crate::pack::kept::Keeper;
use crate::remove;
use crate::stream::Input;
use crate::tar::{Entry, Kind, Reader};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, XattrFlags, fsetxattr, linkat, makedev, mkdirat, mknodat, openat, readlinkat,
    statat, symlinkat, unlinkat,
};
use rustix::io::{self, Errno};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A directory, and what became known of the files in it.
pub struct Disk {
    root: OwnedFd,
    maker: Maker,
    /// What is in its files.
    pub contents: Contents,
    /// What was in those that it has removed.
    pub keeper: Keeper,
}

impl Disk {
    /// The empty directory `root`.
    pub fn new(root: OwnedFd, keeper: Keeper) -> Self {
        Self { root, maker: Maker::of_this_process(), contents: Contents::default(), keeper }
    }

    /// Keeps the content of all files that go with `name`: the archive cannot be put together again without it.
    fn keep(&mut self, dir: &OwnedFd, name: &[u8]) -> Result<()> {
        let Self { contents, keeper, .. } = self;
        let mut keep = |inode: u64, dir: BorrowedFd<'_>, name: &[u8]| match contents.take_number(inode) {
            Some(number) => keeper.keep(number, dir, name),
            None => Ok(()),
        };
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at the earlier entry")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => keep(stat.st_ino, dir.as_fd(), name),
            FileType::Directory => {
                let dir = open_dir(dir, name).doing(|| "Cannot open the earlier entry")?;
                walk(&dir, &mut |found| match found.kind()? {
                    entry::Kind::File => keep(found.stat()?.st_ino, found.dir, found.name),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }
}

impl Ground for Disk {
    type Dir = OwnedFd;
    type File = OwnedFd;

    fn open(&self, path: &[u8]) -> io::Result<OwnedFd> {
        open_dir(&self.root, path)
    }

    fn below(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<OwnedFd> {
        open_dir(dir, name)
    }

    fn look(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<Found> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Found::Directory,
            FileType::CharacterDevice if stat.st_rdev == 0 => Found::Whiteout,
            _ => Found::Other,
        })
    }

    fn target(&self, dir: &OwnedFd, name: &[u8]) -> io::Result<Vec<u8>> {
        readlinkat(dir, name, Vec::new()).map(std::ffi::CString::into_bytes)
    }

    fn make_directory(&mut self, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        mkdirat(dir, name, Mode::RWXU)
    }

    fn make_file(&mut self, dir: &OwnedFd, name: &[u8], entry: &Entry) -> io::Result<OwnedFd> {
        // A sparse file is read again for its hash.
        let access = if entry.sparse.is_some() { OFlags::RDWR } else { OFlags::WRONLY };
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(dir, name, flags, permissions(entry.mode))
    }

    fn make_symlink(&mut self, dir: &OwnedFd, name: &[u8], target: &[u8]) -> io::Result<()> {
        symlinkat(target, dir, name)
    }

    fn make_node(&mut self, dir: &OwnedFd, name: &[u8], entry: &Entry) -> io::Result<()> {
        let kind = match entry.kind {
            Kind::Char => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        mknodat(dir, name, kind, permissions(entry.mode), makedev(entry.device.0, entry.device.1))
    }

    fn make_whiteout(&mut self, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        mknodat(dir, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))
    }

    /// From descriptor to descriptor.
    fn make_name(&mut self, from: (&OwnedFd, &[u8]), dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        linkat(from.0, from.1, dir, name, AtFlags::empty())?;
        self.contents.relink(dir.as_fd(), name)
    }

    fn fill<I: Input>(
        &mut self,
        (file, path): (OwnedFd, &[u8]),
        (entry, attributes): (&Entry, &Attributes),
        data: &mut Reader<I>,
        limits: &Limits,
    ) -> Result<()> {
        let content = super::write::data((&file, path), entry, data, limits)?;
        attributes.set(file.as_fd(), Some(self.maker), Some(entry.mode & 0o777))?;
        self.contents.note(file.as_fd(), content, !entry.xattrs.is_empty())
    }

    fn describe(&mut self, dir: &OwnedFd, name: &[u8], (entry, attributes): (&Entry, &Attributes)) -> Result<()> {
        attributes.set_at(dir.as_fd(), name, Some(self.maker), entry.kind == Kind::Symlink)
    }

    fn describe_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        let dir = open_dir(&self.root, path).doing(|| format!("Cannot open directory {}", show(path)))?;
        attributes.set(dir.as_fd(), Some(self.maker), None)
    }

    fn mark_opaque(&mut self, dir: &OwnedFd) -> io::Result<()> {
        let mark = |name| fsetxattr(dir, name, b"y", XattrFlags::empty());
        // `trusted.*` is for the initial user namespace only (xattr(7)).
        mark(OPAQUE).or_else(|errno| if errno == Errno::PERM { mark(USER_OPAQUE) } else { Err(errno) })
    }

    fn remove(&mut self, dir: &OwnedFd, name: &[u8]) -> Result<()> {
        self.contents.note_removal();
        self.keep(dir, name)?;
        match unlinkat(dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove::tree(dir, name),
            removed => removed.doing(|| "Cannot remove the earlier entry"),
        }
    }
}

/// What a file is made with; the bits above come with its owner.
fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o777)
}
