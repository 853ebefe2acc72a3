//! The requests `check`: layers against their lists, side by side, and mended if that is wanted.

use super::check::{Finding, findings, open_layer};
use super::mend::mend;
use crate::erofs::{self, mount::is_index};
use crate::error::{Context, Result};
use serde::Serialize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};

/// So many findings of a layer are told.
const MOST_TOLD: usize = 20;

/// The answer: a verdict for each layer, in the order of the request.
#[derive(Serialize)]
pub struct Answer {
    layers: Vec<Verdict>,
}

/// What was found of a layer.
#[derive(Serialize, Default)]
pub struct Verdict {
    /// The first of what was wrong, in words.
    findings: Vec<String>,
    /// How much was wrong.
    count: usize,
    /// Whether it is whole now.
    whole: bool,
}

/// Checks `layers`; mends them too if `repair` is set, with what `layers` have.
pub fn run(layers: &[String], threads: usize, repair: bool) -> Result<Answer> {
    let verdicts: Vec<Mutex<Verdict>> = layers.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((path, verdict)) = take(layers, &verdicts, &next) {
            if let Ok(mut verdict) = verdict.lock() {
                *verdict = judge(path);
            }
        }
    };
    scope(|scope| {
        for _ in 1..threads.clamp(1, layers.len().max(1)) {
            Builder::new().spawn_scoped(scope, work).doing(|| "Cannot start a thread")?;
        }
        work();
        Ok(())
    })?;
    let mut layers_seen: Vec<Verdict> =
        verdicts.into_iter().map(|verdict| verdict.into_inner().unwrap_or_default()).collect();
    if repair {
        // One after another: a layer may be mended with a file of another one.
        for (path, verdict) in layers.iter().zip(&mut layers_seen).filter(|(_, verdict)| !verdict.whole) {
            verdict.whole = open_layer(path).is_ok_and(|layer| {
                if is_index(&layer) {
                    return erofs::check::mend(&layer).is_ok_and(|left| left.is_empty());
                }
                mend(&layer, layers).is_ok_and(|left| left.is_empty())
            });
        }
    }
    Ok(Answer { layers: layers_seen })
}

fn take<'a>(
    layers: &'a [String],
    verdicts: &'a [Mutex<Verdict>],
    next: &AtomicUsize,
) -> Option<(&'a String, &'a Mutex<Verdict>)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    Some((layers.get(number)?, verdicts.get(number)?))
}

fn judge(path: &str) -> Verdict {
    let found = open_layer(path).and_then(|layer| {
        if is_index(&layer) {
            return erofs::check::findings(&layer);
        }
        Ok(findings(&layer)?.iter().map(Finding::text).collect())
    });
    match found {
        Ok(found) => {
            let told = found.iter().take(MOST_TOLD).cloned().collect();
            Verdict { findings: told, count: found.len(), whole: found.is_empty() }
        }
        Err(error) => Verdict { findings: vec![error.message], count: 1, whole: false },
    }
}
