//! Processes and their namespaces.

use super::{errno::Errno, text::Text, value::Fd};
use crate::{calls, protect::again, record};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::{
    ffi::{CString, c_char, c_int, c_long},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

record! {
    /// A process that was made.
    Made { pid: i64 = "pid", pidfd: Vec<OwnedFd> = "pidfd" }
}

record! {
    /// How a process ended: its exit code, or the signal that ended it (else 0). `pid` 0: it has not ended.
    Ended { pid: i64 = "pid", code: i64 = "code", signal: i64 = "signal" }
}

record! {
    /// uname(2).
    Uname { release: String = "release", machine: String = "machine" }
}

/// netdevice(7), by the type that musl gives ioctl(2).
const SIOCSIFFLAGS: libc::c_int = 0x8914;

/// clone3(2), `struct clone_args`.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

fn ended(pid: i32, status: c_int) -> Ended {
    if libc::WIFSIGNALED(status) {
        return Ended { pid: pid.into(), code: 0, signal: libc::WTERMSIG(status).into() };
    }
    Ended { pid: pid.into(), code: libc::WEXITSTATUS(status).into(), signal: 0 }
}

/// By libc: rustix insists on functions of the vDSO that User-mode Linux does not have.
pub(super) fn clock(id: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours; both clocks exist everywhere.
    unsafe { libc::clock_gettime(id, &raw mut now) };
    now
}

/// Pointers to the strings with a null at the end, as execve(2) wants them.
fn vector(list: &[CString]) -> Vec<*const c_char> {
    list.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// `execveat(2)` AT_EMPTY_PATH: becomes the program that `file` is. Returns only by failing.
///
/// # Errors
/// Those of `execveat(2)`.
pub fn run_file(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Result<(), Errno> {
    let (args, env) = (vector(args), vector(env));
    let file = file.as_raw_fd();
    // SAFETY: all strings end in NUL, both vectors in null, and all live until the call.
    unsafe { libc::syscall(libc::SYS_execveat, file, c"".as_ptr(), args.as_ptr(), env.as_ptr(), libc::AT_EMPTY_PATH) };
    Err(Errno::last())
}

calls! {
    /// `clone3(2)` as fork: both sides go on from here, with a heap each. `flags` is CLONE_*; CLONE_PIDFD is added. With
    /// `cgroup` the child begins its life there (CLONE_INTO_CGROUP). The child gets pid 0.
    fn clone3(flags: u64, cgroup: Vec<Fd>) -> Made {
        let mut pidfd: c_int = -1;
        let mut arguments = CloneArgs {
            flags: flags | libc::CLONE_PIDFD as u64,
            pidfd: (&raw mut pidfd).addr() as u64,
            // A sibling ends like its maker does: clone3 wants 0 then.
            exit_signal: if flags & libc::CLONE_PARENT as u64 == 0 { libc::SIGCHLD as u64 } else { 0 },
            ..CloneArgs::default()
        };
        if let Some(cgroup) = cgroup.first() {
            arguments.flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP
            arguments.cgroup = u64::try_from(cgroup.0).unwrap_or(0);
        }
        // SAFETY: without CLONE_VM the child has a copy of everything; one thread means that no lock is held by another.
        let pid: c_long = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>()) };
        match pid {
            0 => Ok(Made { pid: 0, pidfd: Vec::new() }),
            1.. => {
                // SAFETY: the kernel made it for us just now.
                let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
                Ok(Made { pid, pidfd: vec![pidfd] })
            }
            _ => Err(Errno::last()),
        }
    }

    /// `wait4(2)`; `pid` -1 waits for any child; with `block` false it only looks, and no child at all is none that has ended.
    fn wait(pid: i32, block: bool) -> Ended {
        let mut status: c_int = 0;
        loop {
            // SAFETY: `status` is ours.
            let answer = unsafe { libc::waitpid(pid, &raw mut status, if block { 0 } else { libc::WNOHANG }) };
            let errno = if answer < 0 { Errno::last() } else { return Ok(ended(answer, status)) };
            match errno.0 {
                libc::EINTR => {}
                libc::ECHILD if !block => return Ok(Ended { pid: 0, code: 0, signal: 0 }),
                _ => return Err(errno),
            }
        }
    }

    /// `pidfd_open(2)`.
    fn pidfdOpen(pid: i32) -> OwnedFd {
        let pid = Pid::from_raw(pid).ok_or(Errno(libc::ESRCH))?;
        Ok(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
    }

    /// `pidfd_send_signal(2)`; 0 only asks whether the process is there.
    fn pidfdSendSignal(pidfd: Fd, signal: i32) -> () {
        // SAFETY: no siginfo is passed; the descriptor is open.
        let answer = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.0, signal, ptr::null::<u8>(), 0) };
        if answer < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `kill(2)`.
    fn kill(pid: i32, signal: i32) -> () {
        let target = Pid::from_raw(pid).ok_or(Errno(libc::ESRCH))?;
        match Signal::from_named_raw(signal) {
            Some(signal) => Ok(rustix::process::kill_process(target, signal)?),
            // SAFETY: no memory is involved. rustix has names for the standard signals only.
            None => if unsafe { libc::kill(pid, signal) } < 0 { Err(Errno::last()) } else { Ok(()) },
        }
    }

    /// `setns(2)`; with a pidfd `flags` says which namespaces.
    fn setns(fd: Fd, flags: i32) -> () {
        // SAFETY: the descriptor is open; no memory is involved.
        if unsafe { libc::setns(fd.0, flags) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `unshare(2)`.
    fn unshare(flags: i32) -> () {
        // SAFETY: one thread: nothing is shared with another. CLONE_FILES and CLONE_FS change nothing for it.
        if unsafe { libc::unshare(flags) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `setsid(2)`.
    fn setsid() -> () {
        rustix::process::setsid()?;
        Ok(())
    }

    /// `getpid(2)`.
    fn getpid() -> i64 {
        Ok(rustix::process::getpid().as_raw_nonzero().get().into())
    }

    /// `getppid(2)`; 0 where the parent is outside of the pid namespace.
    fn getppid() -> i64 {
        Ok(rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().into()))
    }

    /// `prctl(2)`; gives its answer.
    fn prctl(option: i32, second: u64, third: u64) -> i64 {
        // SAFETY: the program calls only options whose arguments are numbers.
        let answer = unsafe { libc::prctl(option, second, third, 0_u64, 0_u64) };
        if answer < 0 { Err(Errno::last()) } else { Ok(answer.into()) }
    }

    /// `prctl(2)` PR_SET_NAME: what /proc/PID/comm shows.
    fn setName(name: CString) -> () {
        // SAFETY: the name ends in NUL; the kernel copies 16 bytes at most.
        if unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `sethostname(2)`.
    fn setHostname(name: CString) -> () {
        Ok(rustix::system::sethostname(name.as_bytes())?)
    }

    /// `setdomainname(2)`.
    fn setDomainname(name: CString) -> () {
        // SAFETY: the text lives through the call and its length is told.
        if unsafe { libc::setdomainname(name.as_ptr(), name.as_bytes().len()) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `execve(2)`. Returns only by failing.
    fn execve(path: CString, args: Vec<CString>, env: Vec<CString>) -> () {
        let (args, env) = (vector(&args), vector(&env));
        // SAFETY: all strings end in NUL, both vectors in null, and all live until the call.
        unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
        Err(Errno::last())
    }

    /// Begins the program anew, out of a container's reach: see protect.rs. Returns only by failing.
    fn protect(args: Vec<Text>, env: Vec<Text>) -> () {
        again(&args, &env)
    }

    /// Ends the process at once: `_exit(2)`.
    fn exit(code: i32) -> () {
        // SAFETY: nothing has to be flushed or destroyed.
        unsafe { libc::_exit(code) }
    }

    /// `uname(2)`.
    fn uname() -> Uname {
        let name = rustix::system::uname();
        let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
        Ok(Uname { release: text(name.release()), machine: text(name.machine()) })
    }

    /// The time of day: whole seconds since 1970, and nanoseconds.
    fn clockRealtime() -> Vec<i64> {
        let now = clock(libc::CLOCK_REALTIME);
        Ok(vec![now.tv_sec, now.tv_nsec])
    }

    /// Microseconds since the machine began.
    fn clockMonotonic() -> i64 {
        let now = clock(libc::CLOCK_MONOTONIC);
        Ok(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
    }

    /// Sleeps.
    fn sleep(milliseconds: u64) -> () {
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        Ok(())
    }

    /// `getrandom(2)`, as lower-case hexadecimal digits of `count` bytes.
    fn randomHex(count: u32) -> String {
        let mut bytes = vec![0_u8; usize::try_from(count).unwrap_or(0).min(256)];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
        Ok(bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
            text
        }))
    }

    /// SIOCSIFFLAGS on the interface `name`: sets IFF_UP. See netdevice(7).
    fn interfaceUp(name: CString) -> () {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )?;
        // SAFETY: an all-zero ifreq is a valid value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes().iter().take(libc::IFNAMSIZ - 1)) {
            *to = from.cast_signed() as c_char;
        }
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap_or_default();
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        // SAFETY: the request lives through the call and has the size that SIOCSIFFLAGS reads.
        if unsafe { libc::ioctl(number, SIOCSIFFLAGS, &raw const request) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }
}
