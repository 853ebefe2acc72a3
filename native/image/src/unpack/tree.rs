//! The tree of one layer in the making: what each entry does to it, wherever it lies (see `ground`).
//! Reference: OCI image-spec, layer.md, "Applying Changesets"; kernel, overlayfs.rst, "whiteouts and opaque directories".

use super::dirs::{Dirs, Origin};
use super::ground::{Found, Ground};
use super::place::Place;
use crate::attributes::Attributes;
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::name::{self, Mark, check_extent, join, show, split, steps};
use crate::stream::Input;
use crate::tar::{Entry, Kind, Reader};
use rustix::io::Errno;
use std::rc::Rc;

/// A path as it was asked for, and where it led.
type Entered<D> = (Vec<u8>, Rc<Place<D>>);

/// The tree of a layer.
pub struct Tree<'a, G: Ground> {
    /// Where it lies.
    pub ground: G,
    pub(super) dirs: Dirs,
    /// The path last entered.
    pub(super) entered: Option<Entered<G::Dir>>,
    pub(super) limits: &'a Limits,
    pub(super) counts: Counts,
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

impl<'a, G: Ground> Tree<'a, G> {
    /// An empty tree.
    pub fn new(ground: G, limits: &'a Limits) -> Self {
        Self { ground, dirs: Dirs::new(limits.implied), entered: None, limits, counts: Counts::default() }
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
            self.ground.describe_directory(path, attributes).map_err(|error| error.within(show(path)))?;
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

    fn put<I: Input>(&mut self, place: &Place<G::Dir>, name: &[u8], entry: &Entry, data: &mut Reader<I>) -> Result<()> {
        let attributes = attributes(entry);
        match entry.kind {
            Kind::Directory => self.put_directory(place, name, attributes),
            Kind::HardLink => self.put_hard_link(place, name, &entry.link),
            Kind::File => {
                let file = self.fresh(place, name, |ground, dir, name| ground.make_file(dir, name, entry))?;
                let path = join(&place.path, name);
                self.ground.fill((file, &path), (entry, &attributes), data, self.limits)?;
                self.counts.bytes += entry.size;
                Ok(())
            }
            Kind::Symlink => {
                if entry.link.is_empty() || entry.link.len() > name::LONGEST_PATH {
                    return Err(Error::format("the target of the link is empty or too long"));
                }
                self.fresh(place, name, |ground, dir, name| ground.make_symlink(dir, name, &entry.link))?;
                self.ground.describe(&place.dir, name, (entry, &attributes))
            }
            Kind::Char if entry.device == (0, 0) => {
                Err(Error::hostile("the device 0:0 is overlayfs's sign for a removed file"))
            }
            Kind::Char | Kind::Block | Kind::Fifo => {
                let node = self.fresh(place, name, |ground, dir, name| ground.make_node(dir, name, entry));
                if entry.kind != Kind::Fifo && node.is_err() && !may_make_devices() {
                    // In a user namespace nobody may; a container has its devices from the runtime.
                    return Ok(());
                }
                node?;
                self.ground.describe(&place.dir, name, (entry, &attributes))
            }
        }
    }

    /// A directory takes the place of anything else and lays itself over a directory. Where it replaces
    /// something, lower layers must not show through: the thing had removed what they have.
    fn put_directory(&mut self, place: &Place<G::Dir>, name: &[u8], attributes: Attributes) -> Result<()> {
        let path = join(&place.path, name);
        check_extent(&path, steps(&path).count())?;
        match self.ground.make_directory(&place.dir, name) {
            Ok(()) => {}
            Err(Errno::EXIST) if self.dirs.contains(&path) => {}
            Err(Errno::EXIST) => {
                self.clear(place, name)?;
                self.ground.make_directory(&place.dir, name).doing(|| "Cannot create the directory")?;
                let dir = self.ground.below(&place.dir, name).doing(|| "Cannot open the directory")?;
                self.mark_opaque(&Place { path: path.clone(), dir })?;
            }
            Err(errno) => return Err(Error::io(format!("Cannot create the directory: {errno}"))),
        }
        self.dirs.insert(path, Origin::Explicit(attributes))
    }

    /// Links are made from descriptor to descriptor, and nothing is followed. The target must be of this
    /// layer: layers are unpacked apart, and a copy would be another file.
    fn put_hard_link(&mut self, place: &Place<G::Dir>, name: &[u8], link: &[u8]) -> Result<()> {
        let target = name::clean(link)?;
        let refuse = |why: &str| Err(Error::hostile(format!("hard link to {}: {why}", show(&target))));
        let Some((parent, last)) = split(&target) else { return refuse("it is the root") };
        let source = self.enter(parent)?;
        match self.ground.look(&source.dir, last) {
            Err(Errno::NOENT) => return refuse("it is not in this layer"),
            Err(errno) => return Err(Error::io(format!("Cannot look at {}: {errno}", show(&target)))),
            Ok(Found::Directory) => return refuse("it is a directory"),
            Ok(Found::Whiteout) => return refuse("this layer removes it"),
            Ok(Found::Other) => {}
        }
        let own = join(&place.path, name);
        if join(&source.path, last) == own {
            return Ok(());
        }
        if source.path.strip_prefix(own.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/")) {
            return refuse("it is in the directory whose place the link takes");
        }
        self.fresh(place, name, |ground, dir, name| ground.make_name((&source.dir, last), dir, name))
    }

    /// A whiteout hides what lower layers have, never what this one has (layer.md, "Whiteouts"): over a
    /// directory of this layer it says that the lower one is not to be merged with it.
    fn hide(&mut self, place: &Place<G::Dir>, name: &[u8]) -> Result<()> {
        match self.ground.make_whiteout(&place.dir, name) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let path = join(&place.path, name);
                if !self.dirs.contains(&path) {
                    return Ok(());
                }
                self.dirs.recreate(&path);
                let dir = self.ground.below(&place.dir, name).doing(|| "Cannot open the directory")?;
                self.mark_opaque(&Place { path, dir })
            }
            // An overlayfs keeps such files for itself: overlayfs.rst, "whiteouts and opaque directories".
            Err(Errno::PERM) => Err(Errno::PERM).doing(|| "Cannot create the whiteout (is the store on an overlayfs?)"),
            Err(errno) => Err(errno).doing(|| "Cannot create the whiteout"),
        }
    }

    pub(super) fn mark_opaque(&mut self, place: &Place<G::Dir>) -> Result<()> {
        self.counts.opaque_root |= place.path.is_empty();
        let marked = self.ground.mark_opaque(&place.dir);
        marked.doing(|| format!("Cannot make directory {} opaque", show(&place.path)))
    }

    /// Makes `name` anew, in the place of what the layer had there before.
    fn fresh<T>(
        &mut self,
        place: &Place<G::Dir>,
        name: &[u8],
        make: impl Fn(&mut G, &G::Dir, &[u8]) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let first = make(&mut self.ground, &place.dir, name);
        let result = if matches!(first, Err(Errno::EXIST)) {
            self.clear(place, name)?;
            make(&mut self.ground, &place.dir, name)
        } else {
            first
        };
        result.doing(|| "Cannot create it")
    }

    /// Removes what the layer had under `name`, and with it all that was known of paths.
    pub(super) fn clear(&mut self, place: &Place<G::Dir>, name: &[u8]) -> Result<()> {
        self.entered = None;
        self.dirs.forget(&join(&place.path, name));
        self.ground.remove(&place.dir, name)
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
