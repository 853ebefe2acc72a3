//! The request `unpack`: the layers of an image, side by side.

mod dirs;
mod disk;
pub mod ground;
pub mod layer;
pub mod measure;
mod place;
pub mod tree;
pub mod write;

use crate::error::{Context, Error, Result};
use crate::protocol::Reporter;
use crate::source::Opened;
use crate::stage;
use crate::stream::blob::Extent;
use layer::{How, Order, Record, Unpacked};
use serde::Serialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, scope};

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    layers: Vec<Published>,
}

#[derive(Serialize)]
struct Published {
    #[serde(flatten)]
    record: Record,
    /// Somebody else was quicker; the directory is theirs.
    existed: bool,
}

/// Unpacks all layers, `threads` at a time, or none: what is whole when another fails is removed with it.
pub fn run(source: &Opened, orders: &[Order], threads: usize, how: &How, reporter: &Reporter) -> Result<Answer> {
    how.probe(orders.first().map_or("/", |order| &order.dest))?;
    let mut tasks = Vec::new();
    for (number, order) in orders.iter().enumerate() {
        let extent = source.member(&order.member).map_err(|error| about(order, error))?;
        tasks.push(Task { number, order, extent });
    }
    // The largest is started first, so that it is not the one that everybody waits for at the end.
    tasks.sort_by_key(|task| task.extent.size);
    let shared =
        Shared { tasks: Mutex::new(tasks), done: Mutex::default(), stop: AtomicBool::new(false), how, reporter };
    let helpers = threads.clamp(1, orders.len().max(1)) - 1;
    scope(|scope| {
        for _ in 0..helpers {
            Builder::new().spawn_scoped(scope, || shared.work()).doing(|| "Cannot start a thread")?;
        }
        shared.work();
        Ok(())
    })?;
    publish(shared)
}

fn publish(shared: Shared) -> Result<Answer> {
    let done = shared.done.into_inner().map_err(|_| Error::io("a thread ended early"))?;
    if let Some(error) = done.failure {
        return Err(error);
    }
    let mut unpacked = done.unpacked;
    unpacked.sort_by_key(|(number, _)| *number);
    stage::sync(unpacked.iter().map(|(_, layer)| &layer.stage))?;
    let mut layers = Vec::new();
    for (_, Unpacked { stage, record }) in unpacked {
        layers.push(Published { existed: stage.publish()?, record });
    }
    Ok(Answer { layers })
}

struct Task<'a> {
    number: usize,
    order: &'a Order,
    extent: Extent,
}

#[derive(Default)]
struct Done {
    unpacked: Vec<(usize, Unpacked)>,
    /// The first; those that follow from it are not told.
    failure: Option<Error>,
}

struct Shared<'a> {
    tasks: Mutex<Vec<Task<'a>>>,
    done: Mutex<Done>,
    stop: AtomicBool,
    how: &'a How<'a>,
    reporter: &'a Reporter,
}

impl Shared<'_> {
    fn work(&self) {
        while let Some(task) = self.next() {
            let (number, total) = (task.number, task.extent.size);
            let progress = |bytes| self.reporter.progress(number, bytes, total);
            let supply = Box::new(task.extent);
            let unpacked = layer::unpack(task.order, supply, self.how, &self.stop, &progress);
            let Ok(mut done) = self.done.lock() else { return };
            match unpacked {
                Ok(layer) => done.unpacked.push((number, layer)),
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    done.failure.get_or_insert(about(task.order, error));
                }
            }
        }
    }

    fn next(&self) -> Option<Task<'_>> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        self.tasks.lock().ok()?.pop()
    }
}

fn about(order: &Order, error: Error) -> Error {
    error.within(format!("Cannot unpack layer {}", crate::name::show(order.member.as_bytes())))
}
