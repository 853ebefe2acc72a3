//! One layer: from its blob to a directory that waits to be published, in the form that is asked for.

use super::disk::Disk;
use super::ground::Ground;
use super::tree::Tree;
use crate::digest::Digest;
use crate::erofs::{self, ARCHIVE, INDEX, Index};
use crate::error::{Context, Error, Result};
use crate::fingerprint;
use crate::limits::Limits;
use crate::name::show;
use crate::pack::kept::Keeper;
use crate::pack::recorder::Recorder;
use crate::pack::{KEPT, RECIPE};
use crate::remove::split_absolute;
use crate::stage::{Stage, write_file};
use crate::stream::Input;
use crate::stream::blob::Supply;
use crate::stream::pipeline::{Job, Stream, Sums, run};
use crate::tar::Reader;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// A layer as a request names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The blob's name in the source.
    pub member: String,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Its size.
    pub size: Option<u64>,
    /// The digest of the archive in it.
    pub diff_id: Option<Digest>,
    /// Where it goes.
    pub dest: String,
}

/// What is written to `layer.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What follows from the archive.
    #[serde(flatten)]
    pub body: Body,
    /// The digest of the blob.
    pub digest: String,
    /// The size of the blob.
    pub size: u64,
    /// The size of the archive.
    pub archive_size: u64,
    /// The form in which the layer is kept.
    pub snapshotter: Snapshotter,
    /// What lies beside `fs` so that the archive can be made again, with the sum of each: see [`crate::pack`].
    #[serde(default)]
    pub beside: BTreeMap<String, String>,
}

/// What follows from the archive of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// Its digest.
    pub diff_id: String,
    /// Entries, and directories without one.
    pub entries: u64,
    /// Bytes of data in files.
    pub bytes: u64,
    /// Directories without an entry; what they look like is up to the layers below.
    pub implied: Vec<Path>,
    /// Whether it hides all layers below it. Overlayfs does not look for that on the root.
    pub opaque_root: bool,
}

/// A path in JSON: text where it is text, else base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Path {
    /// UTF-8; the root is ".".
    Text(String),
    /// Any bytes.
    Bytes {
        /// RFC 4648, with padding.
        base64: String,
    },
}

/// A layer that is whole but not yet visible.
pub struct Unpacked {
    /// Its directory.
    pub stage: Stage,
    /// What it is.
    pub record: Record,
}

/// The form in which a layer is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Snapshotter {
    /// A directory of files, `fs`.
    #[default]
    Overlayfs,
    /// Its archive and an index: see `erofs`.
    Erofs,
}

/// How layers are unpacked.
pub struct How<'a> {
    /// How much each may ask for.
    pub limits: &'a Limits,
    /// Where they lie until they are whole, if not beside the place where they appear.
    pub staging: Option<&'a str>,
    /// Their form.
    pub snapshotter: Snapshotter,
}

impl How<'_> {
    /// Sees whether the kernel can do with layers of this form what they are for; `dest` is the place of one.
    pub fn probe(&self, dest: &str) -> Result<()> {
        match self.snapshotter {
            Snapshotter::Overlayfs => Ok(()),
            Snapshotter::Erofs => erofs::mount::probe(self.staging.unwrap_or(split_absolute(dest)?.0)),
        }
    }
}

/// Unpacks one layer. `stop` is set when another layer of the image has failed.
pub fn unpack(
    order: &Order,
    supply: Box<dyn Supply>,
    how: &How,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Unpacked> {
    let stage = Stage::new(&order.dest, how.staging)?;
    let (size, snapshotter) = (supply.size(), how.snapshotter);
    let (digest, diff_id) = (order.digest.as_ref(), order.diff_id.as_ref());
    let job = Job { digest, size: order.size, diff_id, keep: None, plain: false, limits: how.limits, progress, stop };
    let record = match snapshotter {
        Snapshotter::Overlayfs => {
            let ground = Disk::new(stage.directory("fs")?, Keeper::new(stage.dir())?);
            let (grown, recipe) = grow(&job, supply, ground, |tree, stream| {
                let mut recorder = Recorder::new(stream, stage.dir())?;
                apply_all(tree, &mut recorder)?;
                recorder.finish()
            })?;
            let Grown { ground, body, sums } = grown;
            let kept = ground.keeper.finish().map(|sum| (KEPT.to_owned(), sum));
            let beside = [(RECIPE.to_owned(), recipe.sum)].into_iter().chain(kept).collect();
            let digest = sums.digest.to_string();
            let record = Record { body, digest, size, archive_size: recipe.length, snapshotter, beside };
            fingerprint::write(stage.dir(), &record.json()?, &ground.contents)?;
            record
        }
        Snapshotter::Erofs => {
            let archive = stage.file(ARCHIVE)?;
            let job = Job { keep: Some(&archive), ..job };
            let (grown, ()) =
                grow(&job, supply, Index::new(stage.file(INDEX)?), |tree, stream| apply_all(tree, stream))?;
            let Grown { ground, body, sums } = grown;
            let archive_size = archive.metadata().doing(|| "Cannot look at the archive")?.len();
            erofs::write(&ground, archive_size, sums.diff_id.hex())?;
            let (digest, beside) = (sums.digest.to_string(), BTreeMap::new());
            let record = Record { body, digest, size, archive_size, snapshotter, beside };
            write_file(stage.dir(), fingerprint::RECORD, &record.json()?)?;
            record
        }
    };
    Ok(Unpacked { stage, record })
}

/// A layer on its ground.
pub struct Grown<G> {
    /// Where its files are.
    pub ground: G,
    /// What it amounts to.
    pub body: Body,
    /// What its bytes turned out to be.
    pub sums: Sums,
}

/// Reads the archive to its end; `read` does what its entries say.
pub fn grow<G: Ground, T>(
    job: &Job,
    supply: Box<dyn Supply>,
    ground: G,
    read: impl FnOnce(&mut Tree<G>, &mut Stream) -> Result<T>,
) -> Result<(Grown<G>, T)> {
    let mut tree = Tree::new(ground, job.limits);
    let ((counts, more), sums) = run(job, supply, |stream| {
        let more = read(&mut tree, stream)?;
        Ok((tree.finish()?, more))
    })?;
    let body = Body {
        diff_id: sums.diff_id.to_string(),
        entries: counts.entries,
        bytes: counts.bytes,
        implied: tree.dirs.implied().map(Path::of).collect(),
        opaque_root: counts.opaque_root,
    };
    Ok((Grown { ground: tree.ground, body, sums }, more))
}

/// Does what all entries say.
pub fn apply_all<G: Ground>(tree: &mut Tree<G>, stream: impl Input) -> Result<()> {
    let mut reader = Reader::new(stream);
    while let Some(entry) = reader.next_entry()? {
        let applied = tree.apply(&entry, &mut reader);
        applied.map_err(|error| error.within(format!("entry '{}'", show(&entry.path))))?;
    }
    Ok(())
}

impl Record {
    /// What is in `layer.json`.
    pub fn json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::io(format!("Cannot write layer.json: {error}")))
    }
}

impl Path {
    /// The form for JSON.
    pub fn of(path: &[u8]) -> Self {
        use base64::Engine as _;
        match std::str::from_utf8(path) {
            Ok("") => Self::Text(".".to_owned()),
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes { base64: base64::engine::general_purpose::STANDARD.encode(path) },
        }
    }

    /// The clean path.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        use base64::Engine as _;
        let bytes = match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes { base64 } => base64::engine::general_purpose::STANDARD
                .decode(base64)
                .map_err(|_| Error::format("a path in layer.json is not base64"))?,
        };
        crate::name::clean(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_goes_through_json_and_back() {
        for path in [&b""[..], b"a/b", b"a\xff/b", "é".as_bytes()] {
            let json = serde_json::to_string(&Path::of(path)).unwrap();
            let back: Path = serde_json::from_str(&json).unwrap();
            assert_eq!(back.bytes().unwrap(), path, "{json}");
        }
    }
}
