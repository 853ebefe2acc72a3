//! The requests `merge`, the stacked layers as one tree of files for where there is no overlay, and `copy`, of one tree.
//!
//! Layer after layer is laid over the copy, as overlayfs lays them over each other: a whiteout removes, an
//! opaque directory empties, a directory joins a directory, all else replaces.

use crate::attributes::{Attributes, Maker};
use crate::beneath::{list, open_dir, unless_gone};
use crate::copy::Copier;
use crate::erofs::mount::open_files;
use crate::error::{Context, Error, Result};
use crate::fingerprint::check::open_layer;
use crate::inspect::{attributes, attributes_at, clear_xattrs, is_opaque};
use crate::mounts::Mounts;
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
    lay(&from, &to, &mut Copier::default(), &Rules::COPY).inspect_err(|_| {
        // The first failure is the one to tell.
        let _ = remove::contents(&to);
    })
}

fn lay_all(layers: &[String], root: &OwnedFd) -> Result<()> {
    let mut copier = Copier::default();
    for path in layers {
        let fs = open_layer(path).and_then(|layer| open_files(&layer));
        let fs = fs.map_err(|error| error.within(format!("Cannot open layer {path}")))?;
        lay(&fs, root, &mut copier, &Rules::LAYER)
            .map_err(|error| error.within(format!("Cannot copy layer {path}")))?;
    }
    Ok(())
}

fn lay(from: &OwnedFd, root: &OwnedFd, copier: &mut Copier, rules: &Rules) -> Result<()> {
    Layer::new(root, copier, rules).directory(from, root, b"")
}

/// How one tree is laid over another.
pub struct Rules {
    /// Whiteouts and opaque directories take away what is below: those of a layer, not those of any other tree.
    whiteouts: bool,
    /// The trees do not trust each other: no device comes along, which would be one of the host, and what takes the place of
    /// something else is an error.
    foreign: bool,
    /// Who has all files then, without set-id bits: those would be the new owner's. As before where it is none.
    owner: Option<(u32, u32)>,
    /// Which mounts are entered of what is copied, and of where it goes.
    mounts: (Mounts, Mounts),
}

impl Rules {
    const LAYER: Self = Self { whiteouts: true, ..Self::COPY };
    const COPY: Self = Self { whiteouts: false, foreign: false, owner: None, mounts: (Mounts::Own, Mounts::Own) };

    /// Between a container and the host.
    pub fn transfer(owner: Option<(u32, u32)>, from: Mounts, to: Mounts) -> Self {
        Self { whiteouts: false, foreign: true, owner, mounts: (from, to) }
    }

    fn of(&self, attributes: Attributes) -> Attributes {
        match self.owner {
            None => attributes,
            Some((uid, gid)) => {
                Attributes { uid, gid, mode: attributes.mode & 0o1777, xattrs: Vec::new(), ..attributes }
            }
        }
    }
}

/// A name in a directory.
pub type Place<'a> = (BorrowedFd<'a>, &'a [u8]);

/// One tree on its way into another.
pub struct Layer<'a> {
    rules: &'a Rules,
    root: &'a OwnedFd,
    /// Who has a new file; nobody knows it in directories of others, which may have a set-group-ID bit.
    maker: Option<Maker>,
    copier: &'a mut Copier,
    /// Files with several names in this layer, and the name that each has in the copy.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<'a> Layer<'a> {
    /// Into the tree below `root`.
    pub fn new(root: &'a OwnedFd, copier: &'a mut Copier, rules: &'a Rules) -> Self {
        let maker = (!rules.foreign).then(Maker::of_this_process);
        Self { rules, root, maker, copier, linked: HashMap::new() }
    }

    /// Lays the directory `from` over `to`, which is at `path` in the copy.
    pub fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, path: &[u8]) -> Result<()> {
        if self.rules.whiteouts && is_opaque(from)? {
            remove::contents(to)?;
        }
        self.contents(from, to, path)?;
        // Last: the time of a directory changes with what is put into it.
        if !self.rules.foreign {
            clear_xattrs(to.as_fd())?;
        }
        self.rules.of(attributes(from.as_fd())?).set(to.as_fd(), None, None)
    }

    /// Lays all that is in the directory `from` over `to`, which itself stays as it is.
    pub fn contents(&mut self, from: &OwnedFd, to: &OwnedFd, path: &[u8]) -> Result<()> {
        for item in list(from).doing(|| format!("Cannot read {}", show(path)))? {
            let path = join(path, &item.name);
            let (from, to) = (from.as_fd(), to.as_fd());
            self.item(from, to, &item.name, &path).map_err(|error| error.within(show(&path)))?;
        }
        Ok(())
    }

    /// Lays `name` of `from` over `to`, where it is at `path` in the copy.
    pub fn item(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<()> {
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at it")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if stat.st_rdev == 0 && self.rules.whiteouts => clear(to, name),
            FileType::CharacterDevice | FileType::BlockDevice if self.rules.foreign => {
                Err(Error::io("Cannot copy a device".to_owned()))
            }
            FileType::Directory => {
                let source = match self.rules.mounts.0.dir(from, name) {
                    // What is mounted there does not come along, and its place does.
                    Err(Errno::XDEV) if self.rules.foreign => None,
                    source => Some(source.doing(|| "Cannot open the directory")?),
                };
                let target = match self.rules.mounts.1.dir(to, name) {
                    Ok(target) => target,
                    Err(errno @ (Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {
                        if errno != Errno::NOENT && self.rules.foreign {
                            return Err(Error::io("Cannot put a directory in the place of a file".to_owned()));
                        }
                        clear(to, name)?;
                        mkdirat(to, name, Mode::RWXU).doing(|| "Cannot create the directory")?;
                        open_dir(to, name).doing(|| "Cannot open the directory")?
                    }
                    Err(errno) => return Err(Error::io(format!("Cannot open the directory: {errno}"))),
                };
                match source {
                    Some(source) => self.directory(&source, &target, path),
                    None => self.rules.of(Attributes::of_implied_directory()).set(target.as_fd(), None, None),
                }
            }
            _ if self.rules.foreign && is_directory(to, name) => {
                Err(Error::io("Cannot put a file in the place of a directory".to_owned()))
            }
            kind if stat.st_nlink > 1 => self.linked(from, to, name, path, (&stat, kind)),
            kind => self.file((from, name), (to, name), (&stat, kind)),
        }
    }

    /// Copies `from`, a name in a directory that is none itself, to another name.
    pub fn renamed(&mut self, from: Place<'_>, to: Place<'_>) -> Result<()> {
        let stat = statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at it")?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if self.rules.foreign && matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            return Err(Error::io("Cannot copy a device".to_owned()));
        }
        if self.rules.foreign && is_directory(to.0, to.1) {
            return Err(Error::io("Cannot put a file in the place of a directory".to_owned()));
        }
        self.file(from, to, (&stat, kind))
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
            self.file((from, name), (to, name), what)?;
            self.linked.insert(identity, path.to_vec());
            return Ok(());
        };
        let parent = open_dir(self.root, parent).doing(|| "Cannot open the directory of a link")?;
        fresh(to, name, |to, name| linkat(&parent, first, to, name, AtFlags::empty()))
    }

    fn file(&mut self, from: Place<'_>, to: Place<'_>, (stat, kind): (&Stat, FileType)) -> Result<()> {
        let ((from, old), (to, name)) = (from, to);
        if kind == FileType::RegularFile {
            let source = self.rules.mounts.0.file(from, old).doing(|| "Cannot open it")?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            let target = fresh(to, name, |to, name| openat(to, name, flags, mode))?;
            self.copier.data(source.as_fd(), target.as_fd(), stat)?;
            let all = self.rules.of(attributes(source.as_fd())?);
            return all.set(target.as_fd(), self.maker, Some(mode.as_raw_mode()));
        }
        if kind == FileType::Symlink {
            let target = readlinkat(from, old, Vec::new()).doing(|| "Cannot read the link")?;
            fresh(to, name, |to, name| symlinkat(&target, to, name))?;
        } else {
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            fresh(to, name, |to, name| mknodat(to, name, kind, mode, stat.st_rdev))?;
        }
        self.rules.of(attributes_at(from, old, stat)?).set_at(to, name, self.maker, kind == FileType::Symlink)
    }
}

/// Whether `name` in `dir` is a directory.
pub fn is_directory(dir: BorrowedFd<'_>, name: &[u8]) -> bool {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Makes `name` anew, in the place of what lower layers had there.
pub fn fresh<T>(
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
