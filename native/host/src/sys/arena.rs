//! The memory of engine and host: one arena at a fixed address, with its book-keeping and the roots inside. Nothing outside it points
//! into it and it points to nothing but the program's own code and constants, so that its bytes are the whole state of the
//! engine: `scripts/build` runs the program's top level once and stores the arena's bytes in the binary. A start then finds
//! the engine as it was left.
//!
//! Blocks come from size classes with a free list each, else from the end of what was used so far. There is one thread,
//! so there is no lock, and a fork of the process has a working copy.

use qjs_sys::{JSContext, JSMallocFunctions, JSRuntime, JSValue, size_t};
#[cfg(not(test))]
use std::alloc::{GlobalAlloc, Layout};
use std::{
    cell::UnsafeCell,
    ffi::c_void,
    ptr::{self, NonNull},
    slice,
};

/// What the binary has room for: the program after its top level, and some of what a command needs.
const STORED: usize = 2304 << 10;
/// What a command can use beyond it: more than any config.json needs. The engine answers "out of memory" then. Pages
/// are the kernel's until touched.
const GROWTH: usize = 40 << 20;
/// Classes below this size are 16 bytes apart; above, four to each doubling.
const SMALL: usize = 1024;
const SMALL_CLASSES: usize = SMALL / 16 + 1;
const CLASSES: usize = SMALL_CLASSES + 4 * 16;
/// In front of each block: its class, so that free and realloc know its size.
const HEADER: usize = 8;

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

#[repr(C, align(4096))]
struct Arena {
    roots: Option<Roots>,
    /// How much of `bytes` and of the growth is in use.
    used: [usize; 2],
    free: [*mut FreeBlock; CLASSES],
    bytes: Bytes,
}

#[repr(C, align(16))]
struct Bytes([u8; STORED]);

#[repr(C, align(4096))]
struct Growth([u8; GROWTH]);

#[repr(C)]
struct FreeBlock {
    next: *mut FreeBlock,
}

struct Shared<T>(UnsafeCell<T>);

// SAFETY: the process has one thread, for ever (design: one thread, no async).
unsafe impl<T> Sync for Shared<T> {}

/// In a section of its own, whose address the build script fixes and whose contents `scripts/build` replaces.
#[unsafe(link_section = ".arena")]
static ARENA: Shared<Arena> = Shared(UnsafeCell::new(Arena {
    roots: None,
    used: [0; 2],
    free: [ptr::null_mut(); CLASSES],
    bytes: Bytes([0; STORED]),
}));

static MORE: Shared<Growth> = Shared(UnsafeCell::new(Growth([0; GROWTH])));

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

/// The arena's bytes, to be stored in the binary; none where more than those is in use.
#[must_use]
pub fn image() -> Option<&'static [u8]> {
    // SAFETY: as above.
    let grown = unsafe { arena().as_ref() }.used[1];
    // SAFETY: the arena is plain memory of this size, and the process does nothing else with it any more.
    (grown == 0).then(|| unsafe { slice::from_raw_parts(arena().as_ptr().cast(), size_of::<Arena>()) })
}

/// What `JS_NewRuntime2` wants to know.
pub static FUNCTIONS: JSMallocFunctions = JSMallocFunctions {
    js_calloc: Some(calloc),
    js_malloc: Some(malloc),
    js_free: Some(free),
    js_realloc: Some(realloc),
    js_malloc_usable_size: Some(usable_size),
};

/// The class of a block of `total` bytes, header included, and the class's size; sizes are multiples of 16.
fn class_of(total: usize) -> (usize, usize) {
    if total <= SMALL {
        let class = total.div_ceil(16);
        return (class, class * 16);
    }
    let doubling = (usize::BITS - 1 - (total - 1).leading_zeros()) as usize;
    let step = 1 << (doubling - 2);
    let quarter = (total - 1 - (1 << doubling)) / step;
    (SMALL_CLASSES + (doubling - 10) * 4 + quarter, (1 << doubling) + (quarter + 1) * step)
}

fn size_of_class(class: usize) -> usize {
    if class < SMALL_CLASSES {
        return class * 16;
    }
    let (doubling, quarter) = ((class - SMALL_CLASSES) / 4 + 10, (class - SMALL_CLASSES) % 4);
    (1 << doubling) + (quarter + 1) * (1 << (doubling - 2))
}

fn arena() -> NonNull<Arena> {
    // The pointer of a static is never null.
    NonNull::from(&ARENA.0).cast()
}

unsafe extern "C" fn malloc(_opaque: *mut c_void, size: size_t) -> *mut c_void {
    let Some(total) = usize::try_from(size).ok().filter(|size| *size < GROWTH).map(|size| size + HEADER) else {
        return ptr::null_mut();
    };
    let (class, bytes) = class_of(total);
    // SAFETY: one thread; no reference into the arena is alive while one of these functions runs.
    let arena = unsafe { arena().as_mut() };
    let head = arena.free[class];
    if !head.is_null() {
        // SAFETY: a block on a free list was written by `free` and is nobody else's.
        arena.free[class] = unsafe { (*head).next };
        return head.cast();
    }
    let Some(block) = extend(arena, bytes) else { return ptr::null_mut() };
    // SAFETY: the header's 8 bytes belong to this block.
    unsafe { header_at(block).write(class) };
    // SAFETY: the class is larger than its header.
    unsafe { block.add(HEADER) }.cast()
}

/// A new block from the end of what is used: of the stored bytes, else of the growth. The first payload is 16-aligned: it
/// begins 8 + 8 bytes into the memory, and all sizes are multiples of 16.
fn extend(arena: &mut Arena, bytes: usize) -> Option<*mut u8> {
    let regions = [(arena.bytes.0.as_mut_ptr(), STORED), (MORE.0.get().cast::<u8>(), GROWTH)];
    for ((base, size), used) in regions.into_iter().zip(&mut arena.used) {
        let start = *used + (16 - HEADER);
        if start + bytes <= size {
            *used += bytes;
            // SAFETY: within the region, as was just checked.
            return Some(unsafe { base.add(start) });
        }
    }
    None
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

unsafe extern "C" fn free(_opaque: *mut c_void, block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: the engine frees only what malloc gave it.
    let class = unsafe { class_at(block) };
    // SAFETY: one thread, see malloc.
    let arena = unsafe { arena().as_mut() };
    let freed = block.cast::<FreeBlock>();
    // SAFETY: the block is ours again and holds at least one pointer.
    unsafe { freed.write(FreeBlock { next: arena.free[class] }) };
    arena.free[class] = freed;
}

unsafe extern "C" fn realloc(opaque: *mut c_void, block: *mut c_void, size: size_t) -> *mut c_void {
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

/// The host's own allocations come from the arena too: musl's allocator maps and unmaps memory for each larger one.
#[cfg(not(test))]
struct Heap;

#[cfg(not(test))]
// SAFETY: the functions keep the contract; a larger alignment than the arena's is not served.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 16 {
            return ptr::null_mut();
        }
        // SAFETY: as for the engine.
        unsafe { malloc(ptr::null_mut(), layout.size() as size_t) }.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: the block came from alloc.
        unsafe { free(ptr::null_mut(), block.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, _layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block came from alloc, with an alignment that every block has.
        unsafe { realloc(ptr::null_mut(), block.cast(), size as size_t) }.cast()
    }
}

#[cfg(not(test))]
#[global_allocator]
static HEAP: Heap = Heap;

#[cfg(test)]
mod tests {
    use super::{CLASSES, GROWTH, class_of, size_of_class};

    #[test]
    fn a_class_holds_every_size_that_is_put_into_it() {
        for total in (16..5000).chain([65536, 65537, 1 << 20, (1 << 20) + 1, GROWTH]) {
            let (class, bytes) = class_of(total);
            assert!(bytes >= total && bytes % 16 == 0 && class < CLASSES, "{total} in {bytes}");
            assert_eq!(size_of_class(class), bytes, "{total}");
        }
    }
}
