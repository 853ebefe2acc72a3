//! A tar archive that comes on an open file, into a directory of a container.
//!
//! Every name is looked up anew for its entry, inside the container's root (CVE-2025-47290), and what an entry makes is made
//! there by a single name: neither what the archive has made before nor what the container makes meanwhile leads out
//! (CVE-2018-15664, CVE-2021-29136). The archive is decompressed here, by nothing of the container's (CVE-2026-41567).

use super::owners::Owners;
use super::place::{End, Target, below, mounts, target};
use crate::attributes::Attributes;
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::merge::{fresh, is_directory};
use crate::mounts::Mounts;
use crate::name::{self, join, show, split, steps};
use crate::save::target::passed;
use crate::stream::incoming::Incoming;
use crate::tar::{Entry, Kind, Reader, Time};
use crate::unpack::write;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, futimens, linkat, mkdirat, mknodat, openat, symlinkat,
};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Unpacks what comes on the open file `fd` into the directory `to`.
pub fn run(fd: i32, to: &End, owners: Option<&Owners>) -> Result<()> {
    let Target::Into(dir) = target(to)? else {
        return Err(Error::io("Cannot unpack an archive there: it is no directory"));
    };
    let limits = Limits::default();
    let mut input = Incoming::new(passed(fd)?, &limits)?;
    let mut ground =
        Ground { mounts: mounts(to, &dir)?, below: below(to)?, owners, limits: &limits, dirs: Vec::new(), count: 0 };
    let mut reader = Reader::new(&mut input);
    while let Some(entry) = reader.next_entry()? {
        ground.apply(&entry, &mut reader).map_err(|error| error.within(show(&entry.path)))?;
    }
    // Whoever writes the archive is not to find the pipe closed before its end.
    input.drain()?;
    ground.finish()
}

/// The directory that an archive is unpacked into.
struct Ground<'a, B> {
    mounts: Mounts,
    below: B,
    owners: Option<&'a Owners>,
    limits: &'a Limits,
    /// Directories that the archive describes: their times change with what is put into them.
    dirs: Vec<(Vec<u8>, Time)>,
    count: u64,
}

type Data<'a, 'b> = Reader<&'a mut Incoming<'b>>;

impl<B: Fn(&[u8]) -> rustix::io::Result<OwnedFd>> Ground<'_, B> {
    fn apply(&mut self, entry: &Entry, data: &mut Data<'_, '_>) -> Result<()> {
        self.count += 1;
        if self.count > self.limits.entries {
            return Err(Error::limit(format!("it has more than {} entries", self.limits.entries)));
        }
        let path = name::clean(&entry.path)?;
        let Some((parent, last)) = split(&path) else {
            return match entry.kind {
                // The directory is the container's, as docker leaves it.
                Kind::Directory => Ok(()),
                _ => Err(Error::hostile("an entry for the root is not a directory")),
            };
        };
        let dir = self.enter(parent)?;
        if entry.kind == Kind::Directory {
            self.dirs.push((path.clone(), entry.mtime));
            return self.directory(&dir, last, entry);
        }
        if is_directory(dir.as_fd(), last) {
            return Err(Error::io("Cannot put a file in the place of a directory"));
        }
        self.put(&dir, (last, &path), entry, data)
    }

    /// Gives the directories the times of the archive.
    fn finish(&self) -> Result<()> {
        for (path, Time { seconds, nanoseconds }) in &self.dirs {
            // A container may have removed it by now.
            let Ok(dir) = (self.below)(path) else { continue };
            let time = Timespec { tv_sec: *seconds, tv_nsec: (*nanoseconds).into() };
            let times = Timestamps { last_access: time, last_modification: time };
            futimens(&dir, &times).doing(|| format!("Cannot set the times of {}", show(path)))?;
        }
        Ok(())
    }

    /// The directory `path`, made where it is missing.
    fn enter(&self, path: &[u8]) -> Result<OwnedFd> {
        let problem = || format!("Cannot open the directory {}", show(path));
        match (self.below)(path) {
            Err(Errno::NOENT) => {}
            dir => return dir.doing(problem),
        }
        let (mut at, mut dir) = (Vec::new(), (self.below)(b"").doing(problem)?);
        for step in steps(path) {
            at = join(&at, step);
            dir = match (self.below)(&at) {
                Err(Errno::NOENT) => {
                    let made = mkdirat(&dir, step, Mode::from_raw_mode(0o755));
                    made.doing(|| format!("Cannot create the directory {}", show(&at)))?;
                    let dir = self.mounts.dir(&dir, step).doing(problem)?;
                    self.owned(&Entry::of(Kind::Directory))?.set_owner(dir.as_fd())?;
                    dir
                }
                found => found.doing(problem)?,
            };
        }
        Ok(dir)
    }

    fn directory(&self, dir: &OwnedFd, name: &[u8], entry: &Entry) -> Result<()> {
        match mkdirat(dir, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno).doing(|| "Cannot create the directory"),
        }
        let dir = self.mounts.dir(dir, name).map_err(|errno| match errno {
            Errno::NOTDIR | Errno::LOOP => Error::io("Cannot put a directory in the place of a file"),
            errno => Error::io(format!("Cannot open the directory: {errno}")),
        })?;
        self.owned(entry)?.set(dir.as_fd(), None, None)
    }

    fn put(&self, dir: &OwnedFd, (name, path): (&[u8], &[u8]), entry: &Entry, data: &mut Data<'_, '_>) -> Result<()> {
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        match entry.kind {
            Kind::File => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = fresh(dir.as_fd(), name, |dir, name| openat(dir, name, flags, mode))?;
                write::data((&file, path), entry, data, self.limits)?;
                return self.owned(entry)?.set(file.as_fd(), None, Some(mode.as_raw_mode()));
            }
            Kind::HardLink => return self.link(dir, (name, path), &entry.link),
            Kind::Symlink => {
                if entry.link.is_empty() || entry.link.len() > name::LONGEST_PATH {
                    return Err(Error::format("the target of the link is empty or too long"));
                }
                fresh(dir.as_fd(), name, |dir, name| symlinkat(&*entry.link, dir, name))?;
            }
            Kind::Fifo => fresh(dir.as_fd(), name, |dir, name| mknodat(dir, name, FileType::Fifo, mode, 0))?,
            Kind::Char | Kind::Block => return Err(Error::io("Cannot copy a device")),
            Kind::Directory => unreachable!("directories are made apart"),
        }
        self.owned(entry)?.set_at(dir.as_fd(), name, None, entry.kind == Kind::Symlink)
    }

    /// Another name of what is there already, in the archive or in the container.
    fn link(&self, dir: &OwnedFd, (name, path): (&[u8], &[u8]), link: &[u8]) -> Result<()> {
        let target = name::clean(link)?;
        let refuse = |why: &str| Err(Error::io(format!("hard link to {}: {why}", show(&target))));
        let Some((parent, last)) = split(&target) else { return refuse("it is a directory") };
        if target == path {
            return Ok(());
        }
        let from = match (self.below)(parent) {
            Err(Errno::NOENT | Errno::NOTDIR) => return refuse("it is not there"),
            from => from.doing(|| format!("Cannot open the directory {}", show(parent)))?,
        };
        if is_directory(from.as_fd(), last) {
            return refuse("it is a directory");
        }
        match linkat(&from, last, dir, name, AtFlags::empty()) {
            Err(Errno::NOENT) => refuse("it is not there"),
            Err(Errno::EXIST) => fresh(dir.as_fd(), name, |dir, name| linkat(&from, last, dir, name, AtFlags::empty())),
            linked => linked.doing(|| format!("Cannot link to {}", show(&target))),
        }
    }

    /// What an entry says of its file, with the owner that this is outside of the container.
    fn owned(&self, entry: &Entry) -> Result<Attributes> {
        let (uid, gid) = match self.owners {
            None => (entry.uid, entry.gid),
            Some(owners) => owners
                .outside(entry.uid, entry.gid)
                .ok_or_else(|| Error::io(format!("the container has no owner {}:{}", entry.uid, entry.gid)))?,
        };
        Ok(Attributes { mode: entry.mode, uid, gid, mtime: entry.mtime, xattrs: entry.xattrs.clone() })
    }
}
