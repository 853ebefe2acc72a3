//! Several things done side by side.

use crate::error::{Context, Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, scope};

/// Does all `tasks`, so many at a time and the last one first, and gives their outcomes in the order of their numbers. The
/// first failure sets `stop`; those that follow from it are not told.
pub fn do_all<T: Send, R: Send>(
    threads: usize,
    tasks: Vec<(usize, T)>,
    stop: &AtomicBool,
    work: impl Fn(usize, T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let helpers = threads.clamp(1, tasks.len().max(1)) - 1;
    let left = Mutex::new(tasks);
    let done = Mutex::new((Vec::new(), None::<Error>));
    let next = || if stop.load(Ordering::Relaxed) { None } else { left.lock().ok()?.pop() };
    let go = || {
        while let Some((number, task)) = next() {
            let outcome = work(number, task);
            let Ok(mut done) = done.lock() else { return };
            match outcome {
                Ok(outcome) => done.0.push((number, outcome)),
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    done.1.get_or_insert(error);
                }
            }
        }
    };
    scope(|scope| {
        for _ in 0..helpers {
            Builder::new().spawn_scoped(scope, go).doing(|| "Cannot start a thread")?;
        }
        go();
        Ok(())
    })?;
    let (mut finished, failure) = done.into_inner().map_err(|_| Error::io("a thread ended early"))?;
    finished.sort_by_key(|(number, _)| *number);
    failure.map_or_else(|| Ok(finished.into_iter().map(|(_, outcome)| outcome).collect()), Err)
}

#[cfg(test)]
mod tests {
    use super::do_all;
    use crate::error::Error;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn outcomes_stand_in_the_order_of_the_numbers() {
        let tasks = vec![(2, "c"), (0, "a"), (1, "b")];
        let outcomes = do_all(2, tasks, &AtomicBool::new(false), |_, task| Ok(task)).unwrap();
        assert_eq!(outcomes, ["a", "b", "c"]);
    }

    #[test]
    fn the_first_failure_is_told_and_stops_the_rest() {
        let tasks = (0..10).map(|number| (number, ())).collect();
        let stop = AtomicBool::new(false);
        let outcome = do_all(1, tasks, &stop, |number, ()| {
            if number == 8 {
                Err(Error::io("eight"))
            } else if number == 9 {
                Ok(())
            } else {
                Err(Error::io("later"))
            }
        });
        assert_eq!(outcome.unwrap_err().message, "eight");
    }
}
