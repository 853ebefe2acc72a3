//! One file of a layer as the list has it: a line that ends in NUL, which no path has in it.
//!
//! `KIND MODE UID GID SECONDS.NANOSECONDS LINKS SIZE CONTENT XATTRS PATH`, where CONTENT is the XXH3 of a file, the
//! target of a link or the number of a device, and XATTRS is `NAME=VALUE,…` or `-`. Names, values and targets are in
//! hexadecimal digits: they may hold anything.

use crate::attributes::{Attributes, Xattr};
use crate::error::{Error, Result};
use crate::tar::Time;
use std::io::Write as _;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A regular file that came with holes: its hash passes over blocks of zeros.
    Sparse,
    /// A symbolic link.
    Link,
    /// A character device; 0:0 is a whiteout.
    Char,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::Directory, "d"),
    (Kind::File, "f"),
    (Kind::Sparse, "s"),
    (Kind::Link, "l"),
    (Kind::Char, "c"),
    (Kind::Block, "b"),
    (Kind::Fifo, "p"),
];

/// All that is to be found again of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The clean path; the root is the empty one.
    pub path: Vec<u8>,
    /// See [`Kind`].
    pub kind: Kind,
    /// Mode, owner, time and extended attributes.
    pub attributes: Attributes,
    /// How many names it has; 0 for a directory, where that counts something else.
    pub links: u64,
    /// Bytes; 0 for what has none of its own.
    pub size: u64,
    /// See above.
    pub content: String,
}

impl Entry {
    /// The line, without its end.
    pub fn line(&self) -> Vec<u8> {
        let Attributes { mode, uid, gid, mtime, xattrs } = &self.attributes;
        let kind = KINDS.iter().find(|known| known.0 == self.kind).map_or("", |known| known.1);
        let Time { seconds, nanoseconds } = mtime;
        let (links, size, content) = (self.links, self.size, &self.content);
        let mut line = Vec::with_capacity(128 + content.len() + self.path.len());
        // Writing to a Vec cannot fail.
        let _ = write!(line, "{kind} {mode:o} {uid} {gid} {seconds}.{nanoseconds} {links} {size} {content} ");
        let pairs: Vec<_> = xattrs.iter().map(|(name, value)| format!("{}={}", hex(name), hex(value))).collect();
        let xattrs = if pairs.is_empty() { "-".to_owned() } else { pairs.join(",") };
        line.extend_from_slice(xattrs.as_bytes());
        line.push(b' ');
        line.extend_from_slice(&self.path);
        line
    }

    /// Reads what [`Entry::line`] has written.
    pub fn parse(line: &[u8]) -> Result<Self> {
        read(line).ok_or_else(|| Error::format("the list of its files has a line that is none"))
    }

    /// What differs in `found`, in words; nothing where it is the same.
    pub fn differences(&self, found: &Self) -> Vec<String> {
        if self.kind != found.kind {
            return vec!["is another kind of file".to_owned()];
        }
        let (wanted, has) = (&self.attributes, &found.attributes);
        let mut words = Vec::new();
        let mut note = |same: bool, words_of: &dyn Fn() -> String| {
            if !same {
                words.push(words_of());
            }
        };
        note(self.size == found.size, &|| format!("size is {}, not {}", found.size, self.size));
        note(self.size != found.size || self.content == found.content, &|| "content differs".to_owned());
        note(wanted.mode == has.mode, &|| format!("mode is {:04o}, not {:04o}", has.mode, wanted.mode));
        let (owner, group) = (wanted.uid, wanted.gid);
        note((owner, group) == (has.uid, has.gid), &|| {
            format!("owner is {}:{}, not {owner}:{group}", has.uid, has.gid)
        });
        note(wanted.mtime == has.mtime, &|| "time differs".to_owned());
        note(wanted.xattrs == has.xattrs, &|| "extended attributes differ".to_owned());
        note(self.links == found.links, &|| format!("has {} names, not {}", found.links, self.links));
        words
    }
}

/// The order of the list: a directory, all that is in it by name, and then what comes after it.
pub fn order(one: &[u8], other: &[u8]) -> std::cmp::Ordering {
    let keys = |path: &'_ [u8]| path.iter().map(|&byte| if byte == b'/' { 0 } else { byte }).collect::<Vec<_>>();
    keys(one).cmp(&keys(other))
}

fn read(line: &[u8]) -> Option<Entry> {
    let mut fields = line.splitn(10, |&byte| byte == b' ');
    let mut next = || fields.next();
    let kind = next()?;
    let kind = KINDS.iter().find(|known| known.1.as_bytes() == kind)?.0;
    let mut text = || std::str::from_utf8(next()?).ok();
    let mode = u32::from_str_radix(text()?, 8).ok()?;
    let (uid, gid) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let (seconds, nanoseconds) = text()?.split_once('.')?;
    let mtime = Time { seconds: seconds.parse().ok()?, nanoseconds: nanoseconds.parse().ok()? };
    let (links, size) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let content = text()?.to_owned();
    let xattrs = match text()? {
        "-" => Vec::new(),
        pairs => pairs.split(',').map(pair).collect::<Option<_>>()?,
    };
    let path = next()?.to_vec();
    Some(Entry { path, kind, attributes: Attributes { mode, uid, gid, mtime, xattrs }, links, size, content })
}

fn pair(text: &str) -> Option<Xattr> {
    let (name, value) = text.split_once('=')?;
    Some((unhex(name)?, unhex(value)?))
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// The bytes of hexadecimal digits.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|two| two.len() == 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_entry_goes_through_a_line_and_back() {
        let mtime = Time { seconds: -1, nanoseconds: 5 };
        let xattrs = vec![(b"user.a b".to_vec(), vec![]), (b"user.c".to_vec(), vec![0, 255])];
        for (kind, path) in [(Kind::File, &b"a b/\xff\n c"[..]), (Kind::Directory, b""), (Kind::Sparse, b"x")] {
            let attributes = Attributes { mode: 0o4755, uid: 1, gid: 2, mtime, xattrs: xattrs.clone() };
            let entry = Entry { path: path.to_vec(), kind, attributes, links: 2, size: 7, content: "ab".to_owned() };
            assert_eq!(Entry::parse(&entry.line()).unwrap(), entry);
        }
        for line in ["", "x 0 0 0 0.0 1 0 - - a", "f 8 0 0 0.0 1 0 - - a", "f 0 0 0 0.0 1 0 - 6 a", "f 0 0 0 0.0 1 0 -"]
        {
            assert!(Entry::parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_in_a_directory_follows_it() {
        let mut paths = [&b"a-b"[..], b"a/b", b"a", b"", b"a/b/c", b"a0"];
        paths.sort_by(|one, other| order(one, other));
        assert_eq!(paths, [&b""[..], b"a", b"a/b", b"a/b/c", b"a-b", b"a0"]);
    }
}
