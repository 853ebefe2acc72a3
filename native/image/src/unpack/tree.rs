//! The tree of one layer in the making: what each entry does to it.
//! Reference: OCI image-spec, layer.md, "Applying Changesets"; kernel, overlayfs.rst, "whiteouts and opaque directories".

use super::dirs::{Dirs, Origin};
use super::place::{Place, is_whiteout};
use crate::attributes::{Attributes, Maker, OPAQUE, USER_OPAQUE};
use crate::error::{Context, Error, Result};
use crate::fingerprint::walk::walk;
use crate::fingerprint::{Contents, entry};
use crate::limits::Limits;
use crate::name::{self, Mark, check_extent, join, show, split, steps};
use crate::pack::kept::Keeper;
use crate::remove;
use crate::stream::Input;
use crate::tar::{Entry, Kind, Reader};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, XattrFlags, fsetxattr, linkat, makedev, mkdirat, mknodat, openat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// The tree of a layer.
pub struct Tree<'a> {
    pub(super) root: OwnedFd,
    pub(super) dirs: Dirs,
    /// The path last entered, as asked for, and where it led.
    pub(super) entered: Option<(Vec<u8>, Rc<Place>)>,
    pub(super) maker: Maker,
    pub(super) limits: &'a Limits,
    pub(super) counts: Counts,
    /// What is in its files.
    pub contents: Contents,
    /// What was in those that it has removed.
    pub keeper: Keeper,
}

/// What a layer amounts to.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Entries, and directories without one.
    pub entries: u64,
    /// Bytes of data in files.
    pub bytes: u64,
    /// The layer hides everything below it.
    pub opaque_root: bool,
}

impl<'a> Tree<'a> {
    /// An empty tree in the directory `root`.
    pub fn new(root: OwnedFd, keeper: Keeper, limits: &'a Limits) -> Self {
        let (dirs, maker) = (Dirs::new(limits.implied), Maker::of_this_process());
        let (counts, contents) = (Counts::default(), Contents::default());
        Self { root, dirs, entered: None, maker, limits, counts, contents, keeper }
    }

    /// Does what the next entry says; its data come from `data`.
    pub fn apply<I: Input>(&mut self, entry: &Entry, data: &mut Reader<I>) -> Result<()> {
        self.count_entry()?;
        let path = name::clean(&entry.path)?;
        let Some((parent, name)) = split(&path) else { return self.describe_root(entry) };
        match name::mark(&path)? {
            Mark::Metadata => Ok(()),
            Mark::Opaque => {
                let place = self.enter(parent)?;
                self.mark_opaque(&place)
            }
            Mark::Whiteout(hidden) => {
                let place = self.enter(parent)?;
                self.hide(&place, hidden)
            }
            Mark::Plain => {
                let place = self.enter(parent)?;
                self.put(&place, name, entry, data)
            }
        }
    }

    /// Sets the attributes of all directories and returns what the layer amounts to.
    pub fn finish(&mut self) -> Result<Counts> {
        for (path, origin) in self.dirs.deepest_first() {
            let implied = Attributes::of_implied_directory();
            let attributes = if let Origin::Explicit(attributes) = origin { attributes } else { &implied };
            let dir = crate::beneath::open_dir(&self.root, path);
            let dir = dir.doing(|| format!("Cannot open directory {}", show(path)))?;
            attributes.set(dir.as_fd(), Some(self.maker), None).map_err(|error| error.within(show(path)))?;
        }
        Ok(self.counts)
    }

    pub(super) fn count_entry(&mut self) -> Result<()> {
        self.counts.entries += 1;
        if self.counts.entries > self.limits.entries {
            return Err(Error::limit(format!("it has more than {} entries", self.limits.entries)));
        }
        Ok(())
    }

    /// CVE-2021-29136: an entry for `/` that was a link replaced the directory that everything goes to.
    fn describe_root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != Kind::Directory {
            return Err(Error::hostile("an entry for the root is not a directory"));
        }
        self.dirs.insert(Vec::new(), Origin::Explicit(attributes(entry)))
    }

    fn put<I: Input>(&mut self, place: &Place, name: &[u8], entry: &Entry, data: &mut Reader<I>) -> Result<()> {
        let attributes = attributes(entry);
        let dir = place.fd.as_fd();
        match entry.kind {
            Kind::Directory => self.put_directory(place, name, attributes),
            Kind::HardLink => self.put_hard_link(place, name, &entry.link),
            Kind::File => {
                // A sparse file is read again for its hash.
                let access = if entry.sparse.is_some() { OFlags::RDWR } else { OFlags::WRONLY };
                let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mode = Mode::from_raw_mode(entry.mode & 0o777);
                let file = self.fresh(place, name, |dir, name| openat(dir, name, flags, mode))?;
                let content = super::write::data((&file, &join(&place.path, name)), entry, data, self.limits)?;
                self.counts.bytes += entry.size;
                attributes.set(file.as_fd(), Some(self.maker), Some(mode.as_raw_mode()))?;
                self.contents.note(file.as_fd(), content, !entry.xattrs.is_empty())
            }
            Kind::Symlink => {
                if entry.link.is_empty() || entry.link.len() > name::LONGEST_PATH {
                    return Err(Error::format("the target of the link is empty or too long"));
                }
                self.fresh(place, name, |dir, name| symlinkat(&entry.link, dir, name))?;
                attributes.set_at(dir, name, self.maker, true)
            }
            Kind::Char | Kind::Block | Kind::Fifo => {
                let (major, minor) = entry.device;
                let kind = match entry.kind {
                    Kind::Char if (major, minor) == (0, 0) => {
                        return Err(Error::hostile("the device 0:0 is overlayfs's sign for a removed file"));
                    }
                    Kind::Char => FileType::CharacterDevice,
                    Kind::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let (mode, device) = (Mode::from_raw_mode(entry.mode & 0o777), makedev(major, minor));
                let node = self.fresh(place, name, |dir, name| mknodat(dir, name, kind, mode, device));
                if kind != FileType::Fifo && node.is_err() && !may_make_devices() {
                    // In a user namespace nobody may; a container has its devices from the runtime.
                    return Ok(());
                }
                node?;
                attributes.set_at(dir, name, self.maker, false)
            }
        }
    }

    /// A directory takes the place of anything else and lays itself over a directory. Where it replaces
    /// something, lower layers must not show through: the thing had removed what they have.
    fn put_directory(&mut self, place: &Place, name: &[u8], attributes: Attributes) -> Result<()> {
        let path = join(&place.path, name);
        check_extent(&path, steps(&path).count())?;
        match mkdirat(&place.fd, name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.dirs.contains(&path) => {}
            Err(Errno::EXIST) => {
                self.clear(place, name)?;
                mkdirat(&place.fd, name, Mode::RWXU).doing(|| "Cannot create the directory")?;
                let fd = crate::beneath::open_dir(&place.fd, name).doing(|| "Cannot open the directory")?;
                self.mark_opaque(&Place { path: path.clone(), fd })?;
            }
            Err(errno) => return Err(Error::io(format!("Cannot create the directory: {errno}"))),
        }
        self.dirs.insert(path, Origin::Explicit(attributes))
    }

    /// Links are made from descriptor to descriptor, and nothing is followed. The target must be of this
    /// layer: layers are unpacked apart, and a copy would be another file.
    fn put_hard_link(&mut self, place: &Place, name: &[u8], link: &[u8]) -> Result<()> {
        let target = name::clean(link)?;
        let refuse = |why: &str| Err(Error::hostile(format!("hard link to {}: {why}", show(&target))));
        let Some((parent, last)) = split(&target) else { return refuse("it is the root") };
        let source = self.enter(parent)?;
        let stat = match statat(&source.fd, last, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return refuse("it is not in this layer"),
            found => found.doing(|| format!("Cannot look at {}", show(&target)))?,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return refuse("it is a directory");
        }
        if is_whiteout(source.fd.as_fd(), last)? {
            return refuse("this layer removes it");
        }
        if join(&source.path, last) == join(&place.path, name) {
            return Ok(());
        }
        self.fresh(place, name, |dir, name| linkat(&source.fd, last, dir, name, AtFlags::empty()))?;
        self.contents.relink(place.fd.as_fd(), name)
    }

    /// A whiteout hides what lower layers have, never what this one has (layer.md, "Whiteouts"): over a
    /// directory of this layer it says that the lower one is not to be merged with it.
    fn hide(&mut self, place: &Place, name: &[u8]) -> Result<()> {
        match mknodat(&place.fd, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let path = join(&place.path, name);
                if !self.dirs.contains(&path) {
                    return Ok(());
                }
                self.dirs.recreate(&path);
                let fd = crate::beneath::open_dir(&place.fd, name).doing(|| "Cannot open the directory")?;
                self.mark_opaque(&Place { path, fd })
            }
            Err(errno) => Err(Error::io(format!("Cannot create the whiteout: {errno}"))),
        }
    }

    pub(super) fn mark_opaque(&mut self, place: &Place) -> Result<()> {
        self.counts.opaque_root |= place.path.is_empty();
        let mark = |name| fsetxattr(&place.fd, name, b"y", XattrFlags::empty());
        // `trusted.*` is for the initial user namespace only (xattr(7)).
        let marked = mark(OPAQUE).or_else(|errno| if errno == Errno::PERM { mark(USER_OPAQUE) } else { Err(errno) });
        marked.doing(|| format!("Cannot make directory {} opaque", show(&place.path)))
    }

    /// Makes `name` anew, in the place of what the layer had there before.
    fn fresh<T>(
        &mut self,
        place: &Place,
        name: &[u8],
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let first = make(place.fd.as_fd(), name);
        let result = if matches!(first, Err(Errno::EXIST)) {
            self.clear(place, name)?;
            make(place.fd.as_fd(), name)
        } else {
            first
        };
        result.doing(|| "Cannot create it")
    }

    /// Removes what the layer had under `name`, and with it all that was known of paths.
    pub(super) fn clear(&mut self, place: &Place, name: &[u8]) -> Result<()> {
        self.entered = None;
        self.contents.note_removal();
        self.keep(place, name)?;
        self.dirs.forget(&join(&place.path, name));
        match unlinkat(&place.fd, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove::tree(&place.fd, name),
            removed => removed.doing(|| "Cannot remove the earlier entry"),
        }
    }

    /// Keeps the content of all files that go with `name`: the archive cannot be put together again without it.
    fn keep(&mut self, place: &Place, name: &[u8]) -> Result<()> {
        let Self { contents, keeper, .. } = self;
        let mut keep = |inode: u64, dir: BorrowedFd<'_>, name: &[u8]| match contents.take_number(inode) {
            Some(number) => keeper.keep(number, dir, name),
            None => Ok(()),
        };
        let stat = statat(&place.fd, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at the earlier entry")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => keep(stat.st_ino, place.fd.as_fd(), name),
            FileType::Directory => {
                let dir = crate::beneath::open_dir(&place.fd, name).doing(|| "Cannot open the earlier entry")?;
                walk(&dir, &mut |found| match found.kind()? {
                    entry::Kind::File => keep(found.stat()?.st_ino, found.dir, found.name),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Devices can be made in the initial user namespace only, which has all ids (user_namespaces(7)).
fn may_make_devices() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.trim_end().ends_with(" 4294967295"))
}

fn attributes(entry: &Entry) -> Attributes {
    let xattrs = entry.xattrs.clone();
    Attributes { mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, xattrs }
}
