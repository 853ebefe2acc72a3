//! The request `write`: files out of the store, as a directory or as a tar archive; whole, or not at all.

mod archive;
pub mod target;

use crate::error::{Context, Error, Kind, Result};
use crate::pack::compress::{Compression, Packed};
use crate::source::{Library, Source};
use archive::Writer;
use rustix::fs::{Mode, OFlags, open};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use target::{Directory, NewFile, passed};

/// Where to.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Dest {
    /// A directory, which must not be there; its parent must.
    Dir {
        /// Absolute.
        path: String,
    },
    /// An archive in a file, in the place of what is there.
    Archive {
        /// Absolute.
        path: String,
    },
    /// An archive, written to an open file that this process was given.
    Passed {
        /// Its number.
        fd: i32,
    },
}

/// A file to be written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its relative path.
    name: String,
    /// What is in it.
    from: From,
}

/// What a file is made of.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum From {
    /// This text.
    Text {
        /// Which.
        text: String,
    },
    /// A file.
    File {
        /// Its path.
        path: String,
    },
    /// The archive of a stored layer, as it is.
    Layer {
        /// The directory of the layer.
        path: String,
    },
    /// A file of a layout or an archive.
    Member {
        /// Where.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
        /// Which.
        member: String,
    },
}

/// What a file is made of, open: the bytes, of which there must be so many.
struct Opened(Box<dyn Read>, u64);

/// Writes all members, in this order. The same members give the same archive, to the last byte.
pub fn run(dest: &Dest, members: &[Member], library: &mut Library) -> Result<()> {
    let mut each = |write: &mut dyn FnMut(&str, Opened) -> Result<()>| {
        members.iter().try_for_each(|Member { name, from }| {
            opened(from, library).and_then(|opened| write(name, opened)).map_err(|error| error.within(name))
        })
    };
    match dest {
        Dest::Dir { path } => {
            let directory = Directory::new(path)?;
            each(&mut |name, Opened(mut bytes, size)| copy(&mut bytes, size, &mut directory.file(name)?))
                .map_err(|error| error.within(format!("Cannot write {path}")))?;
            directory.publish()
        }
        Dest::Archive { path } => {
            let mut file = NewFile::new(path)?;
            write_archive(file.file(), &mut each).map_err(|error| error.within(format!("Cannot write {path}")))?;
            file.publish()
        }
        Dest::Passed { fd } => write_archive(&passed(*fd)?, &mut each),
    }
}

type Each<'a> = dyn FnMut(&mut dyn FnMut(&str, Opened) -> Result<()>) -> Result<()> + 'a;

fn write_archive(to: &File, each: &mut Each) -> Result<()> {
    let mut writer = Writer::new(io::BufWriter::with_capacity(256 * 1024, to));
    each(&mut |name, Opened(mut bytes, size)| {
        writer.begin(name, size)?;
        copy(&mut bytes, size, writer.out())?;
        writer.pad(size)
    })?;
    writer.finish()
}

fn copy(from: &mut dyn Read, size: u64, to: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        // What is read to its end says whether it is right.
        let count = from.read(&mut buffer).map_err(|error| Error::new(Kind::Io, error.to_string()))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        total += count as u64;
        if total > size || (count == 0 && total < size) {
            return Err(Error::format(format!("it has not {size} bytes any more")));
        }
        if count == 0 {
            return Ok(());
        }
        to.write_all(bytes).map_err(|error| Error::system(&error, "Cannot write"))?;
    }
}

fn opened(from: &From, library: &mut Library) -> Result<Opened> {
    Ok(match from {
        From::Text { text } => Opened(Box::new(io::Cursor::new(text.clone().into_bytes())), text.len() as u64),
        From::File { path } => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = File::from(open(path.as_str(), flags, Mode::empty()).doing(|| format!("Cannot open {path}"))?);
            let size = file.metadata().doing(|| format!("Cannot look at {path}"))?.len();
            Opened(Box::new(file), size)
        }
        From::Layer { path } => {
            let packed = Packed::open(path, Compression::None)?;
            let size = packed.total();
            Opened(Box::new(packed), size)
        }
        From::Member { source, scratch, member } => {
            let extent = library.open(source, scratch.as_deref())?.member(member)?;
            let (size, mut at) = (extent.size, extent.offset);
            let end = at + size;
            let read = move |room: &mut [u8]| {
                let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(room.len());
                let count = extent.file.read_at(room.get_mut(..most).unwrap_or_default(), at)?;
                at += count as u64;
                Ok(count)
            };
            Opened(Box::new(Reading(read)), size)
        }
    })
}

struct Reading<F>(F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for Reading<F> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        (self.0)(room)
    }
}
