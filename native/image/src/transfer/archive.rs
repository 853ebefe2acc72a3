//! Files of a container as a tar archive, on an open file.
//! The names are those that docker cp gives: the last one of the path, or "." for what is in a directory.

use super::owners::Owners;
use super::place::{End, Named, mounts, source};
use crate::attributes::Attributes;
use crate::beneath::list;
use crate::error::{Context, Error, Result};
use crate::inspect::{attributes, attributes_at};
use crate::mounts::Mounts;
use crate::name::{join, show};
use crate::save::target::passed;
use crate::tar::{self, Entry, Kind};
use rustix::fs::{AtFlags, FileType, Stat, fstat, major, minor, readlinkat, statat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write, copy};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Writes what `from` names to the open file `fd`.
pub fn run(from: &End, fd: i32, follow: bool, owners: Option<&Owners>) -> Result<()> {
    let source = source(from, follow)?;
    let mounts = mounts(from, source.start())?;
    let out = BufWriter::with_capacity(256 * 1024, passed(fd)?);
    let mut archive = Archive { out, owners, mounts, linked: HashMap::new() };
    match source {
        Named::Contents(dir) => archive.directory(&dir, b".")?,
        // What a link is followed to keeps its own name.
        Named::Directory(dir, name, title) => archive.directory(&dir, if follow { &name } else { &title })?,
        Named::File(dir, name, _) => archive.item(dir.as_fd(), &name, &name)?,
    }
    archive.write(tar::END)?;
    archive.out.flush().doing(writing)
}

/// An archive in the making.
struct Archive<'a> {
    out: BufWriter<File>,
    owners: Option<&'a Owners>,
    mounts: Mounts,
    /// Files with several names, and the first one of each in the archive.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

fn writing() -> &'static str {
    "Cannot write the archive"
}

impl Archive<'_> {
    fn directory(&mut self, dir: &OwnedFd, path: &[u8]) -> Result<()> {
        self.describe_directory(attributes(dir.as_fd())?, path)?;
        let mut items = list(dir).doing(|| format!("Cannot read {}", show(path)))?;
        items.sort_by(|one, other| one.name.cmp(&other.name));
        for item in items {
            let path = join(path, &item.name);
            self.item(dir.as_fd(), &item.name, &path).map_err(|error| error.within(show(&item.name)))?;
        }
        Ok(())
    }

    fn describe_directory(&mut self, attributes: Attributes, path: &[u8]) -> Result<()> {
        self.head(Entry { path: [path, b"/"].concat(), ..Entry::of(Kind::Directory) }, attributes)
    }

    fn item(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at it")?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                return match self.mounts.dir(dir, name) {
                    // What is mounted there does not come along, and its place does.
                    Err(Errno::XDEV) => self.describe_directory(Attributes::of_implied_directory(), path),
                    dir => self.directory(&dir.doing(|| "Cannot open the directory")?, path),
                };
            }
            FileType::RegularFile => Kind::File,
            FileType::Symlink => Kind::Symlink,
            FileType::CharacterDevice => Kind::Char,
            FileType::BlockDevice => Kind::Block,
            FileType::Fifo => Kind::Fifo,
            // There is nothing in an archive for a socket, and nothing that another process could do with it.
            _ => return Ok(()),
        };
        let identity = (stat.st_dev, stat.st_ino);
        let entry = Entry { path: path.to_vec(), ..Entry::of(kind) };
        if let Some(first) = self.linked.get(&identity) {
            let entry = Entry { kind: Kind::HardLink, link: first.clone(), ..entry };
            return self.head(entry, attributes_at(dir, name, &stat)?);
        }
        if stat.st_nlink > 1 {
            self.linked.insert(identity, path.to_vec());
        }
        self.first((dir, name), entry, &stat)
    }

    /// A file under its first name.
    fn first(&mut self, (dir, name): (BorrowedFd<'_>, &[u8]), entry: Entry, stat: &Stat) -> Result<()> {
        if entry.kind == Kind::File {
            let file = self.mounts.file(dir, name).doing(|| "Cannot open it")?;
            let size = u64::try_from(fstat(&file).doing(|| "Cannot look at it")?.st_size).unwrap_or(0);
            self.head(Entry { size, ..entry }, attributes(file.as_fd())?)?;
            return self.data(File::from(file), size);
        }
        let link = match entry.kind {
            Kind::Symlink => readlinkat(dir, name, Vec::new()).doing(|| "Cannot read the link")?.into_bytes(),
            _ => Vec::new(),
        };
        let device = (major(stat.st_rdev), minor(stat.st_rdev));
        self.head(Entry { link, device, ..entry }, attributes_at(dir, name, stat)?)
    }

    fn head(&mut self, entry: Entry, Attributes { mode, uid, gid, mtime, xattrs }: Attributes) -> Result<()> {
        let (uid, gid) = self.owners.map_or((uid, gid), |owners| owners.inside(uid, gid));
        self.write(&tar::head(&Entry { mode, uid, gid, mtime, xattrs, ..entry }))
    }

    /// As many bytes as the header says: a file that grows meanwhile is taken as it was.
    fn data(&mut self, file: File, size: u64) -> Result<()> {
        let copied = copy(&mut file.take(size), &mut self.out).doing(|| "Cannot copy the data")?;
        if copied < size {
            return Err(Error::io("the file became shorter while it was read"));
        }
        self.write(tar::padding(size))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).doing(writing)
    }
}
