//! Where images come from: a directory in OCI image layout, or an archive of one.

pub mod archive;
mod member;

use crate::digest::Digest;
use crate::error::{Context, Error, Kind, Result};
use crate::net::client::Clients;
use crate::stream::blob::Extent;
use archive::Archive;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// A source as a request names it.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A directory.
    Dir {
        /// Its path.
        path: String,
    },
    /// A tar archive, compressed or not.
    Archive {
        /// Its path.
        path: String,
    },
    /// The same from a pipe, which can be read only once.
    Stream {
        /// Its path.
        path: String,
    },
}

/// A source that has been opened.
#[derive(Clone)]
pub enum Opened {
    /// A directory.
    Dir(Arc<OwnedFd>),
    /// An archive and the index of its members.
    Archive(Arc<Archive>),
}

/// Opens sources, and keeps the last archive: a load asks for its parts one by one, and finding them may
/// have meant to decompress all of it. It also keeps blobs that were made here, and the ways to registries.
#[derive(Default)]
pub struct Library {
    /// The ways to registries.
    pub clients: Clients,
    last: Option<(String, Identity, Arc<Archive>)>,
    made: BTreeMap<String, Extent>,
}

/// Tells whether the file behind a path is still the same and unchanged.
type Identity = (u64, u64, u64, i64, i64, i64, i64);

impl Library {
    /// Opens `source`. A compressed archive is decompressed into an unnamed file in `scratch`.
    pub fn open(&mut self, source: &Source, scratch: Option<&str>) -> Result<Opened> {
        match source {
            Source::Dir { path } => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let dir = open(path, flags, Mode::empty()).doing(|| format!("Cannot open image directory {path}"))?;
                Ok(Opened::Dir(Arc::new(dir)))
            }
            Source::Archive { path } => {
                self.archive(path, scratch).map_err(|error| error.within(format!("Cannot read image archive {path}")))
            }
            Source::Stream { path } => self.stream(path, scratch),
        }
    }

    /// Keeps a blob for later requests.
    pub fn keep(&mut self, digest: &Digest, bytes: Extent) {
        self.made.insert(digest.to_string(), bytes);
    }

    /// A blob that was kept.
    pub fn kept(&self, digest: &Digest) -> Result<Extent> {
        let found = self.made.get(&digest.to_string()).cloned();
        found.ok_or_else(|| Error::new(Kind::NotFound, format!("blob {digest} was not made here")))
    }

    /// What has come is copied to an unnamed file, unless it comes from one with a name; it is there for later requests.
    fn stream(&mut self, path: &str, scratch: Option<&str>) -> Result<Opened> {
        if let Some((known, _, archive)) = &self.last
            && known == path
        {
            return Ok(Opened::Archive(Arc::clone(archive)));
        }
        let mut file = File::open(path).doing(|| "Cannot open it")?;
        let identity = identity(&file)?;
        if !file.metadata().doing(|| "Cannot look at it")?.is_file() {
            let scratch = scratch.ok_or_else(|| Error::io("it is a stream and no scratch directory was given"))?;
            let mut copy = archive::unnamed(scratch)?;
            let count = std::io::copy(&mut file, &mut copy).doing(|| format!("Cannot copy it to {scratch}"))?;
            if count == 0 {
                return Err(Error::format("it is empty"));
            }
            file = copy;
        }
        let archive = Arc::new(Archive::open(file, scratch)?);
        self.last = Some((path.to_owned(), identity, Arc::clone(&archive)));
        Ok(Opened::Archive(archive))
    }

    fn archive(&mut self, path: &str, scratch: Option<&str>) -> Result<Opened> {
        let file = regular(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()))?;
        let identity = identity(&file)?;
        if let Some((known, of, archive)) = &self.last
            && known == path
            && *of == identity
        {
            return Ok(Opened::Archive(Arc::clone(archive)));
        }
        let archive = Arc::new(Archive::open(file, scratch)?);
        self.last = Some((path.to_owned(), identity, Arc::clone(&archive)));
        Ok(Opened::Archive(archive))
    }
}

impl Opened {
    /// The bytes of a member.
    pub fn member(&self, name: &str) -> Result<Extent> {
        let path = member::clean(name)?;
        match self {
            Self::Archive(archive) => archive.member(&path),
            Self::Dir(dir) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                let opened = openat2(dir, &path, flags, Mode::empty(), resolve);
                match opened {
                    Err(Errno::NOENT | Errno::NOTDIR) => Err(member::not_found(&path)),
                    Err(Errno::XDEV | Errno::LOOP) => {
                        Err(Error::hostile(format!("Cannot open {name}: it leads out of the image directory")))
                    }
                    opened => {
                        let file = regular(opened).map_err(|error| error.within(format!("Cannot open {name}")))?;
                        let size = file.metadata().doing(|| format!("Cannot look at {name}"))?.len();
                        Ok(Extent { file: Arc::new(file), offset: 0, size })
                    }
                }
            }
        }
    }

    /// The names of all members of an archive.
    pub fn members(&self) -> Result<Vec<String>> {
        match self {
            Self::Archive(archive) => Ok(archive.names()),
            Self::Dir(_) => Err(Error::format("Cannot list an image directory: only archives are listed")),
        }
    }
}

/// Never a pipe that blocks or a device that does things when it is read.
fn regular(opened: rustix::io::Result<OwnedFd>) -> Result<File> {
    let file = File::from(opened.map_err(|errno| Error::io(errno.to_string()))?);
    let metadata = file.metadata().map_err(|error| Error::io(error.to_string()))?;
    if metadata.is_file() { Ok(file) } else { Err(Error::new(Kind::Format, "it is not a regular file")) }
}

fn identity(file: &File) -> Result<Identity> {
    let is = file.metadata().map_err(|error| Error::io(error.to_string()))?;
    Ok((is.dev(), is.ino(), is.size(), is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec()))
}
