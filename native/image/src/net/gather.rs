//! The request `gather`: blobs into files, side by side; a file appears when all of its bytes are what they must be.

use super::origin::{Origin, Reading, Ready};
use super::together::do_all;
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::protocol::Reporter;
use crate::remove::split_absolute;
use crate::source::Library;
use crate::stream::checked::Checked;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fsync, open, renameat, statat, unlinkat};
use serde::Deserialize;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Blobs at a time.
    pub threads: usize,
    /// Which.
    pub blobs: Vec<Blob>,
}

/// A blob as a request names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blob {
    digest: Digest,
    size: u64,
    from: Origin,
    /// The file; one that is there with this size is left as it is.
    dest: String,
}

/// Makes all files be there.
pub fn run(order: Order, library: &mut Library, reporter: &Reporter) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (number, Blob { digest, size, from, dest }) in order.blobs.into_iter().enumerate() {
        tasks.push((number, (digest, size, from.ready(library, &stop)?, dest)));
    }
    tasks.sort_by_key(|(_, (_, size, ..))| *size);
    do_all(order.threads, tasks, &stop, |number, (digest, size, from, dest)| {
        if statat(CWD, &dest, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|is| u64::try_from(is.st_size) == Ok(size)) {
            reporter.note(number, "exists", &digest.to_string());
            return Ok(());
        }
        reporter.note(number, "sending", &digest.to_string());
        write(number, (&digest, size), &from, &dest, reporter)
            .map_err(|error| error.within(format!("Cannot copy {digest}")))
    })?;
    Ok(())
}

fn write(number: usize, (digest, size): (&Digest, u64), from: &Ready, dest: &str, reporter: &Reporter) -> Result<()> {
    let (folder, name) = split_absolute(dest)?;
    let temporary = format!("{folder}/.{name}.{}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(&temporary, flags, Mode::from_raw_mode(0o644)).doing(|| format!("Cannot create {temporary}"))?;
    let written = fill(number, (digest, size), from, File::from(file), reporter);
    let renamed = written
        .and_then(|()| renameat(CWD, &temporary, CWD, dest).doing(|| format!("Cannot rename {temporary} to {dest}")));
    if renamed.is_err() {
        let _ = unlinkat(CWD, &temporary, AtFlags::empty());
    }
    renamed
}

fn fill(
    number: usize,
    (digest, size): (&Digest, u64),
    from: &Ready,
    mut file: File,
    reporter: &Reporter,
) -> Result<()> {
    let supply = from.open(size, digest, Reading::Once, reporter.noting(number, "retry"))?;
    let mut bytes = Checked::whole(supply, digest.clone());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        // What has come to its end is right.
        let count = bytes.read(&mut buffer).map_err(|error| Error::io(error.to_string()))?;
        reporter.progress(number, bytes.taken(), size);
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else { break };
        file.write_all(piece).doing(|| "Cannot write it")?;
    }
    fsync(&file).doing(|| "Cannot write it to the disk")
}
