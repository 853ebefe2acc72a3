//! What is found again when a layer is checked: the list of all its files, in `tree` beside `fs`.
//!
//! The list begins with what is also in `layer.json`, has a line for each file, and ends with the SHA-256 of all before,
//! which `layer.json` has too: so each of the two tells whether the other one is damaged.

pub mod check;
pub mod entry;
mod mend;
pub mod request;
pub mod sum;
pub mod walk;

use crate::attributes::Attributes;
use crate::beneath::open_dir;
use crate::error::{Context, Result};
use crate::inspect::{all_xattrs, described};
use crate::stage::write_file;
use entry::{Entry, Kind, hex};
use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, statat};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use sum::Sum;
use walk::{Found, walk};

/// The list's name.
pub const LIST: &str = "tree";
/// The name of what is known of a layer.
pub const RECORD: &str = "layer.json";
/// Digits of the hash at the end of the list.
const DIGITS: usize = 64;

/// What became known of regular files while they were written, by the numbers of their inodes: so that nothing has to be
/// asked again for most of the list.
#[derive(Default)]
pub struct Contents {
    known: HashMap<u64, Known>,
    /// Something was removed: an inode may be another file's by now, or have fewer names.
    removed: bool,
}

/// What is in a file.
#[derive(Clone, Copy)]
pub struct Content {
    /// Whether it came with holes.
    pub kind: Kind,
    /// Its hash.
    pub sum: Sum,
    /// Which one it is of those that the recipe of the layer counts on.
    pub number: Option<u64>,
}

struct Known {
    kind: Kind,
    sum: Sum,
    attributes: Attributes,
    size: u64,
    links: u64,
    /// Which one it is of those that the recipe counts on.
    number: Option<u64>,
}

impl Contents {
    /// Takes in an open file, which has its content and its attributes by now.
    pub fn note(&mut self, file: BorrowedFd<'_>, content: Content, has_xattrs: bool) -> Result<()> {
        let Content { kind, sum, number } = content;
        let stat = fstat(file).doing(|| "Cannot look at the file")?;
        let xattrs = if has_xattrs { all_xattrs(file)? } else { Vec::new() };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        self.known
            .insert(stat.st_ino, Known { kind, sum, attributes: described(&stat, xattrs), size, links: 1, number });
        Ok(())
    }

    /// The file `name` in `dir` has one name more.
    pub fn relink(&mut self, dir: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if let Some(known) = self.known.get_mut(&stat.st_ino) {
            known.links = stat.st_nlink;
        }
        Ok(())
    }

    /// The layer has taken something back.
    pub fn note_removal(&mut self) {
        self.removed = true;
    }

    /// The number of a file, which is not counted on any more.
    pub fn take_number(&mut self, inode: u64) -> Option<u64> {
        self.known.get_mut(&inode)?.number.take()
    }

    fn entry(&self, path: &[u8], inode: u64) -> Option<Entry> {
        let Known { kind, sum, attributes, size, links, number: _ } = self.known.get(&inode)?;
        let attributes = attributes.clone();
        Some(Entry { path: path.to_vec(), kind: *kind, attributes, links: *links, size: *size, content: sum.hex() })
    }
}

/// Writes the list of `fs`, which lies in `layer`, and `layer.json`; `head` is what that is to say, an object in JSON.
pub fn write(layer: &OwnedFd, head: &[u8], contents: &Contents) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(layer, LIST, flags, Mode::from_raw_mode(0o644)).doing(|| format!("Cannot create {LIST}"))?;
    let mut list = List { file: BufWriter::with_capacity(64 * 1024, File::from(file)), hasher: Sha256::new() };
    list.add(head)?;
    let root = open_dir(layer, b"fs").doing(|| "Cannot open fs")?;
    walk(&root, &mut |found| {
        let entry = match contents.entry(found.path, found.inode) {
            Some(entry) if !contents.removed => entry,
            _ => asked(found, contents)?,
        };
        list.add(&entry.line())
    })?;
    let digest = list.finish()?;
    write_file(layer, RECORD, &record(head, &digest))
}

/// All that the kernel says of a file; its content is not read again if it is known.
fn asked(found: &Found, contents: &Contents) -> Result<Entry> {
    let known = contents.known.get(&found.stat()?.st_ino);
    match (found.kind()?, known) {
        (Kind::File, Some(known)) => found.entry(known.kind, || Ok(known.sum.hex())),
        (kind, _) => found.entry(kind, || found.hash(kind)),
    }
}

/// `layer.json`: the head, and the hash of the list.
fn record(head: &[u8], digest: &str) -> Vec<u8> {
    let members = head.strip_suffix(b"}").unwrap_or(head);
    let comma = if members == b"{" { "" } else { "," };
    [members, format!("{comma}\"tree\":\"{digest}\"}}").as_bytes()].concat()
}

/// The head and the hash that [`record`] has put together.
fn split_record(record: &[u8]) -> Option<(Vec<u8>, String)> {
    let end = format!("\"tree\":\"{}\"}}", "0".repeat(DIGITS)).len();
    let (members, last) = record.split_at_checked(record.len().checked_sub(end)?)?;
    let digest = last.strip_prefix(b"\"tree\":\"")?.strip_suffix(b"\"}")?;
    let members = members.strip_suffix(b",").unwrap_or(members);
    Some(([members, b"}"].concat(), String::from_utf8(digest.to_vec()).ok()?))
}

/// A list in the making.
struct List {
    file: BufWriter<File>,
    hasher: Sha256,
}

impl List {
    fn add(&mut self, line: &[u8]) -> Result<()> {
        for part in [line, b"\0"] {
            self.hasher.update(part);
            self.file.write_all(part).doing(|| "Cannot write the list of files")?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<String> {
        let digest = hex(&self.hasher.finalize());
        let written = self.file.write_all(digest.as_bytes()).and_then(|()| self.file.flush());
        written.doing(|| "Cannot write the list of files")?;
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_taken_apart_as_it_was_put_together() {
        let digest = "a".repeat(DIGITS);
        for head in ["{}", r#"{"diffId":"x","tree":"y"}"#] {
            let (back, same) = split_record(&record(head.as_bytes(), &digest)).unwrap();
            assert_eq!((back, same), (head.as_bytes().to_vec(), digest.clone()));
        }
        assert!(split_record(b"{}").is_none());
    }
}
