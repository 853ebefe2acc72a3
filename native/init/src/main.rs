//! `tsrun-init`: the first process of a container that is run with `--init`. It runs the command as its child, passes signals
//! on to it, collects whoever is left to it, and ends as the command ends. Without the standard library: each such container
//! gets a copy of its own, so that nothing that others run can be reached from inside (CVE-2019-5736).

#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), no_main)]

use core::ffi::{CStr, c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;

// What the standard library would ask the linker for.
#[link(name = "c", kind = "static")]
unsafe extern "C" {}

/// `tsrun-init -- COMMAND [ARGUMENT...]`.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: the kernel gives a name, tsrun gives "--" and a command, and the list ends in a null.
    let command = unsafe { argv.add(2) };
    let all = all_signals();
    let before = block(&all);
    // SAFETY: there is one thread.
    match unsafe { libc::fork() } {
        -1 => fail(c"fork"),
        0 => become_command(command, &before),
        child => attend(child, &all),
    }
}

/// Waits for signals, which are all blocked, until the child has ended.
fn attend(child: libc::pid_t, all: &libc::sigset_t) -> c_int {
    loop {
        // SAFETY: no information is asked for beyond the number.
        let signal = unsafe { libc::sigwaitinfo(all, ptr::null_mut()) };
        if signal == libc::SIGCHLD {
            if let Some(code) = collect(child) {
                return code;
            }
        } else if signal > 0 {
            // SAFETY: a child that has ended is not collected before this returns.
            unsafe { libc::kill(child, signal) };
        }
    }
}

/// Collects all that have ended; gives the code where the child is among them, 128+n for signal n as a shell has it.
fn collect(child: libc::pid_t) -> Option<c_int> {
    let mut code = None;
    loop {
        let mut status = 0;
        // SAFETY: `status` is ours.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return code;
        }
        if pid == child {
            let signaled = libc::WIFSIGNALED(status);
            code = Some(if signaled { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) });
        }
    }
}

/// The child's side. It leads a process group of its own, in the foreground of the terminal if there is one: what is typed
/// there comes to it once, and not again through its parent.
fn become_command(command: *const *const c_char, before: &libc::sigset_t) -> c_int {
    // SAFETY: no memory is involved.
    unsafe { libc::setpgid(0, 0) };
    // SAFETY: as above.
    let group = unsafe { libc::getpid() };
    // SAFETY: as above. SIGTTOU is blocked; where there is no terminal it fails, and nothing is lost.
    unsafe { libc::tcsetpgrp(0, group) };
    // SAFETY: the set lives through the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
    // SAFETY: see main.
    let name = unsafe { *command };
    // SAFETY: see main.
    unsafe { libc::execvp(name, command) };
    // SAFETY: it is this thread's own.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let missing = unsafe { *errno } == libc::ENOENT;
    // SAFETY: see main.
    fail(unsafe { CStr::from_ptr(name) });
    if missing { 127 } else { 126 }
}

fn all_signals() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is ours.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: sigfillset(3) has filled it.
    unsafe { set.assume_init() }
}

/// Blocks signals; gives what was blocked before.
fn block(set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = *set;
    // SAFETY: both sets live through the call.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, set, &raw mut before) };
    before
}

/// Says what failed, and why.
fn fail(what: &CStr) -> c_int {
    // SAFETY: the text ends in a null.
    unsafe { libc::perror(what.as_ptr()) };
    125
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::abort() }
}
