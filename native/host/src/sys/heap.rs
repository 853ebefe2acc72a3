//! The host's own allocations come from the arena too: musl's allocator maps and unmaps memory for each larger one.

use super::arena::{free, malloc, realloc};
use qjs_sys::size_t;
use std::{
    alloc::{GlobalAlloc, Layout},
    ptr,
};

struct Heap;

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

#[global_allocator]
static HEAP: Heap = Heap;
