//! The request `weigh`: how much room the layers of a pull take, for whoever has found that there is too little. A registry
//! says only how large they are compressed, so they are read to their ends, what has come already out of the spools.

use super::client::Client;
use super::download::{Download, Session};
use super::location;
use super::pull::Order;
use super::spool::Spool;
use crate::error::{Context, Result};
use crate::protocol::Reporter;
use crate::unpack::measure::weigh;
use rustix::fs::{AtFlags, CWD, statat, statvfs};
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The answer.
#[derive(Default, Serialize)]
pub struct Answer {
    /// Bytes of the disk that the layers take, by and large, with their blobs, which are there until all is unpacked.
    bytes: u64,
    /// Files in them.
    files: u64,
    /// Bytes of blobs that are on the disk already.
    spooled: u64,
}

/// Reads what the same order could not unpack. Nothing is written.
pub fn run(client: Arc<Client>, order: Order, reporter: &Reporter) -> Result<Answer> {
    let Order { authorization, renewal, layers, snapshotter, .. } = order;
    let session = Arc::new(Session::new(client, authorization, renewal));
    let mut answer = Answer::default();
    for (number, layer) in layers.iter().enumerate() {
        let is_there = statat(CWD, &layer.dest, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        // Who has it locked brings it, and needs the room.
        let Some(spool) = Spool::lock(&layer.spool)?.filter(|_| !is_there) else { continue };
        answer.spooled += spool.length();
        let folder = Path::new(&layer.spool).parent().unwrap_or(Path::new("/"));
        let block = statvfs(folder).doing(|| format!("Cannot look at {}", folder.display()))?.f_frsize.max(1);
        let uri = location::parse(&layer.url)?;
        let told = reporter.noting(number, "retry");
        let download = Download::new(Arc::clone(&session), uri, layer.size, Arc::new(Mutex::new(spool)), told);
        let (bytes, files) = weigh(Box::new(download.forgetful()), block, snapshotter, &session.stop)?;
        answer.bytes += bytes + layer.size.div_ceil(block) * block;
        answer.files += files;
    }
    Ok(answer)
}
