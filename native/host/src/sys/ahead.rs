//! A namespace that is made ahead, on another processor, while the program goes on: the kernel needs a third of a millisecond
//! for a network namespace, all of it in `copy_net_ns`.
//!
//! It is made by a helper, a process that shares memory and descriptors with this one and makes three system calls. They
//! are made without the C library, whose `errno` both would share.

use super::errno::Errno;
use crate::calls;
use std::{
    arch::asm,
    cell::UnsafeCell,
    ffi::{c_int, c_long, c_void},
    os::fd::{FromRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicI64, Ordering},
};

/// The helper calls no function that needs more.
const STACK_SIZE: usize = 8 << 10;

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; STACK_SIZE]>);

// SAFETY: only the one helper touches it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));
/// The helper's pid; 0 where there is none.
static HELPER: AtomicI32 = AtomicI32::new(0);
/// What it leaves: a descriptor of the namespace, or a negative errno.
static MADE: AtomicI64 = AtomicI64::new(0);

/// A system call of the helper's.
///
/// # Safety
/// That of the call.
unsafe fn raw(number: c_long, arguments: [usize; 3]) -> i64 {
    let [first, second, third] = arguments;
    let answer: i64;
    // SAFETY: the caller vouches for the call; the kernel keeps all registers but these three.
    unsafe {
        asm!("syscall", inlateout("rax") number => answer, in("rdi") first, in("rsi") second, in("rdx") third,
            out("rcx") _, out("r11") _, options(nostack));
    }
    answer
}

extern "C" fn help(_: *mut c_void) -> c_int {
    // SAFETY: no memory is involved; only the helper's own namespaces change.
    let mut made = unsafe { raw(libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0]) };
    if made == 0 {
        // SAFETY: the path ends in NUL.
        made = unsafe { raw(libc::SYS_open, [c"/proc/self/ns/net".as_ptr().addr(), libc::O_CLOEXEC as usize, 0]) };
    }
    MADE.store(made, Ordering::Release);
    // SAFETY: only the helper ends.
    unsafe { raw(libc::SYS_exit, [0, 0, 0]) };
    0
}

calls! {
    /// Begins to make a network namespace, which `takeNetwork` gives. It belongs to the caller's user namespace.
    fn beginNetwork() -> () {
        let flags = libc::CLONE_VM | libc::CLONE_FILES;
        // SAFETY: one past the end of the stack, which grows downwards.
        let top = unsafe { STACK.0.get().cast::<u8>().add(STACK_SIZE) };
        // SAFETY: `help` touches its own stack and the statics above alone. Without an exit signal nobody but
        // `takeNetwork` collects it.
        let pid = unsafe { libc::clone(help, top.cast(), flags, ptr::null_mut()) };
        HELPER.store(pid.max(0), Ordering::Relaxed);
        if pid < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// The namespace that was begun, once it is made. Throws what the helper failed with.
    fn takeNetwork() -> OwnedFd {
        let pid = HELPER.swap(0, Ordering::Relaxed);
        // SAFETY: no status is asked for.
        if pid == 0 || unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) } < 0 {
            return Err(Errno(libc::ECHILD));
        }
        let made = i32::try_from(MADE.load(Ordering::Acquire)).unwrap_or(-libc::EBADF);
        if made < 0 {
            return Err(Errno(-made));
        }
        // SAFETY: the helper has left it in the table of descriptors that both had.
        Ok(unsafe { OwnedFd::from_raw_fd(made) })
    }
}
