//! The request `usage`: how much of the disk trees take.

use crate::beneath::{list, open_dir, unless_gone};
use crate::error::{Context, Result};
use crate::name::show;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, statat};
use std::collections::HashSet;
use std::os::fd::OwnedFd;

/// Bytes that each of the paths takes, with all below it; 0 where there is nothing.
pub fn run(paths: &[String]) -> Result<Vec<u64>> {
    paths.iter().map(|path| of_path(path).map_err(|error| error.within(format!("Cannot measure {path}")))).collect()
}

fn of_path(path: &str) -> Result<u64> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some(top) = unless_gone(open(path, flags, Mode::empty())).doing(|| "Cannot open it")? else { return Ok(0) };
    let stat = statat(&top, "", AtFlags::EMPTY_PATH).doing(|| "Cannot look at it")?;
    let mut usage = Usage::default();
    usage.add(&stat);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        usage.below(&open_dir(&top, b"").doing(|| "Cannot open it")?)?;
    }
    Ok(usage.bytes)
}

#[derive(Default)]
struct Usage {
    bytes: u64,
    /// Files with several names, which are counted once.
    counted: HashSet<(u64, u64)>,
}

impl Usage {
    fn add(&mut self, stat: &Stat) {
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_directory || stat.st_nlink < 2 || self.counted.insert((stat.st_dev, stat.st_ino)) {
            // st_blocks counts units of 512 bytes, whatever the file system's own are (stat(3type)).
            self.bytes += 512 * u64::try_from(stat.st_blocks).unwrap_or(0);
        }
    }

    /// What goes meanwhile takes nothing; what is mounted there is no part of it.
    fn below(&mut self, dir: &OwnedFd) -> Result<()> {
        for item in list(dir).doing(|| "Cannot read a directory")? {
            let stat = unless_gone(statat(dir, &item.name, AtFlags::SYMLINK_NOFOLLOW));
            let Some(stat) = stat.doing(|| format!("Cannot look at {}", show(&item.name)))? else { continue };
            self.add(&stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory
                && let Ok(child) = open_dir(dir, &item.name)
            {
                self.below(&child)?;
            }
        }
        Ok(())
    }
}
