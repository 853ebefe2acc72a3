//! The request `transfer`: files between a container and the host, with the meaning that docker cp gives to their paths.
//!
//! The container may be running, and may be hostile: each path is resolved once, inside its root, to a descriptor
//! (CVE-2018-15664), and from there on by single names that are no links. Nothing of the container is run or loaded
//! (CVE-2019-14271).

use crate::beneath::open_dir;
use crate::copy::Copier;
use crate::error::{Context, Error, Result};
use crate::merge::{Layer, Rules};
use crate::name::show;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, open, openat2, readlinkat, statat};
use rustix::io::Errno;
use serde::Deserialize;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

/// One side of a copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The directory that is the root of this side: absolute links lead there, and ".." not out of it.
    root: String,
    /// From there.
    path: String,
}

/// What is copied.
enum Named {
    /// All that is in a directory: the path ends in "/." or in no name at all.
    Contents(OwnedFd),
    /// A name in a directory, and what it is called.
    In(OwnedFd, Vec<u8>, Vec<u8>),
}

/// Where it goes.
enum Target {
    /// Into a directory that is there.
    Into(OwnedFd),
    /// To a name in a directory; whether that name must be a directory's.
    As(OwnedFd, Vec<u8>, bool),
}

/// Copies; `owner` gets the files, else all is as it was.
pub fn run(from: &End, to: &End, follow: bool, owner: Option<(u32, u32)>) -> Result<()> {
    let rules = Rules::transfer(owner);
    let mut copier = Copier::default();
    let source = source(from, follow)?;
    match (source, target(to)?) {
        (Named::Contents(dir), Target::Into(to)) => Layer::new(&to, &mut copier, &rules).contents(&dir, &to, b""),
        (Named::Contents(dir), target) => {
            let to = made(target)?;
            Layer::new(&to, &mut copier, &rules).directory(&dir, &to, b"")
        }
        (Named::In(dir, name, title), target) => {
            let stat =
                statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).doing(|| format!("Cannot look at {}", show(&name)))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let source = open_dir(&dir, &name).doing(|| format!("Cannot open {}", show(&name)))?;
                let to = made(match target {
                    Target::Into(parent) => Target::As(parent, title, true),
                    target @ Target::As(..) => target,
                })?;
                return Layer::new(&to, &mut copier, &rules).directory(&source, &to, b"");
            }
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
    open_dir(&parent, &name).map_err(|errno| match errno {
        Errno::NOTDIR | Errno::LOOP => {
            Error::io(format!("Cannot copy a directory to {}, which is a file", show(&name)))
        }
        errno => Error::io(format!("Cannot open {}: {errno}", show(&name))),
    })
}

/// More links on the way to one place are a loop: path_resolution(7).
const LINKS: usize = 40;

/// Links on the way are followed, and the last one where it is asked for or a slash stands behind it.
fn source(End { root, path }: &End, follow: bool) -> Result<Named> {
    let root = open_root(root)?;
    let problem = || format!("Cannot open {}", show(path.as_bytes()));
    let must_be_directory = path.ends_with('/');
    let follow = follow || must_be_directory;
    let title = last_of(path).as_bytes().to_vec();
    let mut path = path.as_bytes().to_vec();
    for _ in 0..LINKS {
        let (parent, name) = cut(&path);
        if matches!(name, b"" | b"." | b"..") {
            return open_in(&root, &path).map(Named::Contents).doing(problem);
        }
        let dir = open_in(&root, parent).doing(problem)?;
        let stat = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).doing(problem)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if must_be_directory && !matches!(kind, FileType::Symlink | FileType::Directory) {
            return Err(Error::io(format!("{}: it is no directory", problem())));
        }
        if !follow || kind != FileType::Symlink {
            return Ok(Named::In(dir, name.to_vec(), title));
        }
        let link = readlinkat(&dir, name, Vec::new()).doing(problem)?;
        path = aimed(parent, &link);
    }
    Err(Error::io(format!("{}: too many links", problem())))
}

/// As for docker: a directory that is there takes what comes; what is not there gets the name, in a directory that must be.
fn target(End { root, path }: &End) -> Result<Target> {
    let root = open_root(root)?;
    let problem = || format!("Cannot open {}", show(path.as_bytes()));
    let is_directory = path.ends_with('/');
    let mut path = path.as_bytes().to_vec();
    for _ in 0..LINKS {
        match open_in(&root, &path) {
            Ok(dir) => return Ok(Target::Into(dir)),
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno).doing(problem),
        }
        let (parent, name) = cut(&path);
        if matches!(name, b"" | b"." | b"..") {
            return Err(Error::io(format!("{}: there is no such directory", problem())));
        }
        let dir = open_in(&root, parent).doing(problem)?;
        match readlinkat(&dir, name, Vec::new()) {
            Ok(link) => path = aimed(parent, &link),
            Err(Errno::INVAL | Errno::NOENT) => return Ok(Target::As(dir, name.to_vec(), is_directory)),
            Err(errno) => return Err(errno).doing(problem),
        }
    }
    Err(Error::io(format!("{}: too many links", problem())))
}

/// Where a link in the directory `parent` leads to.
fn aimed(parent: &[u8], link: &CStr) -> Vec<u8> {
    let link = link.to_bytes();
    if link.starts_with(b"/") { link.to_vec() } else { [parent, b"/", link].concat() }
}

/// The directory that the last name of a path is in, and that name; slashes at the end say nothing here.
fn cut(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    path.split_at(start)
}

fn last_of(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn open_root(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).doing(|| format!("Cannot open {path}"))
}

/// A directory below a root, whatever links lead to it.
fn open_in(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { b"/" } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

#[cfg(test)]
mod tests {
    use super::{cut, last_of};

    #[test]
    fn a_path_is_cut_before_its_last_name() {
        assert_eq!(cut(b"/a/b"), (&b"/a/"[..], &b"b"[..]));
        assert_eq!(cut(b"/a/b//"), (&b"/a/"[..], &b"b"[..]));
        assert_eq!(cut(b"a"), (&b""[..], &b"a"[..]));
        assert_eq!(cut(b"/"), (&b""[..], &b""[..]));
        assert_eq!(cut(b"/a/."), (&b"/a/"[..], &b"."[..]));
        assert_eq!(last_of("/a/b/"), "b");
        assert_eq!(last_of("/"), "");
    }
}
