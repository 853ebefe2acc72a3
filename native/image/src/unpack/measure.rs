//! The request `measure`: how much room layers take, for whoever has found that there is too little.

use crate::error::{Context, Result};
use crate::limits::Limits;
use crate::source::Opened;
use crate::stream::blob::Supply;
use crate::stream::pipeline::{Job, run as stream};
use crate::tar::{Kind, Reader};
use crate::unpack::layer::Snapshotter;
use rustix::fs::statvfs;
use serde::Serialize;
use std::sync::atomic::AtomicBool;

/// The answer.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Bytes of the disk that the layers take, by and large.
    bytes: u64,
    /// Files in them.
    files: u64,
    /// Bytes that are free.
    free: u64,
    /// Files that there may be more; nothing where the file system has no such number.
    free_files: Option<u64>,
}

/// An archive, its index, the record, and the directory that they are in.
const FILES_OF_INDEX: u64 = 4;

/// Reads the layers called `members` to their ends; `path` is where they are to lie.
pub fn run(source: &Opened, members: &[String], path: &str, snapshotter: Snapshotter) -> Result<Answer> {
    let room = statvfs(path).doing(|| format!("Cannot look at the file system of {path}"))?;
    let free_files = (room.f_files > 0).then_some(room.f_favail);
    let mut answer = Answer { free: room.f_bavail * room.f_frsize, free_files, ..Answer::default() };
    let block = room.f_frsize.max(1);
    for member in members {
        let supply = Box::new(source.member(member)?);
        let (bytes, files) = weigh(supply, block, snapshotter, &AtomicBool::new(false))?;
        answer.bytes += bytes;
        answer.files += files;
    }
    Ok(answer)
}

/// Bytes of the disk that the layer takes, by and large, and files in it.
pub fn weigh(supply: Box<dyn Supply>, block: u64, snapshotter: Snapshotter, stop: &AtomicBool) -> Result<(u64, u64)> {
    let (limits, progress) = (Limits::default(), |_| ());
    let job = Job {
        digest: None,
        size: None,
        diff_id: None,
        keep: None,
        plain: false,
        limits: &limits,
        progress: &progress,
        stop,
    };
    let (mut bytes, mut files) = (0, 0);
    let (length, _) = stream(&job, supply, |stream| {
        let mut reader = Reader::new(stream);
        while let Some(entry) = reader.next_entry()? {
            bytes += match entry.kind {
                Kind::File => entry.size.div_ceil(block) * block,
                Kind::Directory => block,
                _ => 0,
            };
            files += u64::from(entry.kind != Kind::HardLink);
        }
        Ok(reader.position())
    })?;
    Ok(match snapshotter {
        Snapshotter::Overlayfs => (bytes, files),
        Snapshotter::Erofs => (length, FILES_OF_INDEX),
    })
}
