//! The request `push`: blobs into a repository, side by side.

use super::client::Client;
use super::download::{Renewal, Session};
use super::origin::{Origin, Reading, Ready};
use super::together::do_all;
use super::upload::{Begun, Repository, Sending};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::pack::compress::{Packed, Sums};
use crate::protocol::Reporter;
use crate::source::Library;
use crate::stream::blob::Supply;
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// "https://HOST/v2/NAME/".
    pub base: String,
    /// What is shown there.
    pub authorization: Option<String>,
    /// What to ask when that has expired.
    pub renewal: Option<Renewal>,
    /// Blobs at a time.
    pub threads: usize,
    /// Which.
    pub blobs: Vec<Blob>,
}

/// A blob as a request names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blob {
    /// What will do, the best first.
    pub known: Vec<Known>,
    /// Where the bytes of the last of these are, if they are to be had.
    pub from: Option<Origin>,
}

/// Bytes that are known by their digest.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Known {
    digest: Digest,
    size: u64,
    /// Repositories of the registry that may have it.
    #[serde(default)]
    mounts: Vec<String>,
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    blobs: Vec<Outcome>,
}

/// What has become of a blob.
#[derive(Clone, Serialize)]
struct Outcome {
    digest: String,
    size: u64,
    /// "exists", "mounted" or "sent".
    how: &'static str,
}

/// Makes all blobs be there.
pub fn run(client: Arc<Client>, order: Order, library: &mut Library, reporter: &Reporter) -> Result<Answer> {
    let Order { base, authorization, renewal, threads, blobs } = order;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (number, Blob { known, from }) in blobs.into_iter().enumerate() {
        let from = from.map(|from| from.ready(library, &stop)).transpose()?;
        tasks.push((number, Task { number, known, from }));
    }
    // The largest is started first, so that it is not the one that everybody waits for at the end.
    tasks.sort_by_key(|(_, task)| task.known.last().map_or(u64::MAX, |known| known.size));
    let authorization = Mutex::new((authorization, 0));
    let session = Arc::new(Session { client, authorization, renewal, stop: Arc::clone(&stop) });
    let push = Push { repository: Repository { session, base }, reporter };
    let blobs = do_all(threads, tasks, &stop, |_, task| push.take(&task))?;
    Ok(Answer { blobs })
}

struct Task {
    number: usize,
    known: Vec<Known>,
    from: Option<Ready>,
}

struct Push<'a> {
    repository: Repository,
    reporter: &'a Reporter,
}

impl Push<'_> {
    fn take(&self, task: &Task) -> Result<Outcome> {
        let mut begun = None;
        for known in &task.known {
            if let Some(outcome) = self.find(task.number, known, &mut begun)? {
                return Ok(outcome);
            }
        }
        let Some(from) = &task.from else {
            return Err(Error::new(Kind::NotFound, "a blob is neither there nor here"));
        };
        if let Ready::Layer(..) = from {
            self.reporter.note(task.number, "packing", "");
            let told = |packed: &mut Packed| {
                let (bytes, total) = (packed.position(), packed.total());
                self.reporter.progress(task.number, bytes, total);
            };
            let (Sums { digest, size }, mut extent) = from.pack(told)?;
            let known = Known { digest, size, mounts: Vec::new() };
            return match self.find(task.number, &known, &mut begun)? {
                Some(outcome) => Ok(outcome),
                None => self.send(task.number, &known, &mut extent, begun),
            };
        }
        let known = task.known.last().ok_or_else(|| Error::format("a blob has no digest"))?;
        let about = format!("Cannot push {}", known.digest);
        let told = self.reporter.noting(task.number, "retry");
        let mut supply =
            from.open(known.size, &known.digest, Reading::Again, told).map_err(|error| error.within(about))?;
        self.send(task.number, known, &mut *supply, begun)
    }

    /// Whether the blob is there, or can be taken over from another repository.
    fn find(&self, number: usize, known: &Known, begun: &mut Option<Begun>) -> Result<Option<Outcome>> {
        if self.repository.has(&known.digest)? {
            return Ok(Some(self.told(number, known, "exists")));
        }
        for from in &known.mounts {
            if begun.is_some() {
                break;
            }
            match self.repository.mount(&known.digest, from)? {
                Ok(()) => return Ok(Some(self.told(number, known, "mounted"))),
                Err(upload) => *begun = upload,
            }
        }
        Ok(None)
    }

    fn told(&self, number: usize, known: &Known, how: &'static str) -> Outcome {
        self.reporter.note(number, how, &known.digest.to_string());
        outcome(known, how)
    }

    fn send(&self, number: usize, known: &Known, supply: &mut dyn Supply, begun: Option<Begun>) -> Result<Outcome> {
        let Known { digest, size, .. } = known;
        self.reporter.note(number, "sending", &digest.to_string());
        let told = self.reporter.noting(number, "retry");
        let moved = |bytes| self.reporter.progress(number, bytes, *size);
        let sending = Sending { digest, size: *size, moved: &moved, told: &*told };
        let sent = self.repository.send(supply, begun, &sending);
        sent.map_err(|error| error.within(format!("Cannot push {digest}")))?;
        Ok(outcome(known, "sent"))
    }
}

fn outcome(known: &Known, how: &'static str) -> Outcome {
    Outcome { digest: known.digest.to_string(), size: known.size, how }
}
