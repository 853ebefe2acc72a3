//! One layer: from its blob to a directory that waits to be published.

use super::tree::Tree;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fingerprint;
use crate::limits::Limits;
use crate::name::show;
use crate::pack::kept::Keeper;
use crate::pack::recorder::Recorder;
use crate::pack::{KEPT, RECIPE};
use crate::stage::Stage;
use crate::stream::Input;
use crate::stream::blob::Supply;
use crate::stream::pipeline::{Job, run};
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

/// What is written to `layer.json` beside the tree `fs`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The digest of the archive.
    pub diff_id: String,
    /// Entries, and directories without one.
    pub entries: u64,
    /// Bytes of data in files.
    pub bytes: u64,
    /// Directories without an entry; what they look like is up to the layers below.
    pub implied: Vec<Path>,
    /// Whether it hides all layers below it. Overlayfs does not look for that on the root.
    pub opaque_root: bool,
    /// The digest of the blob.
    pub digest: String,
    /// The size of the blob.
    pub size: u64,
    /// The size of the archive.
    pub archive_size: u64,
    /// What lies beside `fs` so that the archive can be made again, with the BLAKE3 of each: see [`crate::pack`].
    pub beside: BTreeMap<&'static str, String>,
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

/// Unpacks one layer. `stop` is set when another layer of the image has failed.
pub fn unpack(
    order: &Order,
    supply: Box<dyn Supply>,
    (limits, staging): (&Limits, Option<&str>),
    stop: &AtomicBool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Unpacked> {
    let stage = Stage::new(&order.dest, staging)?;
    let mut tree = Tree::new(stage.directory("fs")?, Keeper::new(stage.dir())?, limits);
    let size = supply.size();
    let (digest, diff_id) = (order.digest.as_ref(), order.diff_id.as_ref());
    let job = Job { digest, size: order.size, diff_id, limits, progress, stop };
    let ((counts, recipe), sums) = run(&job, supply, |stream| {
        let mut recorder = Recorder::new(stream, stage.dir())?;
        apply_all(&mut tree, &mut recorder)?;
        let recipe = recorder.finish()?;
        Ok((tree.finish()?, recipe))
    })?;
    let kept = tree.keeper.finish().map(|sum| (KEPT, sum));
    let record = Record {
        diff_id: sums.diff_id.to_string(),
        entries: counts.entries,
        bytes: counts.bytes,
        implied: tree.dirs.implied().map(Path::of).collect(),
        opaque_root: counts.opaque_root,
        digest: sums.digest.to_string(),
        size,
        archive_size: recipe.length,
        beside: [(RECIPE, recipe.sum)].into_iter().chain(kept).collect(),
    };
    let json = serde_json::to_vec(&record).map_err(|error| Error::io(format!("Cannot write layer.json: {error}")))?;
    fingerprint::write(stage.dir(), &json, &tree.contents)?;
    Ok(Unpacked { stage, record })
}

fn apply_all(tree: &mut Tree, stream: impl Input) -> Result<()> {
    let mut reader = Reader::new(stream);
    while let Some(entry) = reader.next_entry()? {
        let applied = tree.apply(&entry, &mut reader);
        applied.map_err(|error| error.within(format!("entry '{}'", show(&entry.path))))?;
    }
    Ok(())
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
