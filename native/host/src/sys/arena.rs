//! The memory of engine and host. What lives when the program's top level has run lies at a fixed address, with the roots:
//! nothing outside points into it and it points to nothing but itself and the program's own code and constants, so that its
//! bytes are the whole state of the engine. `scripts/build` runs the top level once and stores them in the binary; a start
//! then finds the engine as it was left. Where each block lies in it was learnt by a rehearsal: see rehearsal/
//!
//! Everything else is in `GROWTH`: blocks come from size classes with a free list each, else from the end of what was used
//! so far. There is one thread, so there is no lock, and a fork of the process has a working copy.

use super::{
    classes::{CLASSES, class_of, size_of_class},
    layout::Reach,
};
use qjs_sys::{JSContext, JSMallocFunctions, JSRuntime, JSValue, size_t};
use std::{
    cell::UnsafeCell,
    ffi::c_void,
    ptr::{self, NonNull},
};

/// What the binary has room for: the program after its top level. The build script reckons it from the program's size.
pub const STORED: usize = match usize::from_str_radix(env!("TSRUN_HEAP_ROOM"), 10) {
    Ok(room) => room,
    Err(_) => 0,
};
/// What a command can use beyond it: more than any config.json needs. The engine answers "out of memory" then. Pages
/// are the kernel's until touched.
const GROWTH: usize = 40 << 20;
/// In front of each block: its class, so that free and realloc know its size.
pub const HEADER: usize = 8;
/// The header of a block that was freed while blocks were placed: no class.
pub const DEAD: usize = 0;

/// Where the program is found after its top level.
#[derive(Clone, Copy)]
pub struct Roots {
    pub runtime: *mut JSRuntime,
    pub context: *mut JSContext,
    /// The exported `main`.
    pub main: JSValue,
    /// The object of native calls.
    pub native: JSValue,
    /// The namespaces of the modules that were loaded, by name.
    pub loaded: JSValue,
    pub fd_class: u32,
    /// Whether regular expressions have been added to the engine.
    pub reg_exp: bool,
}

/// Says where the next block lies, header included, 8 bytes off a multiple of 16; none: where nobody cares.
pub type Place = fn(bytes: usize) -> Option<NonNull<u8>>;

#[repr(C, align(4096))]
struct Stored {
    roots: Option<Roots>,
    reach: Reach,
    bytes: Room<STORED>,
}

#[repr(C, align(16))]
struct Room<const SIZE: usize>([u8; SIZE]);

/// The free lists are in front of the blocks: the first page that a command writes to has both.
#[repr(C, align(4096))]
struct Growth {
    free: [*mut FreeBlock; CLASSES],
    used: usize,
    place: Option<Place>,
    bytes: Room<GROWTH>,
}

#[repr(C)]
struct FreeBlock {
    next: *mut FreeBlock,
}

struct Shared<T>(UnsafeCell<T>);

// SAFETY: the process has one thread, for ever (design: one thread, no async).
unsafe impl<T> Sync for Shared<T> {}

/// In a section of its own, whose address the build script fixes and whose contents `scripts/build` replaces.
#[unsafe(link_section = ".arena")]
static ARENA: Shared<Stored> =
    Shared(UnsafeCell::new(Stored { roots: None, reach: NO_REACH, bytes: Room([0; STORED]) }));
const NO_REACH: Reach = Reach { written: 0, warm: 0, image_written: 0, image: 0 };

/// Behind all other memory of the program (hot.ld), so that what is small lies together.
#[unsafe(link_section = ".bss.growth")]
static MORE: Shared<Growth> = Shared(UnsafeCell::new(Growth {
    free: [ptr::null_mut(); CLASSES],
    used: 0,
    place: None,
    bytes: Room([0; GROWTH]),
}));

/// The roots, once the program's top level has run, here or when the binary was built.
#[must_use]
pub fn roots() -> Option<Roots> {
    // SAFETY: one thread; nobody holds a reference into the arena.
    unsafe { arena().as_ref() }.roots
}

pub fn set_roots(roots: Roots) {
    // SAFETY: as above.
    unsafe { arena().as_mut() }.roots = Some(roots);
}

/// The stored half, where it lies.
#[must_use]
pub fn stored() -> NonNull<[u8]> {
    NonNull::slice_from_raw_parts(arena().cast(), size_of::<Stored>())
}

/// The stored half's bytes, to be put into the binary.
#[must_use]
pub fn image() -> &'static [u8] {
    // SAFETY: the arena is plain memory of this size, and the process does nothing else with it any more.
    unsafe { stored().as_ref() }
}

/// The stored half's room for blocks.
#[must_use]
pub fn room() -> NonNull<u8> {
    // SAFETY: one thread; nobody holds a reference into the arena.
    NonNull::from(&mut unsafe { arena().as_mut() }.bytes.0).cast()
}

pub fn set_reach(reach: Reach) {
    // SAFETY: as above.
    unsafe { arena().as_mut() }.reach = reach;
}

#[must_use]
pub fn reach() -> Reach {
    // SAFETY: as above.
    unsafe { arena().as_ref() }.reach
}

/// From now on every block is placed by `place` and none is used twice: the n-th one is always the same. None: as usual, from
/// an address on that does not tell what was there before, such as the length of a path.
pub fn place_by(place: Option<Place>) {
    // SAFETY: one thread, see malloc.
    let growth = unsafe { growth().as_mut() };
    growth.place = place;
    growth.used = growth.used.next_multiple_of(1 << 20);
    growth.free = [ptr::null_mut(); CLASSES];
}

/// What `JS_NewRuntime2` wants to know.
pub static FUNCTIONS: JSMallocFunctions = JSMallocFunctions {
    js_calloc: Some(calloc),
    js_malloc: Some(malloc),
    js_free: Some(free),
    js_realloc: Some(realloc),
    js_malloc_usable_size: Some(usable_size),
};

fn arena() -> NonNull<Stored> {
    // The pointer of a static is never null.
    NonNull::from(&ARENA.0).cast()
}

fn growth() -> NonNull<Growth> {
    NonNull::from(&MORE.0).cast()
}

pub(super) unsafe extern "C" fn malloc(_opaque: *mut c_void, size: size_t) -> *mut c_void {
    let Some(total) = usize::try_from(size).ok().filter(|size| *size < GROWTH).map(|size| size + HEADER) else {
        return ptr::null_mut();
    };
    let (class, bytes) = class_of(total);
    // SAFETY: one thread; no reference into the arena is alive while one of these functions runs.
    let growth = unsafe { growth().as_mut() };
    let head = growth.free[class];
    if !head.is_null() {
        // SAFETY: a block on a free list was written by `free` and is nobody else's.
        growth.free[class] = unsafe { (*head).next };
        return head.cast();
    }
    let Some(block) = extend(growth, bytes) else { return ptr::null_mut() };
    // SAFETY: the header's 8 bytes belong to this block.
    unsafe { header_at(block).write(class) };
    // SAFETY: the class is larger than its header.
    unsafe { block.add(HEADER) }.cast()
}

/// A new block: where it is placed, else at the end of what is used. The first payload is 16-aligned: it begins 8 + 8 bytes
/// into the memory, and all sizes are multiples of 16.
fn extend(growth: &mut Growth, bytes: usize) -> Option<*mut u8> {
    if let Some(placed) = growth.place.and_then(|place| place(bytes)) {
        return Some(placed.as_ptr());
    }
    let start = growth.used + (16 - HEADER);
    let block = growth.bytes.0.get_mut(start..start + bytes)?;
    growth.used += bytes;
    Some(block.as_mut_ptr())
}

unsafe extern "C" fn calloc(opaque: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    let Some(total) = count.checked_mul(size) else { return ptr::null_mut() };
    // SAFETY: as for malloc.
    let block = unsafe { malloc(opaque, total) };
    if !block.is_null() {
        // SAFETY: malloc gave at least `total` bytes.
        unsafe { ptr::write_bytes(block.cast::<u8>(), 0, usize::try_from(total).unwrap_or(0)) };
    }
    block
}

/// A header: blocks begin 8 bytes off a multiple of 16.
#[allow(clippy::cast_ptr_alignment)]
fn header_at(block: *mut u8) -> *mut usize {
    block.cast()
}

/// The class of a living block.
///
/// # Safety
/// `block` must come from `malloc` above.
unsafe fn class_at(block: *const c_void) -> usize {
    // SAFETY: the header lies right before the payload.
    let header = unsafe { block.cast::<u8>().sub(HEADER) };
    // SAFETY: written by malloc, aligned to 8.
    unsafe { header_at(header.cast_mut()).read() }
}

pub(super) unsafe extern "C" fn free(_opaque: *mut c_void, block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the engine frees only what malloc gave it.
    let class = unsafe { class_at(block) };
    // SAFETY: one thread, see malloc.
    let growth = unsafe { growth().as_mut() };
    if growth.place.is_some() {
        // SAFETY: the header lies right before the payload.
        let header = unsafe { block.cast::<u8>().sub(HEADER) };
        // SAFETY: the block is ours again.
        unsafe { header_at(header).write(DEAD) };
        return;
    }
    let freed = block.cast::<FreeBlock>();
    // SAFETY: the block is ours again and holds at least one pointer.
    unsafe { freed.write(FreeBlock { next: growth.free[class] }) };
    growth.free[class] = freed;
}

pub(super) unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: size_t) -> *mut c_void {
    if block.is_null() {
        // SAFETY: as for malloc.
        return unsafe { malloc(opaque, size) };
    }
    // SAFETY: the engine resizes only what malloc gave it.
    let held = unsafe { usable_size(block) };
    if size <= held && size >= held / 2 {
        return block;
    }
    // SAFETY: as for malloc.
    let moved = unsafe { malloc(opaque, size) };
    if moved.is_null() {
        return if size <= held { block } else { moved };
    }
    let kept = usize::try_from(held.min(size)).unwrap_or(0);
    // SAFETY: both blocks hold at least `kept` bytes, and a new block never overlaps a living one.
    unsafe { ptr::copy_nonoverlapping(block.cast::<u8>(), moved.cast::<u8>(), kept) };
    // SAFETY: `block` came from malloc and is not used again.
    unsafe { free(opaque, block) };
    moved
}

unsafe extern "C" fn usable_size(block: *const c_void) -> size_t {
    // SAFETY: the engine asks only about what malloc gave it.
    (size_of_class(unsafe { class_at(block) }) - HEADER) as size_t
}
