//! Programs that the kernel runs: seccomp(2) and the device filter of a cgroup, bpf(2). And the last act of a container's
//! init, which installs the one and becomes the container's process.

use super::{
    errno::Errno,
    value::{Bytes, Fd},
};
use crate::calls;
use std::{
    ffi::CString,
    os::fd::{FromRawFd, OwnedFd},
    ptr,
};

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;

/// The part of `union bpf_attr` that BPF_PROG_LOAD reads.
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that BPF_PROG_ATTACH reads.
#[repr(C)]
struct ProgAttach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

#[repr(C)]
struct SockFprog {
    length: u16,
    filter: *const u8,
}

fn install(flags: u32, program: &[u8]) -> Result<(), Errno> {
    let length = u16::try_from(program.len() / 8).map_err(|_| Errno(libc::E2BIG))?;
    let program = SockFprog { length, filter: program.as_ptr() };
    // SAFETY: `filter` points to `length` instructions of 8 bytes that live through the call.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if answer < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// More than this program ever has open.
const MANY: u64 = 65536;

/// Closes everything from `first` to `last`. A filter that is in force already may be older than close_range(2).
fn close_between(first: i32, last: i32) -> Result<(), Errno> {
    if first > last {
        return Ok(());
    }
    // SAFETY: whoever calls this gives them all up.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } >= 0 {
        return Ok(());
    }
    let errno = Errno::last();
    if errno.0 != libc::EPERM && errno.0 != libc::ENOSYS {
        return Err(errno);
    }
    // The limit may have been lowered when more were open.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20).max(MANY);
    for number in first..=last.min(i32::try_from(limit).unwrap_or(i32::MAX)) {
        // SAFETY: as above.
        unsafe { libc::close(number) };
    }
    Ok(())
}

calls! {
    /// `seccomp(2)` SECCOMP_SET_MODE_FILTER; `program` is an array of struct sock_filter.
    fn seccomp(flags: u32, program: Bytes) -> () {
        install(flags, program.get())
    }

    /// `bpf(2)` BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program; `program` is an array of struct bpf_insn.
    fn loadDeviceFilter(program: Bytes) -> OwnedFd {
        let bytes = program.get();
        let attributes = ProgLoad {
            prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
            instruction_count: u32::try_from(bytes.len() / 8).map_err(|_| Errno(libc::E2BIG))?,
            instructions: bytes.as_ptr().addr() as u64,
            license: c"GPL".as_ptr().addr() as u64,
            log_level: 0,
            log_size: 0,
            log_buffer: 0,
            kernel_version: 0,
            flags: 0,
        };
        // SAFETY: all pointers in the struct live through the call and its size is told.
        let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size_of::<ProgLoad>()) };
        match i32::try_from(fd) {
            // SAFETY: the kernel made it for us just now.
            Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ => Err(Errno::last()),
        }
    }

    /// `bpf(2)` BPF_PROG_ATTACH of a device filter to a cgroup; `flags` is BPF_F_ALLOW_MULTI or 0.
    fn attachDeviceFilter(cgroup: Fd, program: Fd, flags: u32) -> () {
        let attributes = ProgAttach {
            target: cgroup.0.cast_unsigned(),
            program: program.0.cast_unsigned(),
            kind: BPF_CGROUP_DEVICE,
            flags,
        };
        // SAFETY: the struct lives through the call and its size is told.
        let answer = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size_of::<ProgAttach>()) };
        if answer < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `close_range(2)`; `flags` is CLOSE_RANGE_CLOEXEC or 0.
    fn closeRange(first: u32, last: u32, flags: u32) -> () {
        // SAFETY: the program calls it only when the descriptors in the range are nobody's any more.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// The end of a container's init: closes every descriptor from `keep` on but `report` (which execve closes), installs the
    /// seccomp filter if `program` is not empty, and calls execve(2). Nothing of the program runs in between: CVE-2024-21626.
    /// No descriptor gets another number, which a low limit of open files would forbid.
    fn becomeProcess(
        path: CString, args: Vec<CString>, env: Vec<CString>, keep: i32, report: Fd, flags: u32, program: Bytes,
    ) -> () {
        let vector = |list: &[CString]| list.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect::<Vec<_>>();
        let (args_vector, env_vector) = (vector(&args), vector(&env));
        rustix::io::fcntl_setfd(report.get(), rustix::io::FdFlags::CLOEXEC)?;
        close_between(keep, report.0 - 1)?;
        close_between(keep.max(report.0 + 1), i32::MAX)?;
        if !program.get().is_empty() {
            install(flags, program.get())?;
        }
        // SAFETY: all strings end in NUL, both vectors in null, and all live until the call.
        unsafe { libc::execve(path.as_ptr(), args_vector.as_ptr(), env_vector.as_ptr()) };
        Err(Errno::last())
    }
}
