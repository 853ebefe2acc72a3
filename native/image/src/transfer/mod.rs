//! The request `transfer`: files between a container and the host, or a stream.
//!
//! The container may be running, and may be hostile: paths are resolved inside its root, and from there on by single names
//! that are no links. Nothing of the container is run or loaded (CVE-2019-14271).

mod archive;
mod extract;
mod owners;
mod place;

use crate::copy::Copier;
use crate::error::{Context, Error, Result};
use crate::merge::{Layer, Rules};
use crate::mounts::Mounts;
use crate::name::show;
use owners::Owners;
use place::{End, Named, Target, mounts, source, target};
use rustix::fs::{Mode, mkdirat};
use rustix::io::Errno;
use serde::Deserialize;
use std::os::fd::{AsFd, OwnedFd};

/// What is to be copied.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// From where.
    from: Side,
    /// Where to.
    to: Side,
    /// Whether a link is followed that the path ends with.
    follow: bool,
    /// Who gets the files: user and group. All is as it was where it is nobody.
    owner: Option<(u32, u32)>,
    /// Who owners in an archive are outside of the container.
    owners: Option<Owners>,
}

/// A path, or an open file for an archive.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Side {
    Stream { fd: i32 },
    Path(End),
}

/// Copies.
pub fn run(Order { from, to, follow, owner, owners }: &Order) -> Result<()> {
    match (from, to) {
        (Side::Path(from), Side::Path(to)) => copy(from, to, *follow, *owner),
        (Side::Path(from), Side::Stream { fd }) => archive::run(from, *fd, *follow, owners.as_ref()),
        (Side::Stream { fd }, Side::Path(to)) => extract::run(*fd, to, owners.as_ref()),
        (Side::Stream { .. }, Side::Stream { .. }) => Err(Error::format("A stream is copied to no stream")),
    }
}

fn copy(from: &End, to: &End, follow: bool, owner: Option<(u32, u32)>) -> Result<()> {
    let mut copier = Copier::default();
    let (source, target) = (source(from, follow)?, target(to)?);
    let (Target::Into(end) | Target::As(end, ..)) = &target;
    let rules = Rules::transfer(owner, mounts(from, source.start())?, mounts(to, end)?);
    match (source, target) {
        (Named::Contents(dir), Target::Into(to)) => Layer::new(&to, &mut copier, &rules).contents(&dir, &to, b""),
        (Named::Directory(dir, _, title), Target::Into(parent)) => {
            let to = made(Target::As(parent, title, true))?;
            Layer::new(&to, &mut copier, &rules).directory(&dir, &to, b"")
        }
        (Named::Contents(dir) | Named::Directory(dir, ..), target) => {
            let to = made(target)?;
            Layer::new(&to, &mut copier, &rules).directory(&dir, &to, b"")
        }
        (Named::File(dir, name, title), target) => {
            let (parent, last) = match target {
                Target::Into(parent) => (parent, title),
                Target::As(_, last, true) => return Err(Error::io(format!("{} must be a directory", show(&last)))),
                Target::As(parent, last, false) => (parent, last),
            };
            Layer::new(&parent, &mut copier, &rules).renamed((dir.as_fd(), &name), (parent.as_fd(), &last))
        }
    }
}

/// The directory, made where it is missing.
fn made(target: Target) -> Result<OwnedFd> {
    let (parent, name) = match target {
        Target::Into(dir) => return Ok(dir),
        Target::As(parent, name, _) => (parent, name),
    };
    match mkdirat(&parent, &name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).doing(|| format!("Cannot create {}", show(&name))),
    }
    Mounts::ALL.dir(&parent, &name).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => {
            Error::io(format!("Cannot copy a directory to {}, which is a file", show(&name)))
        }
        errno => Error::io(format!("Cannot open {}: {errno}", show(&name))),
    })
}
