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
use crate::name::{show, split, steps};
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
    let layers = layers.iter().map(|path| Layer::open(path)).collect::<Result<Vec<_>>>()?;
    let mut mended = BTreeMap::new();
    for path in layers.iter().flat_map(|layer| &layer.implied) {
        if let Some(Look { shown, wanted }) = look(&layers, path)?
            && shown != wanted
        {
            mended.insert(path.clone(), wanted);
        }
    }
    let needed = !mended.is_empty();
    if needed {
        add_parents(&layers, &mut mended)?;
        make(&mended, dest, staging)?;
    }
    Ok(Answer { needed })
}

/// The extra layer's own directories hide those below in their turn, so they need the right attributes too.
fn add_parents(layers: &[Layer], mended: &mut BTreeMap<Vec<u8>, Attributes>) -> Result<()> {
    let mut parents = BTreeSet::new();
    for path in mended.keys() {
        let mut at = path.as_slice();
        while let Some((parent, _)) = split(at) {
            parents.insert(parent.to_vec());
            at = parent;
        }
    }
    for path in parents {
        if let Some(look) = look(layers, &path)? {
            mended.insert(path, look.wanted);
        }
    }
    Ok(())
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

/// A directory as the overlay shows it, and as it should be.
struct Look {
    shown: Attributes,
    wanted: Attributes,
}

/// Nothing when the overlay shows no directory at `path`: the extra layer must not bring it back.
fn look(layers: &[Layer], path: &[u8]) -> Result<Option<Look>> {
    let mut shown = None;
    for layer in layers.iter().rev() {
        let (seen, covered) = see(layer, path)?;
        match seen {
            Seen::Hidden => break,
            Seen::Nothing => {}
            Seen::Directory(dir) => {
                let here = attributes(dir.as_fd())?;
                let shown = shown.get_or_insert_with(|| here.clone()).clone();
                if !layer.implied.contains(path) {
                    return Ok(Some(Look { shown, wanted: here }));
                }
            }
        }
        if covered {
            break;
        }
    }
    // No layer says what it looks like, or none that is not hidden: it stays as it was made.
    Ok(shown.map(|shown| Look { wanted: shown.clone(), shown }))
}

/// What one layer has at a path.
enum Seen {
    Nothing,
    /// A whiteout, or something else that lower directories do not shine through.
    Hidden,
    Directory(OwnedFd),
}

/// Looks into one layer; says too whether a directory on the way there is opaque.
fn see(layer: &Layer, path: &[u8]) -> Result<(Seen, bool)> {
    let mut dir = open_dir(&layer.fs, b"").doing(|| "Cannot open a layer")?;
    let mut covered = false;
    for step in steps(path) {
        covered |= is_opaque(&dir)?;
        dir = match open_dir(&dir, step) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok((Seen::Nothing, covered)),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok((Seen::Hidden, covered)),
            Err(errno) => return Err(errno).doing(|| format!("Cannot open {}", show(path))),
        };
    }
    Ok((Seen::Directory(dir), covered))
}
