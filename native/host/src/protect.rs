//! The program's own file, out of a container's reach (CVE-2019-5736). A process that is seen from inside, as init is before
//! its execve, shows its executable at /proc/PID/exe, where it could be opened for writing once nobody runs it. So the
//! program runs itself again from a detached, read-only copy of the mount that its file is on: opening that for writing
//! fails with EROFS, now and later, and no path leads to the mount. It happens before the engine starts: an engine that
//! has run already would cost as much again.

use crate::sys::{errno::Errno, mounts::make_readonly, process::run_file, text::Text, trace};
use rustix::{
    fs::{AtFlags, CWD, StatVfsMountFlags, StatxAttributes, StatxFlags, fstatvfs, readlinkat, statx},
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

/// Returns where no container will see the process, where it is protected, or where it cannot be (without CAP_SYS_ADMIN):
/// the program asks before it makes a container. Else the process becomes the protected one. Says whether the command is one of
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

/// Whether the executable is the root of a read-only mount that is attached nowhere: its path is "/" then.
fn is_protected() -> bool {
    let path = readlinkat(CWD, OWN_FILE, Vec::new());
    if !path.is_ok_and(|path| path.as_bytes() == b"/") {
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
/// Those of the calls that it takes, EPERM without CAP_SYS_ADMIN.
pub fn again(args: &[Text], env: &[Text]) -> Result<(), Errno> {
    let original = readlinkat(CWD, OWN_FILE, Vec::new())?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copy: OwnedFd = open_tree(CWD, OWN_FILE, flags)?;
    make_readonly(copy.as_fd())?;
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
