//! The request `convert`: layers of an archive of docker's as blobs, which have a digest and a size that a manifest can name.
//! They are kept in files without a name, for the requests that follow.

use crate::digest::{Algorithm, Digest};
use crate::error::{Context, Result};
use crate::net::together::do_all;
use crate::pack::compress::{Compression, Packed, Sums};
use crate::pack::request::copy;
use crate::protocol::Reporter;
use crate::source::{Library, Opened, Source, archive};
use crate::stream::blob::{Blob, Extent};
use crate::stream::checked::Checked;
use crate::stream::decode::Compression as Is;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, sink};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The archive.
    source: Source,
    /// A directory for what is made.
    scratch: String,
    /// How layers are compressed that are not; with "none" those that are are decompressed.
    compression: Compression,
    /// Layers at a time.
    threads: usize,
    /// Which.
    layers: Vec<Layer>,
}

/// A layer of the archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Layer {
    member: String,
    /// What it must be when it is not compressed.
    diff_id: Digest,
}

/// The answer, in the order of the request.
#[derive(Serialize)]
pub struct Answer {
    layers: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    digest: String,
    size: u64,
    compression: Compression,
}

struct Made {
    sums: Sums,
    bytes: Extent,
    compression: Compression,
}

/// Makes all blobs.
pub fn run(order: Order, library: &mut Library, reporter: &Reporter) -> Result<Answer> {
    let Order { source, scratch, compression, threads, layers } = order;
    let opened = library.open(&source, Some(&scratch))?;
    let mut tasks = layers.into_iter().enumerate().collect::<Vec<_>>();
    // The first is taken last.
    tasks.reverse();
    let made = do_all(threads, tasks, &AtomicBool::new(false), |number, layer| {
        let told = |bytes, total| reporter.progress(number, bytes, total);
        make(&opened, &layer, compression, &scratch, told)
            .map_err(|error| error.within(format!("Cannot read layer {}", layer.diff_id)))
    })?;
    let mut told = Vec::new();
    for Made { sums: Sums { digest, size }, bytes, compression } in made {
        told.push(Told { digest: digest.to_string(), size, compression });
        library.keep(&digest, bytes);
    }
    Ok(Answer { layers: told })
}

/// A layer that already is in a form that will do is not copied.
fn make(opened: &Opened, layer: &Layer, wanted: Compression, scratch: &str, told: impl Fn(u64, u64)) -> Result<Made> {
    let bytes = opened.member(&layer.member)?;
    let total = bytes.size;
    let is = compression_of(&bytes)?;
    let told = |packed: &mut Packed<Checked>| told(packed.archive().taken(), total);
    let layer = |digest| Checked::inflated(Box::new(bytes.clone()), digest, layer.diff_id.clone());
    if (is == Compression::None) != (wanted == Compression::None) {
        let mut packed = Packed::new(layer(None)?, wanted)?;
        let mut file = archive::unnamed(scratch)?;
        copy(&mut packed, &mut file, told)?;
        let sums = packed.finish();
        let bytes = Extent { file: Arc::new(file), offset: 0, size: sums.size };
        return Ok(Made { sums, bytes, compression: wanted });
    }
    // What is compressed has two digests.
    let outside = if is == Compression::None { None } else { sum(&bytes)? };
    let mut packed = Packed::new(layer(outside.clone())?, Compression::None)?;
    copy(&mut packed, &mut sink(), told)?;
    let digest = outside.unwrap_or_else(|| packed.finish().digest);
    Ok(Made { sums: Sums { digest, size: total }, bytes, compression: is })
}

fn compression_of(bytes: &Extent) -> Result<Compression> {
    let mut blob = Blob::new(Box::new(bytes.clone()), None);
    let start = blob.fill_buf().doing(|| "Cannot read its start")?;
    Ok(match Is::of(start)? {
        Is::None => Compression::None,
        Is::Gzip => Compression::Gzip,
        Is::Zstd => Compression::Zstd,
    })
}

fn sum(bytes: &Extent) -> Result<Option<Digest>> {
    Blob::new(Box::new(bytes.clone()), Some(Algorithm::Sha256)).finish()
}
