//! Where the time goes: `TSRUN_TRACE=phases`. A phase lasts from its mark to the next one of the same process. What is
//! written down lies in memory that a child shares with its parent, so that the parent can tell of init too.

use super::{process::clock, text::Text};
use crate::calls;
use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// The variable, and what it is set to; after that, where a program has become another one, when the first began.
pub const VARIABLE: &str = "TSRUN_TRACE=";
const PHASES: &str = "TSRUN_TRACE=phases";

const ROOM: usize = 512;
const NAME: usize = 32;

#[repr(C)]
struct Page {
    used: AtomicUsize,
    phases: [Phase; ROOM],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Phase {
    name: [u8; NAME],
    process: i32,
    begun: u64,
    took: u64,
    kernel: u64,
    faults: i64,
}

/// Null as long as nobody wants to know.
static PAGE: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());
/// Nanoseconds in native calls, of this process and those that it is a copy of.
static KERNEL: AtomicU64 = AtomicU64::new(0);
/// The phase that lasts: when it began, and `KERNEL` and the page faults then.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static KERNEL_BEFORE: AtomicU64 = AtomicU64::new(0);
static FAULTS_BEFORE: AtomicU64 = AtomicU64::new(0);
/// Whether the native call that lasts is a mark.
static MARKED: AtomicBool = AtomicBool::new(false);
/// Its place in the page, plus one.
static PLACE: AtomicUsize = AtomicUsize::new(0);

fn now() -> u64 {
    let now = clock(libc::CLOCK_MONOTONIC);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Page faults of this process that no disk was needed for.
fn faults() -> u64 {
    // SAFETY: an all-zero rusage is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is ours.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    usage.ru_minflt.cast_unsigned()
}

/// Begins to write down, where `env` asks for it. The first phase is the start of the program.
pub fn begin(env: &[Text]) {
    let Some(asked) = env.iter().filter_map(Text::as_str).find(|entry| entry.starts_with(PHASES)) else { return };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, of this size, where the kernel likes.
    let page = unsafe { libc::mmap(ptr::null_mut(), size_of::<Page>(), protection, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return;
    }
    PAGE.store(page.cast(), Relaxed);
    let since = asked.strip_prefix(PHASES).and_then(|rest| rest.trim().parse().ok());
    open("start", since.unwrap_or_else(now), 0);
}

/// The entry of the environment by which a program that becomes another one hands on when it began.
#[must_use]
pub fn handed_on() -> Option<String> {
    (!PAGE.load(Relaxed).is_null()).then(|| format!("{PHASES} {}", BEGUN.load(Relaxed)))
}

fn page() -> Option<&'static mut Page> {
    // SAFETY: null, or memory that is mapped for ever; each process writes to places of its own, taken by a count.
    unsafe { PAGE.load(Relaxed).as_mut() }
}

/// When a native call began; 0 as long as nobody wants to know.
pub fn enter() -> u64 {
    if PAGE.load(Relaxed).is_null() { 0 } else { now() }
}

/// Adds a native call that began at `entered`, unless it was a mark: that is of no phase.
pub fn leave(entered: u64) {
    if entered != 0 && !MARKED.swap(false, Relaxed) {
        KERNEL.fetch_add(now() - entered, Relaxed);
    }
}

fn open(name: &str, begun: u64, faults: u64) {
    let Some(page) = page() else { return };
    let place = page.used.fetch_add(1, Relaxed);
    let Some(phase) = page.phases.get_mut(place) else { return };
    for (to, from) in phase.name.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: no memory is involved.
    phase.process = unsafe { libc::getpid() };
    phase.begun = begun;
    BEGUN.store(begun, Relaxed);
    KERNEL_BEFORE.store(KERNEL.load(Relaxed), Relaxed);
    FAULTS_BEFORE.store(faults, Relaxed);
    PLACE.store(place + 1, Relaxed);
}

/// Ends the phase that lasts, unless it is that of the process that this one is a copy of.
fn close(at: u64, faults: u64) {
    let Some(page) = page() else { return };
    let Some(phase) = PLACE.load(Relaxed).checked_sub(1).and_then(|place| page.phases.get_mut(place)) else { return };
    // SAFETY: no memory is involved.
    if phase.process == unsafe { libc::getpid() } {
        phase.took = at - BEGUN.load(Relaxed);
        phase.kernel = KERNEL.load(Relaxed) - KERNEL_BEFORE.load(Relaxed);
        phase.faults = faults.cast_signed() - FAULTS_BEFORE.load(Relaxed).cast_signed();
    }
}

fn mark(name: &str) {
    if PAGE.load(Relaxed).is_null() {
        return;
    }
    MARKED.store(true, Relaxed);
    let (at, faults) = (now(), faults());
    close(at, faults);
    open(name, at, faults);
}

calls! {
    /// Begins a phase of `TSRUN_TRACE=phases`; nothing without it.
    fn phase(name: Text) -> () {
        mark(name.as_str().unwrap_or_default());
        Ok(())
    }

    /// Ends the last phase; gives a line for each that was, of all processes: process, nanoseconds of its beginning, its
    /// length, and the part of it in native calls, page faults, name; with tabs between.
    fn phases() -> Vec<String> {
        close(now(), faults());
        let Some(page) = page() else { return Ok(Vec::new()) };
        let used = page.used.load(Relaxed).min(ROOM);
        let lines = page.phases.iter().take(used).map(|phase| {
            let name = String::from_utf8_lossy(&phase.name);
            let name = name.trim_end_matches('\0');
            format!("{}\t{}\t{}\t{}\t{}\t{name}", phase.process, phase.begun, phase.took, phase.kernel, phase.faults)
        });
        Ok(lines.collect())
    }
}
