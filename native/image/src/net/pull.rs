//! The request `pull`: the layers of an image from a registry, side by side, each unpacked while it arrives.

use super::client::Client;
use super::download::{Download, Renewal, Session};
use super::location;
use super::lock::Lock;
use super::spool::Spool;
use crate::digest::Digest;
use crate::error::{Context, Error, Kind, Result};
use crate::limits::Limits;
use crate::protocol::Reporter;
use crate::stage;
use crate::unpack::layer::{self, How, Snapshotter, Unpacked};
use rustix::fs::{AtFlags, CWD, statat};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, scope, sleep};
use std::time::Duration;

/// How often those that somebody else fetches are looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// For blobs.
    pub authorization: Option<String>,
    /// What to ask when that has expired.
    pub renewal: Option<Renewal>,
    /// Layers at a time.
    pub threads: usize,
    /// Which, and where to.
    pub layers: Vec<Layer>,
    /// A directory for layers in the making.
    pub staging: Option<String>,
    /// How much each may ask for.
    #[serde(default)]
    pub limits: Limits,
    /// In which form they are kept.
    #[serde(default)]
    pub snapshotter: Snapshotter,
}

/// A layer as a request names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Layer {
    /// Where the blob is.
    pub url: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// The digest of the archive in it.
    pub diff_id: Digest,
    /// Where the layer goes.
    pub dest: String,
    /// Where the blob's bytes are kept until then.
    pub spool: String,
    /// What whoever unpacks the layer has locked, also from an archive.
    pub lock: String,
}

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    layers: Vec<Outcome>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    /// It was there, or somebody else was quicker.
    existed: bool,
    /// Bytes that were there from an earlier attempt.
    resumed: u64,
}

/// Makes all layers appear. What failed leaves its spool where trying again makes sense, and nothing otherwise.
pub fn run(client: Arc<Client>, order: Order, reporter: &Reporter) -> Result<Answer> {
    let Order { authorization, renewal, threads, layers, staging, limits, snapshotter } = order;
    let session = Session::new(client, authorization, renewal);
    let mut outcomes = vec![None; layers.len()];
    let mut left: Vec<(usize, &Layer)> = layers.iter().enumerate().collect();
    // The largest is started first, so that it is not the one that everybody waits for at the end.
    left.sort_by_key(|(_, layer)| layer.size);
    let how = How { limits: &limits, staging: staging.as_deref(), snapshotter };
    how.probe(layers.first().map_or("/", |layer| &layer.dest))?;
    let session = Arc::new(session);
    let mut round =
        Round { session, how, reporter, left: Mutex::new(left), done: Mutex::default(), waited: Mutex::default() };
    loop {
        round.work_all(threads)?;
        let done = std::mem::take(&mut *locked(&round.done)?);
        if let Some(error) = done.failure {
            return Err(error);
        }
        for (number, outcome) in publish(done.finished)?.into_iter().chain(done.there) {
            if let Some(slot) = outcomes.get_mut(number) {
                *slot = Some(outcome);
            }
        }
        if done.busy.is_empty() {
            break;
        }
        // Not before all of ours are published and unlocked: who has theirs may be waiting for ours.
        sleep(PAUSE);
        round.left = Mutex::new(done.busy);
    }
    Ok(Answer { layers: outcomes.into_iter().flatten().collect() })
}

/// A layer that nobody else is at.
struct Held {
    spool: Arc<Mutex<Spool>>,
    lock: Lock,
    /// Bytes that were there from an earlier attempt.
    resumed: u64,
}

impl Held {
    fn remove_spool(self) {
        if let Some(spool) = Arc::into_inner(self.spool).and_then(|spool| spool.into_inner().ok()) {
            spool.remove();
        }
        self.lock.remove();
    }
}

/// Layers that are whole, with their locks.
type Finished = Vec<(usize, Unpacked, Held)>;

fn publish(finished: Finished) -> Result<Vec<(usize, Outcome)>> {
    // What is not needed any more is not written to the disk.
    for (_, _, held) in &finished {
        locked(&held.spool)?.empty()?;
    }
    stage::sync(finished.iter().map(|(_, layer, _)| &layer.stage))?;
    let mut outcomes = Vec::new();
    for (number, Unpacked { stage, .. }, held) in finished {
        outcomes.push((number, Outcome { existed: stage.publish()?, resumed: held.resumed }));
        held.remove_spool();
    }
    Ok(outcomes)
}

#[derive(Default)]
struct Done<'a> {
    finished: Finished,
    there: Vec<(usize, Outcome)>,
    /// Those that somebody else is at.
    busy: Vec<(usize, &'a Layer)>,
    /// The first; those that follow from it are not told.
    failure: Option<Error>,
}

struct Round<'a> {
    session: Arc<Session>,
    how: How<'a>,
    reporter: &'a Reporter,
    left: Mutex<Vec<(usize, &'a Layer)>>,
    done: Mutex<Done<'a>>,
    /// Those of which it has been told that they are waited for.
    waited: Mutex<HashSet<usize>>,
}

impl<'a> Round<'a> {
    fn work_all(&self, threads: usize) -> Result<()> {
        let helpers = threads.clamp(1, locked(&self.left)?.len().max(1)) - 1;
        scope(|scope| {
            for _ in 0..helpers {
                Builder::new().spawn_scoped(scope, || self.work()).doing(|| "Cannot start a thread")?;
            }
            self.work();
            Ok(())
        })
    }

    fn work(&self) {
        while let Some((number, layer)) = self.next() {
            if let Err(error) = self.take(number, layer)
                && let Ok(mut done) = self.done.lock()
            {
                self.session.stop.store(true, Ordering::Relaxed);
                let about = format!("Cannot pull layer {}", layer.digest);
                done.failure.get_or_insert(error.within(about));
            }
        }
    }

    fn next(&self) -> Option<(usize, &'a Layer)> {
        if self.session.stop.load(Ordering::Relaxed) {
            return None;
        }
        self.left.lock().ok()?.pop()
    }

    fn take(&self, number: usize, layer: &'a Layer) -> Result<()> {
        let there = (number, Outcome { existed: true, resumed: 0 });
        if is_there(&layer.dest) {
            locked(&self.done)?.there.push(there);
            return Ok(());
        }
        let Some(lock) = Lock::take(&layer.lock)? else {
            return self.leave(number, layer, "another command that is unpacking it");
        };
        let Some(spool) = Spool::lock(&layer.spool)? else {
            lock.remove();
            return self.leave(number, layer, "another command that is fetching it");
        };
        let resumed = if spool.length() > layer.size { 0 } else { spool.length() };
        let held = Held { spool: Arc::new(Mutex::new(spool)), lock, resumed };
        // Whoever had the lock may have finished it.
        if is_there(&layer.dest) {
            held.remove_spool();
            locked(&self.done)?.there.push(there);
            return Ok(());
        }
        self.fetch(number, layer, held)
    }

    /// It is looked at again when ours are done.
    fn leave(&self, number: usize, layer: &'a Layer, why: &str) -> Result<()> {
        if locked(&self.waited)?.insert(number) {
            self.reporter.note(number, "waiting", why);
        }
        locked(&self.done)?.busy.push((number, layer));
        Ok(())
    }

    fn fetch(&self, number: usize, layer: &Layer, held: Held) -> Result<()> {
        if held.resumed == 0 {
            locked(&held.spool)?.empty()?;
        }
        let mut unpacked = self.unpack(number, layer, &held.spool);
        if held.resumed > 0 && unpacked.as_ref().is_err_and(|error| self.is_final(error)) {
            // A power cut may have left a spool that is as long as it should be, and of zeros.
            locked(&held.spool)?.empty()?;
            unpacked = self.unpack(number, layer, &held.spool);
        }
        match unpacked {
            Ok(unpacked) => locked(&self.done)?.finished.push((number, unpacked, held)),
            Err(error) => {
                if self.is_final(&error) {
                    held.remove_spool();
                } else {
                    held.lock.remove();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn unpack(&self, number: usize, layer: &Layer, spool: &Arc<Mutex<Spool>>) -> Result<Unpacked> {
        let (reporter, size) = (self.reporter, layer.size);
        let told = reporter.noting(number, "retry");
        let uri = location::parse(&layer.url)?;
        let download = Download::new(Arc::clone(&self.session), uri, size, Arc::clone(spool), told);
        let order = layer::Order {
            member: layer.digest.to_string(),
            digest: Some(layer.digest.clone()),
            size: Some(size),
            diff_id: Some(layer.diff_id.clone()),
            dest: layer.dest.clone(),
        };
        let progress = |bytes| reporter.progress(number, bytes, size);
        layer::unpack(&order, Box::new(download), &self.how, &self.session.stop, &progress)
    }

    /// Whether trying again gives the same: the bytes are wrong, and not their way here. What is stopped looks truncated.
    fn is_final(&self, error: &Error) -> bool {
        let wrong = matches!(error.kind, Kind::Digest | Kind::Format | Kind::Limit | Kind::Unsafe);
        wrong && !self.session.stop.load(Ordering::Relaxed)
    }
}

fn is_there(path: &str) -> bool {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

fn locked<T>(mutex: &Mutex<T>) -> Result<std::sync::MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| Error::io("a thread ended early"))
}
