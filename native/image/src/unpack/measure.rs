//! The request `measure`: how much room layers take, for whoever has found that there is too little.

use crate::error::{Context, Result};
use crate::limits::Limits;
use crate::source::Opened;
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
    let (limits, stop) = (Limits::default(), AtomicBool::new(false));
    let block = room.f_frsize.max(1);
    for member in members {
        let extent = source.member(member)?;
        let progress = |_| ();
        let job = Job {
            digest: None,
            size: None,
            diff_id: None,
            keep: None,
            plain: false,
            limits: &limits,
            progress: &progress,
            stop: &stop,
        };
        let mut own = (0, 0);
        let (length, _) = stream(&job, Box::new(extent), |bytes| {
            let mut reader = Reader::new(bytes);
            while let Some(entry) = reader.next_entry()? {
                own.0 += match entry.kind {
                    Kind::File => entry.size.div_ceil(block) * block,
                    Kind::Directory => block,
                    _ => 0,
                };
                own.1 += u64::from(entry.kind != Kind::HardLink);
            }
            Ok(reader.position())
        })?;
        let (bytes, files) = match snapshotter {
            Snapshotter::Overlayfs => own,
            Snapshotter::Erofs => (length, FILES_OF_INDEX),
        };
        answer.bytes += bytes;
        answer.files += files;
    }
    Ok(answer)
}
