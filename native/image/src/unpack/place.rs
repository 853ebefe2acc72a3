//! From a path in a layer to a descriptor of the directory, and to the path that has no links in it.
//!
//! A layer may hold `lib -> usr/lib` and then `lib/foo`. Such a link is followed as in a root file system of
//! the layer alone, by hand, and only over directories that the layer has: the kernel is always given a
//! path without links, so whatever changed in between, nothing outside is reached.

use super::dirs::Origin;
use super::tree::Tree;
use crate::beneath::open_dir;
use crate::error::{Context, Error, Result};
use crate::name::{check_extent, join, show, split, steps};
use rustix::fs::{AtFlags, FileType, Mode, mkdirat, readlinkat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// As many as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A directory of the layer, open.
pub struct Place {
    /// Its path, without links.
    pub path: Vec<u8>,
    /// Open for reading.
    pub fd: OwnedFd,
}

/// A way that is walked step by step.
struct Walk {
    todo: VecDeque<Vec<u8>>,
    /// How many of the steps ahead come out of links: they must exist, nothing is made for them.
    from_links: usize,
    links: usize,
    at: Place,
}

impl Tree<'_> {
    /// The directory `path`, made if the layer had nothing there.
    ///
    /// Entries of one directory follow each other, so the last one is kept open. It is dropped whenever
    /// something is removed or replaced: a check that outlives such a change is CVE-2025-47290.
    pub fn enter(&mut self, path: &[u8]) -> Result<Rc<Place>> {
        if let Some((known, place)) = &self.entered
            && known == path
        {
            return Ok(Rc::clone(place));
        }
        let place = Rc::new(match open_dir(&self.root, path) {
            Ok(fd) => Place { path: path.to_vec(), fd },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.walk(path)?,
            Err(errno) => return Err(Error::io(format!("Cannot open directory {}: {errno}", show(path)))),
        });
        self.entered = Some((path.to_vec(), Rc::clone(&place)));
        Ok(place)
    }

    fn walk(&mut self, path: &[u8]) -> Result<Place> {
        let todo = steps(path).map(<[u8]>::to_vec).collect();
        let mut walk = Walk { todo, from_links: 0, links: 0, at: self.place(Vec::new())? };
        while let Some(step) = walk.todo.pop_front() {
            let promised = walk.from_links > 0;
            walk.from_links = walk.from_links.saturating_sub(1);
            if step == b".." {
                // Only out of a link; at the root it leads to the root, as in every root file system.
                let up = split(&walk.at.path).map_or(Vec::new(), |(parent, _)| parent.to_vec());
                walk.at = self.place(up)?;
                continue;
            }
            match open_dir(&walk.at.fd, &step) {
                Ok(fd) => walk.at = Place { path: join(&walk.at.path, &step), fd },
                Err(Errno::NOENT) if promised => return Err(not_a_directory(path)),
                Err(Errno::NOENT) => walk.at = self.make_implied(&walk.at, &step, Origin::Implied)?,
                Err(Errno::NOTDIR | Errno::LOOP) => self.pass(&mut walk, &step, path)?,
                Err(errno) => return Err(Error::io(format!("Cannot open directory {}: {errno}", show(path)))),
            }
        }
        Ok(walk.at)
    }

    /// Goes on where a step is not a directory: through a link, or over a whiteout that came before what
    /// this layer puts in the place of the removed directory.
    fn pass(&mut self, walk: &mut Walk, step: &[u8], path: &[u8]) -> Result<()> {
        match readlinkat(&walk.at.fd, step, Vec::new()) {
            Ok(target) => {
                walk.links += 1;
                if walk.links > MOST_LINKS {
                    return Err(Error::hostile(format!("the directory of {} goes through too many links", show(path))));
                }
                if target.to_bytes().starts_with(b"/") {
                    walk.at = self.place(Vec::new())?;
                }
                let steps: Vec<&[u8]> = steps(target.to_bytes()).filter(|step| *step != b".").collect();
                walk.from_links += steps.len();
                for step in steps.into_iter().rev() {
                    walk.todo.push_front(step.to_vec());
                }
                Ok(())
            }
            Err(Errno::INVAL) if is_whiteout(walk.at.fd.as_fd(), step)? => {
                self.clear(&walk.at, step)?;
                walk.at = self.make_implied(&walk.at, step, Origin::Recreated)?;
                self.mark_opaque(&walk.at)
            }
            Err(Errno::INVAL) => Err(not_a_directory(path)),
            Err(errno) => Err(Error::io(format!("Cannot read link {}: {errno}", show(step)))),
        }
    }

    fn make_implied(&mut self, parent: &Place, name: &[u8], origin: Origin) -> Result<Place> {
        let path = join(&parent.path, name);
        check_extent(&path, steps(&path).count())?;
        self.count_entry()?;
        mkdirat(&parent.fd, name, Mode::RWXU).doing(|| format!("Cannot create directory {}", show(&path)))?;
        self.dirs.insert(path.clone(), origin)?;
        self.place(path)
    }

    /// The directory at a path without links.
    fn place(&self, path: Vec<u8>) -> Result<Place> {
        let fd = open_dir(&self.root, &path).doing(|| format!("Cannot open directory {}", show(&path)))?;
        Ok(Place { path, fd })
    }
}

/// Whether `name` is the device 0:0. Only whiteouts of this layer are: entries of that kind are refused.
pub fn is_whiteout(dir: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| format!("Cannot look at {}", show(name)))?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0)
}

fn not_a_directory(path: &[u8]) -> Error {
    Error::hostile(format!("the directory {} goes through something that is no directory of this layer", show(path)))
}
