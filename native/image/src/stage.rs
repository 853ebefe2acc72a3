//! A directory in the making: nobody sees it before it is whole, and nothing of it is left when it fails.

use crate::beneath::open_dir;
use crate::error::{Context, Error, Result};
use crate::remove::{split_absolute, tree};
use rustix::fs::{
    Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, fremovexattr, fstat, fsync, mkdirat, open, openat,
    renameat_with, syncfs,
};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

/// A temporary directory on the file system of the place where it is to appear.
pub struct Stage {
    parent: OwnedFd,
    /// Where it lies until it appears.
    staging: OwnedFd,
    temporary: Option<String>,
    name: String,
    dir: OwnedFd,
}

impl Stage {
    /// Makes the directory, with mode 0700, for the absolute path `dest`: in the directory `staging`, or beside it.
    pub fn new(dest: &str, staging: Option<&str>) -> Result<Self> {
        let (parent, name) = split_absolute(dest)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = |path: &str| open(path, flags, Mode::empty()).doing(|| format!("Cannot open {path}"));
        let beside = staging.unwrap_or(parent);
        let (parent, staging) = (opened(parent)?, opened(beside)?);
        let temporary = format!(".tmp-{}", random()?);
        mkdirat(&staging, &temporary, Mode::RWXU).doing(|| format!("Cannot create a directory in {beside}"))?;
        let dir = own(open_dir(&staging, temporary.as_bytes()), Mode::RWXU)?;
        Ok(Self { parent, staging, temporary: Some(temporary), name: name.to_owned(), dir })
    }

    /// The directory.
    pub fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// Makes the directory `name` in it, with mode 0755.
    pub fn directory(&self, name: &str) -> Result<OwnedFd> {
        let mode = Mode::from_raw_mode(0o755);
        mkdirat(&self.dir, name, mode).doing(|| format!("Cannot create directory {name}"))?;
        own(open_dir(&self.dir, name.as_bytes()), mode)
    }

    /// Makes the file `name` in it.
    pub fn file(&self, name: &str) -> Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.dir, name, flags, Mode::from_raw_mode(0o644));
        opened.map(File::from).doing(|| format!("Cannot create {name}"))
    }

    /// Lets the directory appear. Says whether there was one already, in which case that one stays.
    /// [`sync`] goes before, or a power cut leaves a whole name with half of the files.
    pub fn publish(mut self) -> Result<bool> {
        let Some(temporary) = &self.temporary else { return Ok(true) };
        match renameat_with(&self.staging, temporary, &self.parent, &self.name, RenameFlags::NOREPLACE) {
            Ok(()) => self.temporary = None,
            Err(Errno::EXIST) => return Ok(true),
            Err(errno) => return Err(Error::io(format!("Cannot create {}: {errno}", self.name))),
        }
        fsync(&self.parent).doing(|| format!("Cannot write the directory of {} to the disk", self.name))?;
        Ok(false)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // What cannot be removed is swept at the next start, by its name.
            let _ = tree(&self.staging, temporary.as_bytes());
        }
    }
}

/// Writes the file systems of all stages to the disk, each once.
pub fn sync<'a>(stages: impl IntoIterator<Item = &'a Stage>) -> Result<()> {
    let mut done = Vec::new();
    for stage in stages {
        let device = fstat(&stage.dir).doing(|| "Cannot look at a directory")?.st_dev;
        if !done.contains(&device) {
            syncfs(&stage.dir).doing(|| "Cannot write the layers to the disk")?;
            done.push(device);
        }
    }
    Ok(())
}

/// Writes the file `name` in `dir`, anew if there is one.
pub fn write_file(dir: &OwnedFd, name: &str, content: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(dir, name, flags, Mode::from_raw_mode(0o644));
    let mut file = File::from(opened.doing(|| format!("Cannot create {name}"))?);
    file.write_all(content).doing(|| format!("Cannot write {name}"))
}

/// A directory below one with the set-group-ID bit gets that bit and its group, below one with a default
/// ACL that list.
fn own(opened: rustix::io::Result<OwnedFd>, mode: Mode) -> Result<OwnedFd> {
    let dir = opened.doing(|| "Cannot open a new directory")?;
    let (owner, group): (Uid, Gid) = (geteuid(), getegid());
    fchown(&dir, Some(owner), Some(group)).doing(|| "Cannot own a new directory")?;
    for list in ["system.posix_acl_default", "system.posix_acl_access"] {
        match fremovexattr(&dir, list) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(Error::io(format!("Cannot remove the ACL of a new directory: {errno}"))),
        }
    }
    fchmod(&dir, mode).doing(|| "Cannot set the mode of a new directory")?;
    Ok(dir)
}

fn random() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty()).doing(|| "Cannot get random bytes")?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
