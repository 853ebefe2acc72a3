//! What is written to: a directory or a file that appears when it is whole, or an open file.

use crate::beneath::open_dir;
use crate::error::{Context, Error, Result};
use crate::name;
use crate::remove::split_absolute;
use crate::stage::{self, Stage};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fchmod, fsync, linkat, mkdirat, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

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

/// A file that is in the making. It has no name, so that it goes with whoever is killed while making it, but where the file system has
/// no such files (open(2), `O_TMPFILE`).
pub struct NewFile {
    path: String,
    temporary: String,
    is_named: bool,
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
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let (file, is_named) = match open(format!("{parent}/"), flags | OFlags::TMPFILE, mode) {
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
                let flags = flags | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
                (open(&temporary, flags, mode), true)
            }
            opened => (opened, false),
        };
        let file = File::from(file.doing(|| format!("Cannot create a file in {parent}"))?);
        Ok(Self { path: path.to_owned(), temporary, is_named, file })
    }

    /// The file.
    pub fn file(&mut self) -> &File {
        &self.file
    }

    /// Lets the file appear.
    pub fn publish(mut self) -> Result<()> {
        fsync(&self.file).doing(|| format!("Cannot write {} to the disk", self.path))?;
        if !self.is_named {
            // Only rename(2) takes the place of a file that is there.
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            linkat(CWD, own, CWD, &self.temporary, AtFlags::SYMLINK_FOLLOW)
                .doing(|| format!("Cannot create {}", self.path))?;
            self.is_named = true;
        }
        renameat(CWD, &self.temporary, CWD, &self.path).doing(|| format!("Cannot create {}", self.path))?;
        self.is_named = false;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_named {
            // There is nobody to tell.
            let _ = unlinkat(CWD, &self.temporary, AtFlags::empty());
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

#[cfg(test)]
mod tests {
    use super::NewFile;
    use std::fs::{create_dir, read_dir, read_to_string, remove_dir_all, write};
    use std::io::Write;

    #[test]
    fn a_file_in_the_making_has_no_name_and_takes_the_place_of_the_old_one() -> std::io::Result<()> {
        let dir = std::env::temp_dir().join(format!("tsrun-new-file-{}", std::process::id()));
        create_dir(&dir)?;
        let path = dir.join("archive");
        write(&path, "old")?;
        let mut made = NewFile::new(&path.to_string_lossy()).unwrap();
        made.file().write_all(b"new")?;
        assert_eq!((read_dir(&dir)?.count(), read_to_string(&path)?.as_str()), (1, "old"));
        made.publish().unwrap();
        assert_eq!((read_dir(&dir)?.count(), read_to_string(&path)?.as_str()), (1, "new"));
        remove_dir_all(&dir)
    }
}
