//! Who a process is and what it may do.

use super::{errno::Errno, value::Wide};
use crate::calls;
use std::ffi::{CString, c_int};

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The lower or upper half of a set of capabilities.
#[allow(clippy::cast_possible_truncation)]
fn half(set: u64, upper: bool) -> u32 {
    (if upper { set >> 32 } else { set }) as u32
}

/// `prctl(2)` with two numbers.
fn prctl(option: c_int, second: u64) -> c_int {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(option, second, 0_u64, 0_u64, 0_u64) }
}

calls! {
    /// PR_CAPBSET_DROP of every capability that the kernel knows, but for those in `keep`, bits 1 << CAP_*. One that is out of
    /// the set already may be dropped by anybody.
    fn dropBoundingSet(keep: u64) -> () {
        for number in (0..64).filter(|number| keep >> number & 1 == 0) {
            if prctl(libc::PR_CAPBSET_DROP, number) < 0 {
                let errno = Errno::last();
                match prctl(libc::PR_CAPBSET_READ, number) {
                    // The kernel's last capability was one before.
                    ..0 => return Ok(()),
                    0 => {}
                    _ => return Err(errno),
                }
            }
        }
        Ok(())
    }

    /// `capset(2)`: sets of bits 1 << CAP_*.
    fn capset(effective: u64, permitted: u64, inheritable: u64) -> () {
        let header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
        let data = [false, true].map(|upper| CapData {
            effective: half(effective, upper),
            permitted: half(permitted, upper),
            inheritable: half(inheritable, upper),
        });
        // SAFETY: version 3 reads two data structs; both live through the call.
        if unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `setgroups(2)`, raw: libc would signal other threads, of which there are none.
    fn setgroups(groups: Vec<u32>) -> () {
        // SAFETY: the list lives through the call and its length is told.
        if unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `setresuid(2)`.
    fn setresuid(uid: u32) -> () {
        // SAFETY: no memory is involved.
        if unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `setresgid(2)`.
    fn setresgid(gid: u32) -> () {
        // SAFETY: no memory is involved.
        if unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) } < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `geteuid(2)`.
    fn geteuid() -> i64 {
        Ok(rustix::process::geteuid().as_raw().into())
    }

    /// `getegid(2)`.
    fn getegid() -> i64 {
        Ok(rustix::process::getegid().as_raw().into())
    }

    /// `prlimit(2)` of a process (0: the caller), exact to 64 bits.
    fn setrlimit(pid: i32, resource: u32, soft: Wide, hard: Wide) -> () {
        let limit = libc::rlimit64 { rlim_cur: soft.0, rlim_max: hard.0 };
        // SAFETY: the struct lives through the call.
        let answer = unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, std::ptr::null_mut::<u8>()) };
        if answer < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `prlimit(2)`: the hard limit of a process becomes `hard` where it is lower; the soft one stays.
    fn raiseLimit(pid: i32, resource: u32, hard: Wide) -> () {
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the struct lives through the call.
        let answer = unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, std::ptr::null::<u8>(), &raw mut limit) };
        if answer < 0 {
            return Err(Errno::last());
        }
        if limit.rlim_max >= hard.0 {
            return Ok(());
        }
        limit.rlim_max = hard.0;
        // SAFETY: the struct lives through the call.
        let answer = unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &raw const limit, std::ptr::null_mut::<u8>()) };
        if answer < 0 { Err(Errno::last()) } else { Ok(()) }
    }

    /// `keyctl(2)` KEYCTL_JOIN_SESSION_KEYRING.
    fn joinSessionKeyring(name: CString) -> () {
        // SAFETY: the name ends in NUL.
        let answer = unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) };
        if answer < 0 { Err(Errno::last()) } else { Ok(()) }
    }
}
