//! The request `stack`: what an overlay of layers that were unpacked apart would show wrongly.
//!
//! A layer with `root/x` and no entry for `root` has a directory `root` of mode 0755; over a layer whose
//! `root` is 0700 the overlay would show 0755. An extra layer on top, of directories only, mends that.

use crate::attributes::{Attributes, Maker};
use crate::beneath::open_dir;
use crate::erofs::mount::open_files;
use crate::error::{Context, Error, Result};
use crate::fingerprint::{self, Contents};
use crate::inspect::{attributes, is_opaque};
use crate::name::{join, show, split, steps};
use crate::stage::{self, Stage};
use crate::unpack::layer::Path;
use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    /// Whether there is anything to mend; if not, no layer was made.
    needed: bool,
}

/// Makes the extra layer `dest` for `layers`, lowest first, if there is need of one.
pub fn run(layers: &[String], dest: &str, staging: Option<&str>) -> Result<Answer> {
    let layers = layers.iter().rev().map(|path| Layer::open(path)).collect::<Result<Vec<_>>>()?;
    let mut root = Implied::default();
    for path in layers.iter().flat_map(|layer| &layer.implied) {
        root.add(path);
    }
    let mut mended = BTreeMap::new();
    mend(b"", &root, &layers.iter().collect::<Vec<_>>(), &mut mended)?;
    let needed = !mended.is_empty();
    if needed {
        make(&mended, dest, staging)?;
    }
    Ok(Answer { needed })
}

/// The directories without an entry of their own in some layer, and those above them.
#[derive(Default)]
struct Implied<'a>(BTreeMap<&'a [u8], Implied<'a>>);

impl<'a> Implied<'a> {
    fn add(&mut self, path: &'a [u8]) {
        let mut at = self;
        for step in steps(path) {
            at = at.0.entry(step).or_default();
        }
    }
}

/// Finds what is to be mended at `path` and below. `layers`, highest first, are those whose directory shows through above it.
/// Says whether there is anything.
fn mend(path: &[u8], implied: &Implied, layers: &[&Layer], mended: &mut BTreeMap<Vec<u8>, Attributes>) -> Result<bool> {
    // What one layer alone has is shown as that has it, with all below.
    if layers.len() < 2 {
        return Ok(false);
    }
    let seen = see(layers, path)?;
    let [highest, _, ..] = seen.directories.as_slice() else { return Ok(false) };
    let shown = attributes(highest.1.as_fd())?;
    // Where no layer says what it looks like, it stays as it was made.
    let says = seen.directories.iter().find(|(layer, _)| !layer.implied.contains(path));
    let wanted = says.map_or_else(|| Ok(shown.clone()), |(_, dir)| attributes(dir.as_fd()))?;
    let through: Vec<_> = seen.directories.iter().take(seen.through).map(|&(layer, _)| layer).collect();
    drop(seen);
    let mut needed = shown != wanted;
    for (step, below) in &implied.0 {
        needed |= mend(&join(path, step), below, &through, mended)?;
    }
    // The extra layer's own directories hide those below in their turn, so parents need the right attributes too.
    if needed {
        mended.insert(path.to_vec(), wanted);
    }
    Ok(needed)
}

fn make(directories: &BTreeMap<Vec<u8>, Attributes>, dest: &str, staging: Option<&str>) -> Result<()> {
    let stage = Stage::new(dest, staging)?;
    let root = stage.directory("fs")?;
    // A directory comes before what is in it, in the order of the map.
    for path in directories.keys() {
        if let Some((parent, name)) = split(path) {
            let parent = open_dir(&root, parent).doing(|| format!("Cannot open {}", show(parent)))?;
            mkdirat(parent, name, Mode::RWXU).doing(|| format!("Cannot create directory {}", show(path)))?;
        }
    }
    let maker = Maker::of_this_process();
    for (path, attributes) in directories.iter().rev() {
        let dir = open_dir(&root, path).doing(|| format!("Cannot open {}", show(path)))?;
        attributes.set(dir.as_fd(), Some(maker), None).map_err(|error| error.within(show(path)))?;
    }
    fingerprint::write(stage.dir(), b"{}", &Contents::default())?;
    stage::sync([&stage])?;
    stage.publish().map(|_| ())
}

/// A layer that was unpacked.
struct Layer {
    fs: OwnedFd,
    implied: BTreeSet<Vec<u8>>,
}

/// What is of interest in `layer.json`.
#[derive(Deserialize)]
struct Record {
    implied: Vec<Path>,
}

impl Layer {
    fn open(path: &str) -> Result<Self> {
        Self::read(path).map_err(|error| error.within(format!("Cannot read layer {path}")))
    }

    fn read(path: &str) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty()).doing(|| "Cannot open it")?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir, "layer.json", flags, Mode::empty()).doing(|| "Cannot open layer.json")?;
        let mut json = Vec::new();
        File::from(file).read_to_end(&mut json).doing(|| "Cannot read layer.json")?;
        let record: Record =
            serde_json::from_slice(&json).map_err(|error| Error::format(format!("layer.json: {error}")))?;
        let implied = record.implied.iter().map(Path::bytes).collect::<Result<_>>()?;
        Ok(Self { fs: open_files(&dir)?, implied })
    }
}

/// What an overlay has at a path.
struct Seen<'a> {
    /// The directories that it joins, highest first; none where it shows something else: the extra layer must not bring it back.
    directories: Vec<(&'a Layer, OwnedFd)>,
    /// How many of them show through in it: as far down as the first that is opaque.
    through: usize,
}

fn see<'a>(layers: &[&'a Layer], path: &[u8]) -> Result<Seen<'a>> {
    let mut seen = Seen { directories: Vec::new(), through: 0 };
    let mut covered = false;
    for &layer in layers {
        let dir = match open_dir(&layer.fs, path) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => continue,
            // A whiteout, or something else that lower directories do not shine through.
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(errno) => return Err(errno).doing(|| format!("Cannot open {}", show(path))),
        };
        if !covered {
            seen.through += 1;
            covered = is_opaque(&dir)?;
        }
        seen.directories.push((layer, dir));
    }
    Ok(seen)
}
