//! The paths of a copy, with the meaning that docker cp gives to them. Each is resolved once, inside its root, to a descriptor
//! (CVE-2018-15664).

use crate::beneath::open_patiently;
use crate::error::{Context, Error, Result};
use crate::mounts::{self, Mounts};
use crate::name::show;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, open, readlinkat, statat};
use rustix::io::Errno;
use serde::Deserialize;
use std::ffi::CStr;
use std::os::fd::OwnedFd;

/// One side of a copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The directory that is the root of this side: absolute links lead there, and ".." not out of it.
    root: String,
    /// From there.
    path: String,
    /// Where something is mounted that a copy does not enter: the kernel's file systems of a container.
    #[serde(default)]
    apart: Vec<String>,
}

/// What is copied.
pub enum Named {
    /// All that is in a directory: the path ends in "/." or in no name at all.
    Contents(OwnedFd),
    /// A directory, its name, and what the path calls it.
    Directory(OwnedFd, Vec<u8>, Vec<u8>),
    /// The same for anything else: the directory that it is in.
    File(OwnedFd, Vec<u8>, Vec<u8>),
}

impl Named {
    /// Where a walk begins.
    pub fn start(&self) -> &OwnedFd {
        match self {
            Self::Contents(dir) | Self::Directory(dir, ..) | Self::File(dir, ..) => dir,
        }
    }
}

/// Where it goes.
pub enum Target {
    /// Into a directory that is there.
    Into(OwnedFd),
    /// To a name in a directory; whether that name must be a directory's.
    As(OwnedFd, Vec<u8>, bool),
}

/// More links on the way to one place are a loop: path_resolution(7).
const LINKS: usize = 40;

/// What a side names. Links on the way are followed, and the last one where it is asked for or a slash stands behind it.
pub fn source(End { root, path, .. }: &End, follow: bool) -> Result<Named> {
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
        if kind == FileType::Directory {
            let found = Mounts::ALL.dir(&dir, name).doing(problem)?;
            return Ok(Named::Directory(found, name.to_vec(), title));
        }
        if must_be_directory && kind != FileType::Symlink {
            return Err(Error::io(format!("{}: it is no directory", problem())));
        }
        if !follow || kind != FileType::Symlink {
            return Ok(Named::File(dir, name.to_vec(), title));
        }
        let link = readlinkat(&dir, name, Vec::new()).doing(problem)?;
        path = aimed(parent, &link);
    }
    Err(Error::io(format!("{}: too many links", problem())))
}

/// As for docker: a directory that is there takes what comes; what is not there gets the name, in a directory that must be.
pub fn target(End { root, path, .. }: &End) -> Result<Target> {
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

/// The mounts that a copy from or to here enters, when it begins in `start`.
pub fn mounts(End { root, apart, .. }: &End, start: &OwnedFd) -> Result<Mounts> {
    let root = open_root(root)?;
    let mut closed = Vec::new();
    for path in apart {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match open_patiently(&root, path.as_bytes(), flags, in_root()) {
            Ok(place) => closed.extend(mounts::mounted_on(&place)?),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
            Err(errno) => return Err(errno).doing(|| format!("Cannot open {}", show(path.as_bytes()))),
        }
    }
    let begun = mounts::mount_of(start)?;
    closed.retain(|&mount| mount != begun);
    Ok(Mounts::AllBut(closed))
}

/// The directory `path` below the one that a side names: links lead wherever they lead in its root.
pub fn below(End { root, path, .. }: &End) -> Result<impl Fn(&[u8]) -> rustix::io::Result<OwnedFd>> {
    let (root, start) = (open_root(root)?, path.as_bytes().to_vec());
    Ok(move |path: &[u8]| open_in(&root, &[&start, &b"/"[..], path].concat()))
}

fn open_root(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).doing(|| format!("Cannot open {path}"))
}

/// A directory below a root, whatever links lead to it.
fn open_in(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { b"/" } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open_patiently(root, path, flags, in_root())
}

fn in_root() -> ResolveFlags {
    ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS
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
