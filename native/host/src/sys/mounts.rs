//! The mount API of Linux 5.2 and 5.12: mounts are made detached and attached to a descriptor, never to a path.

use super::{
    errno::Errno,
    value::{Dir, Fd, base},
};
use crate::calls;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::{
    ffi::CString,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

fn set_attributes(fd: BorrowedFd<'_>, flags: u32, attributes: &MountAttr) -> Result<(), Errno> {
    let flags = flags | libc::AT_EMPTY_PATH.cast_unsigned();
    // SAFETY: the path ends in NUL; the struct lives through the call and its size is told.
    let answer = unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd.as_raw_fd(), c"".as_ptr(), flags, attributes, size_of::<MountAttr>())
    };
    if answer < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// Makes a detached mount read-only.
///
/// # Errors
/// Those of `mount_setattr(2)`.
pub fn make_readonly(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let readonly = MountAttr { set: libc::MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    set_attributes(fd, 0, &readonly)
}

calls! {
    /// `open_tree(2)`, close-on-exec always: with OPEN_TREE_CLONE a detached copy of a mount.
    fn openTree(dir: Dir, path: CString, flags: u32) -> OwnedFd {
        let flags = OpenTreeFlags::from_bits_retain(flags) | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        Ok(mount::open_tree(base(dir), path, flags)?)
    }

    /// `move_mount(2)`, descriptor to descriptor.
    fn moveMount(from: Fd, to: Fd) -> () {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        Ok(mount::move_mount(from.get(), c"", to.get(), c"", flags)?)
    }

    /// `mount_setattr(2)` on the mount that `fd` is; `flags` is AT_RECURSIVE or 0, `propagation` one of MS_* or 0.
    fn mountSetattr(fd: Fd, flags: u32, set: u64, clear: u64, propagation: u64) -> () {
        set_attributes(fd.get(), flags, &MountAttr { set, clear, propagation, user_namespace: 0 })
    }

    /// `mount_setattr(2)` MOUNT_ATTR_IDMAP: the detached mount `fd` shows the ids of its files as `namespace`, a user
    /// namespace, maps them. `flags` is AT_RECURSIVE or 0.
    fn mountIdmap(fd: Fd, flags: u32, namespace: Fd) -> () {
        let user_namespace = u64::from(namespace.get().as_raw_fd().cast_unsigned());
        let attributes = MountAttr { set: libc::MOUNT_ATTR_IDMAP, clear: 0, propagation: 0, user_namespace };
        set_attributes(fd.get(), flags, &attributes)
    }

    /// `fsopen(2)`, close-on-exec.
    fn fsopen(kind: CString) -> OwnedFd {
        Ok(mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?)
    }

    /// `fsconfig(2)` FSCONFIG_SET_STRING.
    fn fsconfigString(context: Fd, key: CString, value: CString) -> () {
        Ok(mount::fsconfig_set_string(context.get(), key, value)?)
    }

    /// `fsconfig(2)` FSCONFIG_SET_FLAG.
    fn fsconfigFlag(context: Fd, key: CString) -> () {
        Ok(mount::fsconfig_set_flag(context.get(), key)?)
    }

    /// `fsconfig(2)` FSCONFIG_SET_FD.
    fn fsconfigFd(context: Fd, key: CString, value: Fd) -> () {
        Ok(mount::fsconfig_set_fd(context.get(), key, value.get())?)
    }

    /// `fsconfig(2)` FSCONFIG_CMD_CREATE.
    fn fsconfigCreate(context: Fd) -> () {
        Ok(mount::fsconfig_create(context.get())?)
    }

    /// `fsmount(2)`, close-on-exec; `attributes` is MOUNT_ATTR_*.
    fn fsmount(context: Fd, attributes: u32) -> OwnedFd {
        Ok(mount::fsmount(context.get(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::from_bits_retain(attributes))?)
    }

    /// `umount2(2)` MNT_DETACH of the working directory's mount.
    fn detachWorkingDirectory() -> () {
        Ok(mount::unmount(c".", UnmountFlags::DETACH)?)
    }

    /// `pivot_root(".", ".")`: the working directory becomes the root, the old root lies over it. See pivot_root(2), NOTES.
    fn pivotRoot() -> () {
        Ok(rustix::process::pivot_root(c".", c".")?)
    }

    /// `chroot(2)` to the working directory.
    fn chrootHere() -> () {
        Ok(rustix::process::chroot(c".")?)
    }
}
