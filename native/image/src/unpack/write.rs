//! The data of a file.

use crate::error::{Context, Error, Result};
use crate::fingerprint::Content;
use crate::fingerprint::entry::Kind;
use crate::fingerprint::sum::Summing;
use crate::fingerprint::walk::hash_sparse;
use crate::limits::Limits;
use crate::stream::Input;
use crate::tar::{Entry, Reader, Sparse};
use rustix::fs::ftruncate;
use rustix::io::{Errno, pwrite, write};
use std::os::fd::{AsFd, OwnedFd};

/// Writes the data of `entry` into the new file, which is at `path`; returns what is to be known of them.
pub fn data<I: Input>(
    (file, path): (&OwnedFd, &[u8]),
    entry: &Entry,
    data: &mut Reader<I>,
    limits: &Limits,
) -> Result<Content> {
    if let Some(sparse) = &entry.sparse {
        // These data are in the recipe itself: there are few such files, and where their holes are is not kept elsewhere.
        pieces(file, sparse, data, limits)?;
        let sum = hash_sparse(file.as_fd(), sparse.size).doing(|| "Cannot read what was written")?;
        return Ok(Content { kind: Kind::Sparse, sum, number: None });
    }
    let number = data.refer(path);
    let mut summing = Summing::default();
    loop {
        let bytes = data.body()?;
        if bytes.is_empty() {
            return Ok(Content { kind: Kind::File, sum: summing.sum(), number });
        }
        let count = retried(|| write(file, bytes)).doing(|| "Cannot write")?;
        summing.add(bytes.get(..count).unwrap_or_default());
        data.consume(count);
    }
}

/// What lies between the pieces stays a hole.
fn pieces<I: Input>(file: &OwnedFd, sparse: &Sparse, data: &mut Reader<I>, limits: &Limits) -> Result<()> {
    if sparse.size > limits.bytes {
        return Err(Error::limit(format!("the file has a size of {} bytes", sparse.size)));
    }
    for &(offset, length) in &sparse.map {
        let end = offset + length;
        let mut at = offset;
        while at < end {
            let bytes = data.body()?;
            let most = usize::try_from(end - at).unwrap_or(usize::MAX);
            let bytes = bytes.get(..most).unwrap_or(bytes);
            let count = retried(|| pwrite(file, bytes, at)).doing(|| "Cannot write")?;
            data.consume(count);
            at += count as u64;
        }
    }
    ftruncate(file, sparse.size).doing(|| "Cannot set the size")
}

/// A disk that takes nothing without saying why would be asked for ever.
fn retried(mut write: impl FnMut() -> rustix::io::Result<usize>) -> rustix::io::Result<usize> {
    loop {
        match write() {
            Err(Errno::INTR) => {}
            Ok(0) => return Err(Errno::IO),
            written => return written,
        }
    }
}
