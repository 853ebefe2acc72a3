//! Mounts on the way through a tree: most trees of the store have none, and what is mounted there all the same is not entered.

use crate::beneath::resolve;
use crate::error::{Context, Result};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags, openat2, statx};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Which mounts a walk enters.
pub enum Mounts {
    /// None.
    Own,
    /// All but these, by the numbers that statx(2) gives them.
    AllBut(Vec<u64>),
}

impl Mounts {
    /// Every one: for what is named itself.
    pub const ALL: Self = Self::AllBut(Vec::new());

    /// Opens the directory `name` in `dir`: `EXDEV` where it is not to be entered.
    pub fn dir(&self, dir: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        self.open(dir, name, OFlags::DIRECTORY)
    }

    /// Opens the regular file `name` in `dir` for reading.
    pub fn file(&self, dir: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        self.open(dir, name, OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    fn open(&self, dir: impl AsFd, name: &[u8], how: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | how;
        let Self::AllBut(closed) = self else { return openat2(dir, name, flags, Mode::empty(), resolve()) };
        let opened = openat2(dir, name, flags, Mode::empty(), resolve() - ResolveFlags::NO_XDEV)?;
        if !closed.is_empty() && closed.contains(&look(&opened)?.stx_mnt_id) {
            return Err(Errno::XDEV);
        }
        Ok(opened)
    }
}

/// The mount that an open file is in.
pub fn mount_of(file: &OwnedFd) -> Result<u64> {
    Ok(look(file).doing(|| "Cannot look at a mount")?.stx_mnt_id)
}

/// The mount whose root an open file is; nothing where it is none.
pub fn mounted_on(file: &OwnedFd) -> Result<Option<u64>> {
    let found = look(file).doing(|| "Cannot look at a mount")?;
    Ok(found.stx_attributes.contains(rustix::fs::StatxAttributes::MOUNT_ROOT).then_some(found.stx_mnt_id))
}

fn look(file: &OwnedFd) -> rustix::io::Result<rustix::fs::Statx> {
    statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)
}
