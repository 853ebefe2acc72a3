//! Owner, mode, times and extended attributes, set by descriptor or on the very name that was just made.

use crate::error::{Context, Error, Result};
use crate::name::show;
use crate::tar::Time;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmod, chownat, fchmod, fchown, fsetxattr,
    futimens, lremovexattr, lsetxattr, openat, utimensat,
};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Marks a directory of a layer that hides what lower layers have in it (kernel, overlayfs.rst).
pub const OPAQUE: &str = "trusted.overlay.opaque";
/// The same in a user namespace, for an overlay mounted with `userxattr`.
pub const USER_OPAQUE: &str = "user.overlay.opaque";

/// An extended attribute: name and value.
pub type Xattr = (Vec<u8>, Vec<u8>);

/// What a file has besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions, set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Time,
    /// Extended attributes.
    pub xattrs: Vec<Xattr>,
}

impl Attributes {
    /// Those of a directory that nothing describes. The time is fixed, so that the same layer gives the same tree.
    pub fn of_implied_directory() -> Self {
        Self { mode: 0o755, ..Self::default() }
    }

    /// Sets all on an open file or directory. Owner before mode: chown takes set-id bits away. Both before
    /// the attributes: it takes file capabilities away too.
    ///
    /// `maker` and `made_with` are the owner and the mode that a new file has; nothing says that they may be any.
    pub fn set(&self, file: BorrowedFd<'_>, maker: Option<Maker>, made_with: Option<u32>) -> Result<()> {
        if maker.is_none_or(|maker| maker.differs(self)) {
            self.set_owner(file)?;
        }
        if made_with != Some(self.mode) {
            fchmod(file, Mode::from_raw_mode(self.mode)).doing(|| "Cannot set the mode")?;
        }
        for (name, value) in &self.xattrs {
            set_xattr(name, value, |name, value| fsetxattr(file, name, value, XattrFlags::empty()))?;
        }
        futimens(file, &self.times()).doing(|| "Cannot set the times")
    }

    /// Sets the owner of an open file or directory, and nothing else.
    pub fn set_owner(&self, file: BorrowedFd<'_>) -> Result<()> {
        let (owner, group) = self.owner();
        fchown(file, owner, group).map_err(|errno| self.not_owned(errno))
    }

    /// Sets all on `name` in `dir`, which is a link or a node that must not be opened.
    /// For `maker` see [`Self::set`].
    pub fn set_at(&self, dir: BorrowedFd<'_>, name: &[u8], maker: Option<Maker>, is_link: bool) -> Result<()> {
        if maker.is_none_or(|maker| maker.differs(self)) {
            let (owner, group) = self.owner();
            let changed = chownat(dir, name, owner, group, AtFlags::SYMLINK_NOFOLLOW);
            changed.map_err(|errno| self.not_owned(errno))?;
        }
        if !is_link && self.mode & 0o7000 != 0 {
            let node = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            let node = node.doing(|| "Cannot open the node")?;
            let path = through_proc(node.as_raw_fd(), None);
            chmod(path, Mode::from_raw_mode(self.mode)).doing(|| "Cannot set the mode")?;
        }
        for (key, value) in &self.xattrs {
            let path = through_proc(dir.as_fd().as_raw_fd(), Some(name));
            set_xattr(key, value, |key, value| lsetxattr(&path, key, value, XattrFlags::empty()))?;
        }
        utimensat(dir, name, &self.times(), AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot set the times")
    }

    /// Makes `name` in `dir`, which has the extended attributes `has`, again what this says, also where it is marked by
    /// overlayfs. `choose` says which of the attributes count.
    pub fn force_at(
        &self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        has: &[Xattr],
        is_link: bool,
        choose: fn(&[u8]) -> bool,
    ) -> Result<()> {
        let (owner, group) = self.owner();
        let changed = chownat(dir, name, owner, group, AtFlags::SYMLINK_NOFOLLOW);
        changed.map_err(|errno| self.not_owned(errno))?;
        if !is_link {
            let node = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            let node = node.doing(|| "Cannot open it")?;
            chmod(through_proc(node.as_raw_fd(), None), Mode::from_raw_mode(self.mode))
                .doing(|| "Cannot set the mode")?;
        }
        let path = through_proc(dir.as_raw_fd(), Some(name));
        for (key, _) in has.iter().filter(|pair| choose(&pair.0) && !self.xattrs.contains(pair)) {
            lremovexattr(&path, key.as_slice()).doing(|| "Cannot remove an extended attribute")?;
        }
        for (key, value) in self.xattrs.iter().filter(|pair| !has.contains(pair)) {
            let set = lsetxattr(&path, key.as_slice(), value, XattrFlags::empty());
            set.doing(|| "Cannot set an extended attribute")?;
        }
        utimensat(dir, name, &self.times(), AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot set the times")
    }

    fn owner(&self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }

    fn not_owned(&self, errno: Errno) -> Error {
        let hint = if errno == Errno::INVAL {
            " (the user namespace does not have it: are there enough ids in /etc/subuid and /etc/subgid?)"
        } else {
            ""
        };
        Error::io(format!("Cannot set the owner {}:{}: {errno}{hint}", self.uid, self.gid))
    }

    /// Access time too: it is not in the layer, and the same layer shall give the same tree.
    fn times(&self) -> Timestamps {
        let time = Timespec { tv_sec: self.mtime.seconds, tv_nsec: self.mtime.nanoseconds.into() };
        Timestamps { last_access: time, last_modification: time }
    }
}

/// Whom new files belong to.
#[derive(Clone, Copy)]
pub struct Maker {
    uid: u32,
    gid: u32,
}

impl Maker {
    /// This process.
    pub fn of_this_process() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    fn differs(self, attributes: &Attributes) -> bool {
        (self.uid, self.gid) != (attributes.uid, attributes.gid)
    }
}

/// Whether an image may set the attribute. What overlayfs keeps in its own would let a layer redirect
/// directories or hide files of other layers.
pub fn is_allowed(name: &[u8]) -> bool {
    !name.starts_with(b"trusted.overlay.") && !name.starts_with(b"user.overlay.")
}

/// The path for calls that take none by descriptor. `name` is not followed by the calls used here.
pub fn through_proc(dir: RawFd, name: Option<&[u8]>) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{dir}").into_bytes();
    if let Some(name) = name {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// Attributes of users and labels of the build machine are a loss that can be borne; the others are not.
fn set_xattr(name: &[u8], value: &[u8], set: impl FnOnce(&[u8], &[u8]) -> rustix::io::Result<()>) -> Result<()> {
    if !is_allowed(name) {
        return Ok(());
    }
    let bearable = name.starts_with(b"user.") || name == b"security.selinux";
    match set(name, value) {
        Err(Errno::OPNOTSUPP | Errno::PERM) if bearable => Ok(()),
        Err(errno) => Err(Error::io(format!("Cannot set the extended attribute '{}': {errno}", show(name)))),
        Ok(()) => Ok(()),
    }
}
