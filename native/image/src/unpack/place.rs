//! From a path in a layer to the directory, and to the path that has no links in it.
//!
//! A layer may hold `lib -> usr/lib` and then `lib/foo`. Such a link is followed as in a root file system of
//! the layer alone, by hand, and only over directories that the layer has: the kernel is always given a
//! path without links, so whatever changed in between, nothing outside is reached.

use super::dirs::Origin;
use super::ground::{Found, Ground};
use super::tree::Tree;
use crate::error::{Context, Error, Result};
use crate::name::{check_extent, join, show, split, steps};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::rc::Rc;

/// As many as the kernel follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A directory of the layer, open.
pub struct Place<D> {
    /// Its path, without links.
    pub path: Vec<u8>,
    /// The directory itself.
    pub dir: D,
}

/// A way that is walked step by step.
struct Walk<D> {
    todo: VecDeque<Vec<u8>>,
    /// How many of the steps ahead come out of links: they must exist, nothing is made for them.
    from_links: usize,
    links: usize,
    at: Place<D>,
}

impl<G: Ground> Tree<'_, G> {
    /// The directory `path`, made if the layer had nothing there.
    ///
    /// Entries of one directory follow each other, so the last one is kept open. It is dropped whenever
    /// something is removed or replaced: a check that outlives such a change is CVE-2025-47290.
    pub fn enter(&mut self, path: &[u8]) -> Result<Rc<Place<G::Dir>>> {
        if let Some((known, place)) = &self.entered
            && known == path
        {
            return Ok(Rc::clone(place));
        }
        let place = Rc::new(match self.ground.open(path) {
            Ok(dir) => Place { path: path.to_vec(), dir },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.walk(path)?,
            Err(errno) => return Err(Error::io(format!("Cannot open directory {}: {errno}", show(path)))),
        });
        self.entered = Some((path.to_vec(), Rc::clone(&place)));
        Ok(place)
    }

    fn walk(&mut self, path: &[u8]) -> Result<Place<G::Dir>> {
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
            match self.ground.below(&walk.at.dir, &step) {
                Ok(dir) => walk.at = Place { path: join(&walk.at.path, &step), dir },
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
    fn pass(&mut self, walk: &mut Walk<G::Dir>, step: &[u8], path: &[u8]) -> Result<()> {
        match self.ground.target(&walk.at.dir, step) {
            Ok(target) => {
                walk.links += 1;
                if walk.links > MOST_LINKS {
                    return Err(Error::hostile(format!("the directory of {} goes through too many links", show(path))));
                }
                if target.starts_with(b"/") {
                    walk.at = self.place(Vec::new())?;
                }
                let steps: Vec<&[u8]> = steps(&target).filter(|step| *step != b".").collect();
                walk.from_links += steps.len();
                for step in steps.into_iter().rev() {
                    walk.todo.push_front(step.to_vec());
                }
                Ok(())
            }
            Err(Errno::INVAL) if self.ground.look(&walk.at.dir, step) == Ok(Found::Whiteout) => {
                self.clear(&walk.at, step)?;
                walk.at = self.make_implied(&walk.at, step, Origin::Recreated)?;
                self.mark_opaque(&walk.at)
            }
            Err(Errno::INVAL) => Err(not_a_directory(path)),
            Err(errno) => Err(Error::io(format!("Cannot read link {}: {errno}", show(step)))),
        }
    }

    fn make_implied(&mut self, parent: &Place<G::Dir>, name: &[u8], origin: Origin) -> Result<Place<G::Dir>> {
        let path = join(&parent.path, name);
        check_extent(&path, steps(&path).count())?;
        self.count_entry()?;
        let made = self.ground.make_directory(&parent.dir, name);
        made.doing(|| format!("Cannot create directory {}", show(&path)))?;
        self.dirs.insert(path.clone(), origin)?;
        self.place(path)
    }

    /// The directory at a path without links.
    fn place(&self, path: Vec<u8>) -> Result<Place<G::Dir>> {
        let dir = self.ground.open(&path).doing(|| format!("Cannot open directory {}", show(&path)))?;
        Ok(Place { path, dir })
    }
}

fn not_a_directory(path: &[u8]) -> Error {
    Error::hostile(format!("the directory {} goes through something that is no directory of this layer", show(path)))
}
