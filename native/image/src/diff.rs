//! The request `diff`: what a container has made of its image, by its upper directory.

use crate::beneath::{Item, list, open_dir, unless_gone};
use crate::error::{Context, Result};
use crate::inspect::is_opaque;
use crate::name::{join, show};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, open, statat};
use serde::Serialize;
use std::os::fd::{AsFd, OwnedFd};

/// What became of one path.
#[derive(Debug, Serialize)]
pub struct Change {
    /// A for added, C for changed, D for deleted: docker's letters.
    kind: char,
    /// From the root.
    path: String,
    /// A directory that is there for the sake of what is in it: owner and mode are as they were.
    same: bool,
}

/// Compares the directory `upper` with `lower`, the image's files; in the order of the paths.
pub fn run(upper: &str, lower: &str) -> Result<Vec<Change>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let upper = open(upper, flags, Mode::empty()).doing(|| format!("Cannot open {upper}"))?;
    let lower = open(lower, flags, Mode::empty()).doing(|| format!("Cannot open {lower}"))?;
    let mut changes = Vec::new();
    directory(&upper, Some(&lower), b"", &mut changes)?;
    changes.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(changes)
}

fn directory(upper: &OwnedFd, lower: Option<&OwnedFd>, path: &[u8], changes: &mut Vec<Change>) -> Result<()> {
    let items = list(upper).doing(|| format!("Cannot read {}", show(path)))?;
    for Item { name, .. } in &items {
        let path = join(path, name);
        let stat =
            statat(upper, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| format!("Cannot look at {}", show(&path)))?;
        let before = lower.map(|lower| look(lower, &name[..])).transpose()?.flatten();
        let is_whiteout = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0;
        if is_whiteout {
            if before.is_some() {
                changes.push(change('D', &path, false));
            }
            continue;
        }
        let same = before.is_some_and(|before| is_same_directory(&before, &stat));
        changes.push(change(if before.is_some() { 'C' } else { 'A' }, &path, same));
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let child = open_dir(upper, name).doing(|| format!("Cannot open {}", show(&path)))?;
            // What is no directory in the image has nothing below it.
            let below = lower.and_then(|lower| open_dir(lower, name).ok());
            directory(&child, below.as_ref(), &path, changes)?;
        }
    }
    match lower {
        Some(lower) if is_opaque(upper)? => hidden(&items, lower, path, changes),
        _ => Ok(()),
    }
}

/// An opaque directory has taken the place of one of the image: what it has not is gone.
fn hidden(items: &[Item], lower: &OwnedFd, path: &[u8], changes: &mut Vec<Change>) -> Result<()> {
    for Item { name, .. } in list(lower).doing(|| format!("Cannot read {}", show(path)))? {
        if !items.iter().any(|item| item.name == name) {
            changes.push(change('D', &join(path, &name), false));
        }
    }
    Ok(())
}

fn look(dir: impl AsFd, name: &[u8]) -> Result<Option<Stat>> {
    unless_gone(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)).doing(|| format!("Cannot look at {}", show(name)))
}

fn is_same_directory(before: &Stat, after: &Stat) -> bool {
    let attributes = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
    FileType::from_raw_mode(after.st_mode) == FileType::Directory && attributes(before) == attributes(after)
}

fn change(kind: char, path: &[u8], same: bool) -> Change {
    Change { kind, path: format!("/{}", String::from_utf8_lossy(path)), same }
}
