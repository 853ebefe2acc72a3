//! `--store-heap HEAP LAYOUT`, for `scripts/build`: runs the top level of every module that the program can load, each block
//! where the layout says, and writes the arena to the file HEAP.

use super::{
    arena::{self, HEADER},
    boot::{self, boot},
    layout::{Layout, Lot},
    modules::Module,
};
use std::{
    fs,
    ptr::NonNull,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

static LAYOUT: OnceLock<Layout> = OnceLock::new();
/// The number of the next block.
static NEXT: AtomicUsize = AtomicUsize::new(0);
static STRANGE: AtomicBool = AtomicBool::new(false);

/// Where the layout wants the next block.
fn place(bytes: usize) -> Option<NonNull<u8>> {
    let lot = LAYOUT.get()?.lots.get(NEXT.fetch_add(1, Relaxed)).filter(|lot| lot.bytes as usize == bytes);
    let Some(lot) = lot else {
        STRANGE.store(true, Relaxed);
        return None;
    };
    // SAFETY: the rehearsal has made sure that every lot is within the room.
    (lot.offset != Lot::NOWHERE).then(|| unsafe { arena::room().add(lot.offset as usize + HEADER) })
}

/// Gives the exit status.
#[must_use]
pub fn store(modules: &'static [Module], heap: &str, layout: &str) -> u8 {
    let Some(layout) = fs::read(layout).ok().and_then(|file| Layout::from_bytes(&file)) else {
        return fail(&format!("cannot read {layout}"));
    };
    let layout = LAYOUT.get_or_init(|| layout);
    let names = boot::names(modules);
    arena::place_by(Some(place));
    if boot(modules, &names).is_none() {
        return 70;
    }
    arena::place_by(None);
    arena::set_reach(layout.reach);
    if STRANGE.load(Relaxed) || NEXT.load(Relaxed) != layout.lots.len() {
        return fail("the rehearsal was of another program: its blocks are not those of this one");
    }
    match fs::write(heap, arena::image()) {
        Ok(()) => 0,
        Err(error) => fail(&format!("cannot write {heap}: {error}")),
    }
}

fn fail(text: &str) -> u8 {
    eprintln!("tsrun: {text}");
    1
}
