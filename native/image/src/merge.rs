//! The requests `merge`, the stacked layers as one tree of files for where there is no overlay, and `copy`, of one tree.
//!
//! Layer after layer is laid over the copy, as overlayfs lays them over each other: a whiteout removes, an
//! opaque directory empties, a directory joins a directory, all else replaces.

use crate::attributes::Maker;
use crate::beneath::{list, open_dir, open_file, unless_gone};
use crate::copy::Copier;
use crate::error::{Context, Error, Result};
use crate::inspect::{attributes, attributes_at, clear_xattrs, is_opaque};
use crate::name::{join, show, split};
use crate::remove;
use crate::stage::{self, Stage};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, linkat, mkdirat, mknodat, open, openat, readlinkat, statat, symlinkat,
    unlinkat,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Copies `layers`, lowest first, to `dest`: a new directory, or one that is there and empty.
pub fn run(layers: &[String], dest: &str) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let existing = unless_gone(open(dest, flags, Mode::empty())).doing(|| format!("Cannot open {dest}"))?;
    let Some(root) = existing else {
        let stage = Stage::new(dest, None)?;
        lay_all(layers, stage.dir())?;
        stage::sync([&stage])?;
        if stage.publish()? {
            return Err(Error::io(format!("Cannot create {dest}: it exists by now")));
        }
        return Ok(());
    };
    if !list(&root).doing(|| format!("Cannot read {dest}"))?.is_empty() {
        return Err(Error::io(format!("Cannot copy an image to {dest}: it is not empty")));
    }
    lay_all(layers, &root).inspect_err(|_| {
        // The first failure is the one to tell.
        let _ = remove::contents(&root);
    })
}

/// Copies what is in the directory `from`, and its attributes, to the empty directory `to`. Either may be the caller's,
/// by a descriptor that was passed on: /proc/self/fd/N.
pub fn copy(from: &str, to: &str) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = open(from, flags, Mode::empty()).doing(|| format!("Cannot open {from}"))?;
    let to = open(to, flags, Mode::empty()).doing(|| format!("Cannot open {to}"))?;
    lay(&from, &to, &mut Copier::default()).inspect_err(|_| {
        // The first failure is the one to tell.
        let _ = remove::contents(&to);
    })
}

fn lay_all(layers: &[String], root: &OwnedFd) -> Result<()> {
    let mut copier = Copier::default();
    for path in layers {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fs = open(format!("{path}/fs"), flags, Mode::empty()).doing(|| format!("Cannot open layer {path}"))?;
        lay(&fs, root, &mut copier).map_err(|error| error.within(format!("Cannot copy layer {path}")))?;
    }
    Ok(())
}

fn lay(from: &OwnedFd, root: &OwnedFd, copier: &mut Copier) -> Result<()> {
    let (maker, linked) = (Maker::of_this_process(), HashMap::new());
    Layer { root, maker, copier, linked }.directory(from, root, b"")
}

/// One layer on its way into the copy.
struct Layer<'a> {
    root: &'a OwnedFd,
    maker: Maker,
    copier: &'a mut Copier,
    /// Files with several names in this layer, and the name that each has in the copy.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Layer<'_> {
    /// Lays the directory `from` over `to`, which is at `path` in the copy.
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, path: &[u8]) -> Result<()> {
        if is_opaque(from)? {
            remove::contents(to)?;
        }
        for item in list(from).doing(|| format!("Cannot read {}", show(path)))? {
            let path = join(path, &item.name);
            let (from, to) = (from.as_fd(), to.as_fd());
            self.item(from, to, &item.name, &path).map_err(|error| error.within(show(&path)))?;
        }
        // Last: the time of a directory changes with what is put into it.
        clear_xattrs(to.as_fd())?;
        attributes(from.as_fd())?.set(to.as_fd(), None, None)
    }

    fn item(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<()> {
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at it")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 => clear(to, name),
            FileType::Directory => {
                let source = open_dir(from, name).doing(|| "Cannot open the directory")?;
                let target = match open_dir(to, name) {
                    Ok(target) => target,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                        clear(to, name)?;
                        mkdirat(to, name, Mode::RWXU).doing(|| "Cannot create the directory")?;
                        open_dir(to, name).doing(|| "Cannot open the directory")?
                    }
                    Err(errno) => return Err(Error::io(format!("Cannot open the directory: {errno}"))),
                };
                self.directory(&source, &target, path)
            }
            kind if stat.st_nlink > 1 => self.linked(from, to, name, path, (&stat, kind)),
            kind => self.file(from, to, name, (&stat, kind)),
        }
    }

    /// A file with several names: copied once, then linked.
    fn linked(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        what: (&Stat, FileType),
    ) -> Result<()> {
        let identity = (what.0.st_dev, what.0.st_ino);
        let Some((parent, first)) = self.linked.get(&identity).and_then(|first| split(first)) else {
            self.file(from, to, name, what)?;
            self.linked.insert(identity, path.to_vec());
            return Ok(());
        };
        let parent = open_dir(self.root, parent).doing(|| "Cannot open the directory of a link")?;
        fresh(to, name, |to, name| linkat(&parent, first, to, name, AtFlags::empty()))
    }

    fn file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &[u8],
        (stat, kind): (&Stat, FileType),
    ) -> Result<()> {
        if kind == FileType::RegularFile {
            let source = open_file(from, name).doing(|| "Cannot open it")?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            let target = fresh(to, name, |to, name| openat(to, name, flags, mode))?;
            self.copier.data(source.as_fd(), target.as_fd(), stat)?;
            return attributes(source.as_fd())?.set(target.as_fd(), Some(self.maker), Some(mode.as_raw_mode()));
        }
        if kind == FileType::Symlink {
            let target = readlinkat(from, name, Vec::new()).doing(|| "Cannot read the link")?;
            fresh(to, name, |to, name| symlinkat(&target, to, name))?;
        } else {
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            fresh(to, name, |to, name| mknodat(to, name, kind, mode, stat.st_rdev))?;
        }
        attributes_at(from, name, stat)?.set_at(to, name, self.maker, kind == FileType::Symlink)
    }
}

/// Makes `name` anew, in the place of what lower layers had there.
fn fresh<T>(
    dir: BorrowedFd<'_>,
    name: &[u8],
    make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<T>,
) -> Result<T> {
    let first = make(dir, name);
    let result = if matches!(first, Err(Errno::EXIST)) {
        clear(dir, name)?;
        make(dir, name)
    } else {
        first
    };
    result.doing(|| "Cannot create it")
}

fn clear(dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    match unless_gone(unlinkat(dir, name, AtFlags::empty())) {
        Err(Errno::ISDIR) => remove::tree(dir, name),
        removed => removed.map(|_| ()).doing(|| "Cannot remove what lower layers had there"),
    }
}
