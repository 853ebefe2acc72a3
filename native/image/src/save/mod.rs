//! The request `write`: images out of the store or on their way past it, as a directory or as a tar archive; whole, or not at all.

mod archive;
pub mod target;

use crate::digest::Digest;
use crate::error::{Context, Error, Kind, Result};
use crate::net::ahead::{Ahead, Wanted};
use crate::net::origin::{Origin, Reading};
use crate::pack::compress::{Compression, Packed};
use crate::protocol::Reporter;
use crate::source::Library;
use crate::stream::blob::Supply;
use crate::stream::checked::Checked;
use archive::Writer;
use rustix::fs::{Mode, OFlags, open};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
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
    /// The number under which it is told how far it is.
    part: Option<usize>,
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
    /// A blob of another place, as it is.
    #[serde(rename_all = "camelCase")]
    Blob {
        /// Where its bytes are.
        origin: Origin,
        /// What they are.
        digest: Digest,
        /// How many.
        size: u64,
        /// Of the layer in it, where it is wanted without its compression.
        diff_id: Option<Digest>,
    },
    /// The registry's blob whose turn this is.
    #[serde(skip)]
    Remote {
        /// Which.
        number: usize,
        /// As of other blobs.
        diff_id: Option<Digest>,
    },
}

/// What a file is made of, open: the bytes, of which there must be so many where it is known.
struct Opened(Box<dyn Read>, Option<u64>);

/// Writes all members, in this order. The same members give the same archive, to the last byte.
pub fn run(dest: &Dest, members: Vec<Member>, library: &mut Library, reporter: &Reporter) -> Result<()> {
    let (members, ahead) = ordered(members, library, reporter)?;
    ahead.beside(|| write(dest, members, (library, &ahead), reporter))
}

/// What registries have comes side by side, while the members are written one after the other.
fn ordered(members: Vec<Member>, library: &mut Library, reporter: &Reporter) -> Result<(Vec<Member>, Ahead)> {
    let stop = Arc::default();
    let mut wanted = Vec::new();
    let mut order = |Member { name, from, part }| {
        let from = match from {
            From::Blob { origin: origin @ Origin::Registry { .. }, digest, size, diff_id } => {
                wanted.push(Wanted { ready: origin.ready(library, &stop)?, digest, size, part });
                From::Remote { number: wanted.len() - 1, diff_id }
            }
            other => other,
        };
        Ok(Member { name, from, part })
    };
    let members = members.into_iter().map(&mut order).collect::<Result<_>>()?;
    Ok((members, Ahead::new(wanted, reporter.clone(), stop)))
}

fn write(dest: &Dest, members: Vec<Member>, places: (&mut Library, &Ahead), reporter: &Reporter) -> Result<()> {
    let (library, ahead) = places;
    let mut members = members.into_iter();
    let mut each = |write: &mut dyn FnMut(&str, Opened) -> Result<()>| {
        members.try_for_each(|Member { name, from, part }| {
            let opened = opened(from, (library, ahead), &Telling { reporter, part });
            opened.and_then(|opened| write(&name, opened)).map_err(|error| error.within(name))
        })
    };
    match dest {
        Dest::Dir { path } => {
            let directory = Directory::new(path)?;
            each(&mut |name, opened| copy(opened, &mut directory.file(name)?).map(|_| ()))
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
    each(&mut |name, opened| {
        let begun = writer.begin(name, opened.1)?;
        let size = copy(opened, writer.out())?;
        writer.end(begun, size)
    })?;
    writer.finish()
}

/// Copies all there is; gives how much that was.
fn copy(Opened(mut from, size): Opened, to: &mut impl Write) -> Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        // What is read to its end says whether it is right.
        let count = from.read(&mut buffer).map_err(|error| Error::new(Kind::Io, error.to_string()))?;
        let bytes = buffer.get(..count).unwrap_or_default();
        total += count as u64;
        if let Some(size) = size
            && (total > size || (count == 0 && total < size))
        {
            return Err(Error::format(format!("it has not {size} bytes any more")));
        }
        if count == 0 {
            return Ok(total);
        }
        to.write_all(bytes).map_err(|error| Error::system(&error, "Cannot write"))?;
    }
}

/// Who hears how far a member is.
struct Telling<'a> {
    reporter: &'a Reporter,
    part: Option<usize>,
}

impl Telling<'_> {
    fn watched<R: Read + 'static>(&self, reader: R, so_far: fn(&mut R) -> u64, total: u64) -> Box<dyn Read> {
        let Some(part) = self.part else { return Box::new(reader) };
        let reporter = self.reporter.clone();
        Box::new(Watched { reader, told: move |reader: &mut R| reporter.progress(part, so_far(reader), total) })
    }

    fn retry(&self) -> Box<dyn Fn(&str) + Send> {
        self.part.map_or_else(|| Box::new(|_: &str| ()) as _, |part| self.reporter.noting(part, "retry"))
    }
}

struct Watched<R, F> {
    reader: R,
    told: F,
}

impl<R: Read, F: Fn(&mut R)> Read for Watched<R, F> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(room)?;
        (self.told)(&mut self.reader);
        Ok(count)
    }
}

fn opened(from: From, (library, ahead): (&mut Library, &Ahead), telling: &Telling) -> Result<Opened> {
    Ok(match from {
        From::Text { text } => {
            let size = text.len() as u64;
            let bytes = io::Cursor::new(text.into_bytes());
            Opened(telling.watched(bytes, |bytes| bytes.position(), size), Some(size))
        }
        From::File { path } => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = File::from(open(path.as_str(), flags, Mode::empty()).doing(|| format!("Cannot open {path}"))?);
            let size = file.metadata().doing(|| format!("Cannot look at {path}"))?.len();
            Opened(Box::new(file), Some(size))
        }
        From::Layer { path } => {
            let mut packed = Packed::open(&path, Compression::None)?;
            let size = packed.total();
            Opened(telling.watched(packed, Packed::position, size), Some(size))
        }
        From::Blob { origin, digest, size, diff_id } => {
            let ready = origin.ready(library, &Arc::default())?;
            let supply = ready.open(size, &digest, Reading::Once, telling.retry())?;
            checked(supply, digest, diff_id, telling)?
        }
        From::Remote { number, diff_id } => {
            let (Wanted { ready, digest, size, .. }, here) =
                ahead.take(number).ok_or_else(|| Error::io("a thread ended early"))?;
            if let Some(extent) = here {
                // How far it is has been told while it came.
                checked(Box::new(extent), digest.clone(), diff_id, &Telling { part: None, ..*telling })?
            } else {
                let supply = ready.open(*size, digest, Reading::Once, telling.retry())?;
                checked(supply, digest.clone(), diff_id, telling)?
            }
        }
    })
}

fn checked(supply: Box<dyn Supply>, digest: Digest, diff_id: Option<Digest>, telling: &Telling) -> Result<Opened> {
    let size = supply.size();
    let length = diff_id.is_none().then_some(size);
    let checked = match diff_id {
        None => Checked::whole(supply, digest),
        Some(diff_id) => Checked::inflated(supply, Some(digest), diff_id)?,
    };
    Ok(Opened(telling.watched(checked, Checked::taken, size), length))
}
