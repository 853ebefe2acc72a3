//! Blocks on pages of their own: when the pages are closed, the first access to each is a fault, and tells.

use crate::sys::arena::{DEAD, HEADER};
use libc::{c_int, c_void, siginfo_t};
use std::{
    io::{Error, Result},
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed},
};

const PAGE: usize = 4096;
/// Enough for every block that the program's top level asks for. Memory is the kernel's until touched.
const PAGES: usize = 1 << 18;

/// A block, and the scenarios that read it or wrote to it: a bit for each.
#[derive(Clone, Copy)]
pub struct Block {
    pub page: usize,
    pub bytes: usize,
    pub read: u32,
    pub written: u32,
}

/// Everything that is known, in memory that the processes of all scenarios share.
struct Book {
    blocks: [Block; PAGES],
    count: usize,
    /// The block that each page belongs to.
    owners: [usize; PAGES],
    pages: usize,
}

static BOOK: AtomicPtr<Book> = AtomicPtr::new(ptr::null_mut());
/// The pages of the blocks, which each process has for itself.
static BASE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// The bit of the scenario that this process goes through.
static SCENARIO: AtomicU32 = AtomicU32::new(0);

/// The engine's hashes of shapes are made of addresses, so these are the same on every machine.
const BASE_ADDRESS: usize = 0x10_0000_0000;

fn map(address: usize, size: usize, flags: c_int) -> Result<*mut c_void> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = flags | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: new memory, where nothing is.
    let mapped = unsafe { libc::mmap(ptr::without_provenance_mut(address), size, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(mapped) }
}

/// To be called first.
pub fn begin() -> Result<()> {
    BOOK.store(map(0, size_of::<Book>(), libc::MAP_SHARED)?.cast(), Relaxed);
    BASE.store(map(BASE_ADDRESS, PAGES * PAGE, libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE)?.cast(), Relaxed);
    Ok(())
}

fn book() -> Option<&'static mut Book> {
    // SAFETY: null, or memory that is mapped for ever; all zeros are a book; one process writes to it at a time.
    unsafe { BOOK.load(Relaxed).as_mut() }
}

/// Where the next block lies.
pub fn place(bytes: usize) -> Option<NonNull<u8>> {
    let book = book()?;
    let first = book.pages;
    let last = first + (HEADER + bytes).div_ceil(PAGE);
    book.owners.get_mut(first..last)?.fill(book.count);
    *book.blocks.get_mut(book.count)? = Block { page: first, bytes, read: 0, written: 0 };
    book.count += 1;
    book.pages = last;
    // SAFETY: the mapping has a page for each owner.
    NonNull::new(unsafe { BASE.load(Relaxed).add(first * PAGE + HEADER) })
}

/// All blocks in the order of their making.
pub fn blocks() -> &'static [Block] {
    book().map_or(&[], |book| &book.blocks[..book.count])
}

impl Block {
    /// Whether it outlived the making of the others.
    pub fn lives(&self) -> bool {
        // SAFETY: the mapping has a page for each block.
        let header = unsafe { BASE.load(Relaxed).add(self.page * PAGE + HEADER) };
        // SAFETY: the arena has written it.
        let class = unsafe { header.cast::<[u8; HEADER]>().read() };
        class != DEAD.to_ne_bytes()
    }
}

/// What notes say of scenario `index`.
pub fn bit(index: u32) -> u32 {
    1 << index
}

/// Closes all pages: from now on accesses are noted for scenario `index`.
pub fn watch(index: u32) -> Result<()> {
    SCENARIO.store(bit(index), Relaxed);
    // SAFETY: an all-zero sigaction is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = noticed as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: the handler has the signature that SA_SIGINFO asks for.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
    protect(0, book().map_or(0, |book| book.pages), libc::PROT_NONE)
}

/// Opens them again.
pub fn rest() -> Result<()> {
    protect(0, book().map_or(0, |book| book.pages), libc::PROT_READ | libc::PROT_WRITE)
}

fn protect(first: usize, count: usize, protection: c_int) -> Result<()> {
    // SAFETY: within the mapping.
    let start = unsafe { BASE.load(Relaxed).add(first * PAGE) };
    // SAFETY: the handler opens what is accessed.
    if unsafe { libc::mprotect(start.cast(), count * PAGE, protection) } == 0 {
        return Ok(());
    }
    Err(Error::last_os_error())
}

/// The handler of SIGSEGV: notes the access and opens the page for it. Any other fault is a crash.
unsafe extern "C" fn noticed(_: c_int, info: *const siginfo_t, context: *const libc::ucontext_t) {
    // SAFETY: the kernel passes both.
    let info = unsafe { &*info };
    // SAFETY: a SIGSEGV has an address.
    let address = unsafe { info.si_addr() };
    // SAFETY: as above.
    let error = unsafe { (*context).uc_mcontext.gregs[libc::REG_ERR as usize] };
    // Bit 1 says that it was a write: Intel's manual, volume 3, "Page-Fault Exception".
    let wrote = error & 2 != 0;
    let page = address.addr().wrapping_sub(BASE.load(Relaxed).addr()) / PAGE;
    let protection = if wrote { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    if !note(page, wrote) || protect(page, 1, protection).is_err() {
        // SAFETY: the access is done again and ends the process.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    }
}

/// False where the page is nobody's.
fn note(page: usize, wrote: bool) -> bool {
    let Some(book) = book().filter(|book| page < book.pages) else { return false };
    let block = &mut book.blocks[book.owners[page]];
    *(if wrote { &mut block.written } else { &mut block.read }) |= SCENARIO.load(Relaxed);
    true
}
