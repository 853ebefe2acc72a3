//! What is written to: a directory or a file that appears when it is whole, or an open file.

use crate::beneath::open_dir;
use crate::error::{Context, Error, Result};
use crate::name;
use crate::remove::split_absolute;
use crate::stage::{self, Stage};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fchmod, fsync, mkdirat, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::fs::File;
use std::os::fd::OwnedFd;

/// A directory of files.
pub struct Directory {
    stage: Stage,
    path: String,
}

impl Directory {
    /// One that will appear at an absolute path.
    pub fn new(path: &str) -> Result<Self> {
        let stage = Stage::new(path, None)?;
        fchmod(stage.dir(), Mode::from_raw_mode(0o755)).doing(|| format!("Cannot set the mode of {path}"))?;
        Ok(Self { stage, path: path.to_owned() })
    }

    /// A new file in it; the directories on the way to it are made.
    pub fn file(&self, name: &str) -> Result<File> {
        let path = name::clean(name.as_bytes())?;
        let (parent, last) = name::split(&path).ok_or_else(|| Error::format("a file must have a name"))?;
        let mut dir = open_dir(self.stage.dir(), b"").doing(|| "Cannot open the new directory")?;
        for step in name::steps(parent) {
            match mkdirat(&dir, step, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno).doing(|| "Cannot create a directory"),
            }
            dir = open_dir(&dir, step).doing(|| "Cannot open a directory")?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&dir, last, flags, Mode::from_raw_mode(0o644)).doing(|| "Cannot create it")?))
    }

    /// Lets the directory appear.
    pub fn publish(self) -> Result<()> {
        stage::sync([&self.stage])?;
        if self.stage.publish()? {
            Err(Error::io(format!("Cannot create {}: it is there already", self.path)))
        } else {
            Ok(())
        }
    }
}

/// A file that is in the making.
pub struct NewFile {
    path: String,
    temporary: Option<String>,
    file: File,
}

impl NewFile {
    /// One that will appear at an absolute path, where there may be a regular file.
    pub fn new(path: &str) -> Result<Self> {
        let (parent, name) = split_absolute(path)?;
        match statat(CWD, path, AtFlags::empty()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
                return Err(Error::io(format!("Cannot write {path}: it is there already, and no regular file")));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno).doing(|| format!("Cannot look at {path}")),
        }
        let temporary = format!("{parent}/.{name}.{}", getpid().as_raw_pid());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = open(&temporary, flags, mode).doing(|| format!("Cannot create a file in {parent}"))?;
        Ok(Self { path: path.to_owned(), temporary: Some(temporary), file: File::from(file) })
    }

    /// The file.
    pub fn file(&mut self) -> &File {
        &self.file
    }

    /// Lets the file appear.
    pub fn publish(mut self) -> Result<()> {
        fsync(&self.file).doing(|| format!("Cannot write {} to the disk", self.path))?;
        if let Some(temporary) = &self.temporary {
            renameat(CWD, temporary, CWD, &self.path).doing(|| format!("Cannot create {}", self.path))?;
        }
        self.temporary = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // There is nobody to tell.
            let _ = unlinkat(CWD, temporary, AtFlags::empty());
        }
    }
}

/// An open file that this process was given: not opened anew by its path, which would begin at its start.
pub fn passed(fd: i32) -> Result<File> {
    let problem = || format!("Cannot use descriptor {fd}");
    let own = pidfd_open(getpid(), PidfdFlags::empty()).doing(problem)?;
    let file: OwnedFd = pidfd_getfd(&own, fd, PidfdGetfdFlags::empty()).doing(problem)?;
    Ok(File::from(file))
}
