//! The program's own file, out of a container's reach (CVE-2019-5736). A process that is seen from inside, as init is before
//! its execve, shows its executable at /proc/PID/exe, where it could be opened for writing once nobody runs it. So the
//! program runs itself again from a detached, read-only copy of the mount that its file is on: opening that for writing
//! fails with EROFS, now and later, and no path leads to the mount. A user without privileges may make no such mount, but a
//! copy of the file in memory, sealed: memfd_create(2). It happens before the engine starts: an engine that has run already
//! would cost as much again.

use crate::sys::{errno::Errno, mounts::make_readonly, process::run_file, text::Text, trace};
use rustix::{
    fs::{
        AtFlags, CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags, StatxAttributes, StatxFlags,
        fcntl_add_seals, fcntl_get_seals, fstat, fstatvfs, memfd_create, openat, readlinkat, sendfile, statx,
    },
    io,
    mount::{OpenTreeFlags, open_tree},
};
use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
};

/// The commands that make a process in a container. One of these words anywhere among the arguments is enough: to be
/// protected for nothing does no harm.
const ENTERING: [&str; 3] = ["create", "run", "exec"];

/// Says that the copy runs, and where the original is: the image worker lies beside that.
const MARK: &str = "_TSRUN_ORIGINAL=";

const OWN_FILE: &CStr = c"/proc/self/exe";

/// What keeps everybody from changing a file in memory.
const SEALS: SealFlags = SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// Returns where no container will see the process, where it is protected, or where it cannot be: the program asks before it
/// makes a container. Else the process becomes the protected one. Says whether the command is one of
/// those.
#[must_use]
pub fn protect(args: &[Text], env: &[Text]) -> bool {
    let entering = args.iter().any(|arg| arg.as_str().is_some_and(|word| ENTERING.contains(&word)));
    let marked = env.iter().any(|entry| entry.0.starts_with(MARK.as_bytes()));
    if entering && !marked && !is_protected() && !is_unwritable() {
        let _ = again(args, env);
    }
    entering
}

/// Whether nobody can write to the file anyway: statx(2), FS_IOC_ENABLE_VERITY, chattr(1) +i. The program asks again when it
/// knows what the container may do: CAP_LINUX_IMMUTABLE takes the flag away.
fn is_unwritable() -> bool {
    let unwritable = StatxAttributes::VERITY | StatxAttributes::IMMUTABLE;
    statx(CWD, OWN_FILE, AtFlags::empty(), StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.intersects(unwritable))
}

/// Whether the executable is the root of a read-only mount that is attached nowhere, its path is "/" then, or sealed.
fn is_protected() -> bool {
    let Ok(path) = readlinkat(CWD, OWN_FILE, Vec::new()) else { return false };
    // Only a file in memory is looked into: the path of one begins so, memfd_create(2).
    if path.as_bytes().starts_with(b"/memfd:") {
        let file = openat(CWD, OWN_FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        return file.and_then(fcntl_get_seals).is_ok_and(|seals| seals.contains(SEALS));
    }
    if path.as_bytes() != b"/" {
        return false;
    }
    let file = open_tree(CWD, OWN_FILE, OpenTreeFlags::OPEN_TREE_CLOEXEC);
    file.map_err(Errno::from)
        .and_then(|file| fstatvfs(file.as_fd()).map_err(Errno::from))
        .is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Becomes the protected program. Returns only by failing.
///
/// # Errors
/// Those of the calls that it takes.
pub fn again(args: &[Text], env: &[Text]) -> Result<(), Errno> {
    let original = readlinkat(CWD, OWN_FILE, Vec::new())?;
    let copy = match mounted_copy() {
        // Without CAP_SYS_ADMIN.
        Err(Errno(libc::EPERM)) => sealed_copy()?,
        other => other?,
    };
    let mut mark = MARK.as_bytes().to_vec();
    mark.extend_from_slice(original.as_bytes());
    let list = |texts: &[Text]| texts.iter().filter_map(|text| CString::new(text.0.clone()).ok()).collect::<Vec<_>>();
    let mut env = list(env);
    env.extend(CString::new(mark));
    if let Some(entry) = trace::handed_on() {
        env.retain(|other| !other.as_bytes().starts_with(trace::VARIABLE.as_bytes()));
        env.extend(CString::new(entry));
    }
    run_file(copy.as_fd(), &list(args), &env)
}

fn mounted_copy() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copy = open_tree(CWD, OWN_FILE, flags)?;
    make_readonly(copy.as_fd())?;
    Ok(copy)
}

fn sealed_copy() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Before Linux 6.3 every such file may be executed, and the flag is unknown.
    let copy = match memfd_create(c"tsrun", flags | MemfdFlags::EXEC) {
        Err(io::Errno::INVAL) => memfd_create(c"tsrun", flags),
        other => other,
    }?;
    let file = openat(CWD, OWN_FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut left = usize::try_from(fstat(&file)?.st_size).unwrap_or(0);
    while left > 0 {
        match sendfile(&copy, &file, None, left)? {
            0 => return Err(Errno(libc::EIO)),
            sent => left -= sent.min(left),
        }
    }
    fcntl_add_seals(&copy, SEALS)?;
    Ok(copy)
}
