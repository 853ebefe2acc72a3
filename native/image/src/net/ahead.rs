//! Blobs of registries that are wanted one after the other, as for an archive: the next ones are brought side by side while one is
//! read, into files without names. How far ahead is bounded, and so is the room that they take.

use super::origin::Ready;
use crate::digest::Digest;
use crate::error::Result;
use crate::protocol::Reporter;
use crate::stream::blob::Extent;
use std::mem::replace;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{Builder, scope};

/// So many come at a time: docker's number.
const AT_A_TIME: usize = 3;

/// So many are on their way or wait for their turn: a large one does not keep all others from coming.
const AHEAD: usize = 2 * AT_A_TIME;

/// A blob of a registry.
pub struct Wanted {
    /// Where it comes from.
    pub ready: Ready,
    /// What it is.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// The number under which it is told how far it is.
    pub part: Option<usize>,
}

/// Blobs in the order of their turns.
pub struct Ahead {
    wanted: Vec<Wanted>,
    stage: Mutex<Stage>,
    moved: Condvar,
    reporter: Reporter,
    stop: Arc<AtomicBool>,
}

struct Stage {
    /// Whose turn it is.
    turn: usize,
    places: Vec<Place>,
    /// Nothing more is brought before its turn.
    ended: bool,
}

enum Place {
    Untouched,
    Coming,
    Here(Extent),
    /// It is the reader's, who has it or reads it straight from the registry.
    Left,
}

impl Ahead {
    /// With what stops all downloads of these blobs.
    pub fn new(wanted: Vec<Wanted>, reporter: Reporter, stop: Arc<AtomicBool>) -> Self {
        let places = wanted.iter().map(|_| Place::Untouched).collect();
        // One alone need not lie anywhere.
        let stage = Mutex::new(Stage { turn: 0, places, ended: wanted.len() < 2 });
        Self { wanted, stage, moved: Condvar::new(), reporter, stop }
    }

    /// Does `read`, which takes the blobs in their turns, while others bring the next ones.
    pub fn beside<R>(&self, read: impl FnOnce() -> R) -> R {
        scope(|scope| {
            let start = || Builder::new().spawn_scoped(scope, || self.help());
            if (0..AT_A_TIME.min(self.wanted.len())).filter(|_| start().is_ok()).count() == 0 {
                self.end();
            }
            let outcome = read();
            self.stop.store(true, Ordering::Relaxed);
            self.end();
            outcome
        })
    }

    /// The blob whose turn it is, and its bytes where they have been brought.
    pub fn take(&self, number: usize) -> Option<(&Wanted, Option<Extent>)> {
        let mut stage = self.stage.lock().ok()?;
        stage.turn = number;
        self.moved.notify_all();
        loop {
            let ended = stage.ended;
            match stage.places.get_mut(number)? {
                Place::Untouched if !ended => {}
                Place::Coming => {}
                place => {
                    let here = if let Place::Here(extent) = replace(place, Place::Left) { Some(extent) } else { None };
                    stage.turn = number + 1;
                    self.moved.notify_all();
                    return Some((self.wanted.get(number)?, here));
                }
            }
            stage = self.moved.wait(stage).ok()?;
        }
    }

    /// Nothing when a thread has ended early.
    fn help(&self) -> Option<()> {
        let mut stage = self.stage.lock().ok()?;
        while !stage.ended {
            if let Some(number) = stage.choose() {
                drop(stage);
                let brought = self.fetch(self.wanted.get(number)?);
                stage = self.stage.lock().ok()?;
                // The reader meets what is wrong in its turn, and says it; where there is no room, it needs none.
                stage.ended |= brought.is_err();
                *stage.places.get_mut(number)? = brought.map_or(Place::Left, Place::Here);
                self.moved.notify_all();
            } else {
                stage = self.moved.wait(stage).ok()?;
            }
        }
        Some(())
    }

    fn end(&self) {
        if let Ok(mut stage) = self.stage.lock() {
            stage.ended = true;
        }
        self.moved.notify_all();
    }

    fn fetch(&self, Wanted { ready, digest, size, part }: &Wanted) -> Result<Extent> {
        let reporter = &self.reporter;
        match *part {
            Some(part) => {
                ready.bring(*size, digest, reporter.noting(part, "retry"), |at| reporter.progress(part, at, *size))
            }
            None => ready.bring(*size, digest, Box::new(|_| ()), |_| ()),
        }
    }
}

impl Stage {
    /// One that may be brought before its turn; it counts as coming from now on.
    fn choose(&mut self) -> Option<usize> {
        let mut near = self.places.iter_mut().enumerate().skip(self.turn).take(AHEAD);
        let (number, place) = near.find(|(_, place)| matches!(place, Place::Untouched))?;
        *place = Place::Coming;
        Some(number)
    }
}
