//! How often what fails on its way is tried again.

use crate::error::{Error, Kind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Failures in a row without a byte in between, and in all.
const MOST_IN_A_ROW: u32 = 5;
const MOST_IN_ALL: u32 = 50;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Counts what has failed.
#[derive(Default)]
pub struct Patience {
    in_a_row: u32,
    in_all: u32,
}

impl Patience {
    /// Something has got through.
    pub fn moved(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether to try again after this; `told` hears of it, and the pause before it has passed, unless `stop` was set.
    pub fn again(&mut self, error: &Error, told: &dyn Fn(&str), stop: &AtomicBool) -> bool {
        self.in_a_row += 1;
        self.in_all += 1;
        if error.kind != Kind::Network || self.in_a_row > MOST_IN_A_ROW || self.in_all > MOST_IN_ALL {
            return false;
        }
        told(&error.message);
        let mut left = FIRST_PAUSE * 2_u32.pow(self.in_a_row - 1);
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            let pause = left.min(Duration::from_millis(100));
            sleep(pause);
            left -= pause;
        }
        true
    }
}
