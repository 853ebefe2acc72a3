//! The request `pack`: stored layers as blobs in files, side by side.

use super::compress::{Compression, Packed, Sums};
use crate::error::{Context, Error, Result};
use crate::protocol::Reporter;
use rustix::fs::{Mode, OFlags, open};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};

/// A layer, and the file that it is written to, which must not be there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The directory of the layer.
    pub layer: String,
    /// How it is compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Where to.
    pub file: String,
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
}

/// Packs all layers, or gives the first error; what was written then is for the caller to remove.
pub fn run(orders: &[Order], threads: usize, reporter: &Reporter) -> Result<Answer> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Sums>)>> = Mutex::default();
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(order) = orders.get(number) else { return };
            let packed = pack(order, |bytes, total| reporter.progress(number, bytes, total));
            if packed.is_err() {
                next.store(orders.len(), Ordering::Relaxed);
            }
            if let Ok(mut done) = done.lock() {
                done.push((number, packed));
            }
        }
    };
    scope(|scope| {
        for _ in 1..threads.clamp(1, orders.len().max(1)) {
            Builder::new().spawn_scoped(scope, work).doing(|| "Cannot start a thread")?;
        }
        work();
        Ok(())
    })?;
    let mut done = done.into_inner().map_err(|_| Error::io("a thread ended early"))?;
    done.sort_by_key(|(number, _)| *number);
    let told = |sums: Sums| Told { digest: sums.digest.to_string(), size: sums.size };
    let layers = done.into_iter().map(|(_, sums)| sums.map(told)).collect::<Result<_>>()?;
    Ok(Answer { layers })
}

fn pack(order: &Order, progress: impl Fn(u64, u64)) -> Result<Sums> {
    let Order { layer, compression, file: path } = order;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path.as_str(), flags, Mode::RUSR | Mode::WUSR).doing(|| format!("Cannot create {path}"))?;
    let mut packed = Packed::open(layer, *compression)?;
    copy(&mut packed, &mut File::from(file), |packed| progress(packed.position(), packed.total()))
        .map_err(|error| error.within(format!("Cannot write {path}")))?;
    Ok(packed.finish())
}

/// Copies all of a layer.
pub fn copy<R: Read>(packed: &mut Packed<R>, to: &mut impl io::Write, told: impl Fn(&mut Packed<R>)) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = packed.read(&mut buffer).map_err(|error| Error::io(error.to_string()))?;
        told(packed);
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        to.write_all(bytes).map_err(|error| Error::system(&error, "Cannot write"))?;
    }
}
