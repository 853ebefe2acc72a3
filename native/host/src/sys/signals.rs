//! Signals, and waiting for several things at once.

use super::{errno::Errno, value::Fd};
use crate::calls;
use std::{
    ffi::c_ulong,
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

/// rt_sigaction(2), `struct kernel_sigaction` of x86-64: the kernel's own, in which the mask comes last.
#[repr(C)]
struct KernelAction {
    handler: libc::sighandler_t,
    flags: c_ulong,
    restorer: usize,
    mask: u64,
}

/// A set of signals as the kernel keeps it: bit n-1 for signal n.
fn set_mask(mask: u64) -> Result<(), Errno> {
    // SAFETY: the kernel's sigset has 8 bytes; nothing is asked back.
    let answer = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, ptr::null_mut::<u64>(), 8)
    };
    if answer < 0 { Err(Errno::last()) } else { Ok(()) }
}

calls! {
    /// Blocks all signals and gives a `signalfd(2)`, close-on-exec, that they are read from.
    fn signalFd() -> OwnedFd {
        set_mask(u64::MAX)?;
        let mask = u64::MAX;
        // SAFETY: the kernel's sigset has 8 bytes.
        let fd = unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, 8, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        let Ok(fd) = i32::try_from(fd) else { return Err(Errno::last()) };
        if fd < 0 {
            return Err(Errno::last());
        }
        // SAFETY: the kernel made it for us just now.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The next signal of a signalfd, 0 if there is none.
    fn readSignal(fd: Fd) -> i64 {
        let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::retry_on_intr(|| rustix::io::read(fd.get(), &mut buffer)) {
            Ok(_) => Ok(i64::from(u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]))),
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Every signal to its default, none blocked: what the kernel gives to a program that nobody started.
    fn resetSignals() -> () {
        let action = KernelAction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        for signal in 1..=64 {
            // Past libc, which keeps 32 to 34 for itself: a caller may ignore those too. SIGKILL and SIGSTOP answer EINVAL.
            // SAFETY: SIG_DFL is no function of ours; the struct is the kernel's, with a mask of 8 bytes.
            unsafe {
                libc::syscall(libc::SYS_rt_sigaction, signal, &raw const action, ptr::null_mut::<KernelAction>(), 8)
            };
        }
        set_mask(0)
    }

    /// `sigprocmask(2)`: no signal is blocked any more.
    fn unblockSignals() -> () {
        set_mask(0)
    }

    /// `signal(2)` SIG_IGN.
    fn ignoreSignal(signal: i32) -> () {
        // SAFETY: SIG_IGN is no function of ours.
        if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
    }

    /// `signal(2)` SIG_DFL.
    fn heedSignal(signal: i32) -> () {
        // SAFETY: SIG_DFL is no function of ours.
        if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
    }

    /// `poll(2)`: waits until one of `fds` can be read (or written, where its entry in `events` says POLLOUT); gives
    /// the revents of each. `timeout` in milliseconds, -1 for ever. An interruption counts as nothing happened.
    fn poll(fds: Vec<Fd>, events: Vec<u32>, timeout: i32) -> Vec<i64> {
        let mut list: Vec<libc::pollfd> = fds
            .iter()
            .zip(events)
            .map(|(fd, events)| libc::pollfd { fd: fd.0, events: i16::try_from(events).unwrap_or(0), revents: 0 })
            .collect();
        // SAFETY: the list lives through the call and its length is told.
        if unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, timeout) } < 0 {
            let errno = Errno::last();
            return if errno.0 == libc::EINTR { Ok(vec![0; list.len()]) } else { Err(errno) };
        }
        Ok(list.iter().map(|entry| entry.revents.into()).collect())
    }
}
