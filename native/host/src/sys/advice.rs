//! The kernel is told how a command will use the stored half of the arena. No command depends on it.

use super::{arena, layout::Reach};
use std::{ffi::c_int, ops::Range};

const PAGE: usize = 4096;

/// What a command will do with the stored half.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It looks here and there.
    Little,
    /// It writes to most of what any command writes to: one call for all those pages costs less than a fault for each.
    Much,
    /// And to what only commands with an image touch.
    Image,
}

/// To be called before the engine is used.
pub fn expect(how: Use) {
    let stored = arena::stored();
    let blocks = arena::room().addr().get() - stored.addr().get();
    let page = |reach: u32| (blocks + reach as usize).next_multiple_of(PAGE);
    let Reach { written, warm, image_written, image } = arena::reach();
    if how != Use::Little {
        advise(0..blocks + written as usize, libc::MADV_POPULATE_WRITE);
    }
    if how == Use::Image {
        advise(page(warm)..page(image_written), libc::MADV_POPULATE_WRITE);
    }
    // A part of memory by itself: a fault in front of it maps nothing of it, although the file's pages may hang together.
    let cold = page(if how == Use::Image { image } else { warm });
    advise(cold..stored.len(), libc::MADV_RANDOM);
}

/// `part`, which begins at a page, is of the stored half.
fn advise(part: Range<usize>, advice: c_int) {
    // SAFETY: within it.
    let start = unsafe { arena::stored().cast::<u8>().add(part.start) };
    // SAFETY: advice changes no contents.
    unsafe { libc::madvise(start.as_ptr().cast(), part.len(), advice) };
}
