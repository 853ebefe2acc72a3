//! A layer's blob through its decompressor to whoever applies it: one thread reads, hashes and inflates, one
//! hashes what comes out, and the caller's own makes the files. Memory is bounded by the channels.

use super::Input;
use super::blob::{Blob, Supply};
use super::chunk::{Chunk, Pool};
use super::decode::Decoder;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Context, Error, Kind, Result};
use crate::limits::Limits;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};

/// Chunks on their way between two threads.
const DEPTH: usize = 4;

/// What is to be read, and what it must turn out to be.
pub struct Job<'a> {
    /// Its digest.
    pub digest: Option<&'a Digest>,
    /// Its size.
    pub size: Option<u64>,
    /// The digest of the archive in it.
    pub diff_id: Option<&'a Digest>,
    /// Gets all that comes out.
    pub keep: Option<&'a File>,
    /// It is the archive itself, whatever its first bytes look like.
    pub plain: bool,
    /// How much may come out.
    pub limits: &'a Limits,
    /// Told how many bytes of the blob have been read.
    pub progress: &'a (dyn Fn(u64) + Sync),
    /// Set when there is no use in going on.
    pub stop: &'a AtomicBool,
}

/// What it turned out to be.
pub struct Sums {
    /// Digest of the blob.
    pub digest: Digest,
    /// Digest of the whole decompressed stream, with what follows the end of the archive.
    pub diff_id: Digest,
}

/// Runs `apply` on the decompressed stream, reads what it leaves, and checks both digests.
pub fn run<T>(
    job: &Job,
    supply: Box<dyn Supply>,
    apply: impl FnOnce(&mut Stream<'_>) -> Result<T>,
) -> Result<(T, Sums)> {
    if let Some(size) = job.size.filter(|&size| size != supply.size()) {
        let message = format!("the size is {}, must be {size}", supply.size());
        return Err(Error::new(Kind::Digest, message));
    }
    let algorithm = |digest: Option<&Digest>| digest.map_or(Algorithm::Sha256, |digest| digest.algorithm);
    let blob_algorithm = algorithm(job.digest);
    let blob = Blob::new(supply, Some(blob_algorithm));
    let decoder = if job.plain { Decoder::Plain(blob) } else { Decoder::new(blob)? };
    let diff_algorithm = algorithm(job.diff_id);
    // An archive that is not compressed is its own blob: one hash serves for both.
    let one_hash = matches!(decoder, Decoder::Plain(_)) && diff_algorithm == blob_algorithm;
    scope(|scope| {
        let (sender, receiver) = sync_channel(DEPTH);
        let (hash, hasher) = if one_hash {
            (None, None)
        } else {
            let (hash, chunks) = sync_channel(DEPTH);
            (Some(hash), Some(spawn(scope, "hash", move || hash_all(diff_algorithm, &chunks))?))
        };
        let producer = spawn(scope, "inflate", move || produce(job, decoder, &sender, hash.as_ref()))?;
        let mut stream = Stream { receiver, keep: job.keep, current: None, taken: 0 };
        let applied = apply(&mut stream).and_then(|value| stream.drain().map(|()| value));
        drop(stream);
        let blob_digest = joined(producer)?;
        let diff_digest = hasher.map(joined).transpose()?;
        // A digest that is wrong explains every other failure.
        if let (Some(wanted), Some(found)) = (job.digest, &blob_digest) {
            wanted.check(found, "the digest")?;
        }
        let value = applied?;
        let digest = blob_digest.ok_or_else(|| Error::io("the blob was not read to its end"))?;
        let diff_id = diff_digest.unwrap_or_else(|| digest.clone());
        if let Some(wanted) = job.diff_id {
            wanted.check(&diff_id, "the diff id")?;
        }
        Ok((value, Sums { digest, diff_id }))
    })
}

/// The decompressed stream, as the caller of [`run`] reads it.
pub struct Stream<'a> {
    receiver: Receiver<Result<Arc<Chunk>>>,
    keep: Option<&'a File>,
    current: Option<Arc<Chunk>>,
    taken: usize,
}

impl Stream<'_> {
    fn drain(&mut self) -> Result<()> {
        loop {
            let count = self.fill()?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }
}

impl Input for Stream<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        let used_up = self.current.as_ref().is_none_or(|chunk| self.taken >= chunk.bytes().len());
        if used_up {
            // Given back before waiting: the sender may be in need of it.
            self.current = None;
            self.taken = 0;
            self.current = self.receiver.recv().ok().transpose()?;
            if let (Some(mut file), Some(chunk)) = (self.keep, &self.current) {
                file.write_all(chunk.bytes()).doing(|| "Cannot write the archive")?;
            }
        }
        Ok(self.current.as_ref().and_then(|chunk| chunk.bytes().get(self.taken..)).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
    }
}

/// Reads the blob to its end and returns its digest; nothing when nobody listens any more.
fn produce(
    job: &Job,
    mut decoder: Decoder,
    out: &SyncSender<Result<Arc<Chunk>>>,
    hash: Option<&SyncSender<Arc<Chunk>>>,
) -> Option<Digest> {
    let pool = Arc::new(Pool::default());
    let mut total = 0;
    let failure = loop {
        let filled = pool.chunk(|room| decoder.read_full(room));
        let position = decoder.blob().position();
        (job.progress)(position);
        if job.stop.load(Ordering::Relaxed) {
            return None;
        }
        let chunk = match filled {
            Ok(chunk) if chunk.bytes().is_empty() => break None,
            Ok(chunk) => Arc::new(chunk),
            Err(error) => break Some(error),
        };
        total += chunk.bytes().len() as u64;
        if let Err(error) = job.limits.check_growth(position, total) {
            break Some(error);
        }
        if let Some(hash) = hash {
            hash.send(Arc::clone(&chunk)).ok()?;
        }
        out.send(Ok(chunk)).ok()?;
    };
    // Nobody listens when the receiver has found a fault of its own; then that one is told.
    if let Some(error) = failure {
        let _ = out.send(Err(error));
    }
    decoder.blob().finish().unwrap_or_else(|error| {
        let _ = out.send(Err(error));
        None
    })
}

fn hash_all(algorithm: Algorithm, chunks: &Receiver<Arc<Chunk>>) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    for chunk in chunks {
        hasher.update(chunk.bytes());
    }
    hasher.finish()
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, work).doing(|| "Cannot start a thread")
}

fn joined<T>(thread: ScopedJoinHandle<T>) -> Result<T> {
    thread.join().map_err(|_| Error::io("a thread ended early"))
}
