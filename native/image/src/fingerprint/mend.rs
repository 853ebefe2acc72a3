//! Makes a layer again what its list says, out of what is there: attributes out of the list, contents out of any layer
//! that has a file with the same hash. Whoever has the layer mounted sees the mended files.

use super::check::{Finding, Listed, beside, findings, open_layer, read_record, still_has, strangers, trusted_record};
use super::entry::{Entry, Kind, unhex};
use super::walk::Found;
use super::{Contents, LIST, RECORD, record};
use crate::beneath::open_dir;
use crate::copy::Copier;
use crate::error::{Context, Error, Result};
use crate::inspect::{all_attributes_at, is_of_layer};
use crate::name::{show, split};
use crate::remove;
use crate::stage::write_file;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, fstat, ftruncate, makedev, mkdirat, mknodat, openat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

/// What is mended changes the time of its directory, which the next round mends.
const ROUNDS: usize = 3;

/// Mends the layer as far as it goes; `others` are layers that may have its files. Gives what is still wrong.
pub fn mend(layer: &OwnedFd, others: &[String]) -> Result<Vec<Finding>> {
    if Listed::open(layer).is_err() {
        renew_list(layer)?;
    }
    let mut left = findings(layer)?;
    for _ in 0..ROUNDS {
        if left.is_empty() {
            break;
        }
        let sources = find_sources(&left, others)?;
        for finding in &left {
            // What cannot be mended is found again.
            let _ = mend_one(layer, finding, &sources);
        }
        left = findings(layer)?;
    }
    rustix::fs::syncfs(layer).doing(|| "Cannot write the layer to the disk")?;
    Ok(left)
}

/// Writes the list anew from the files, if those are still what `layer.json` has the hash of.
fn renew_list(layer: &OwnedFd) -> Result<()> {
    let damaged = || Error::format(format!("{LIST} is damaged, and so is what it could be made of"));
    let (head, digest) = trusted_record(layer).ok_or_else(damaged)?;
    let before = read_record(layer)?;
    super::write(layer, &head, &Contents::default())?;
    if Listed::open(layer)?.digest == digest {
        return Ok(());
    }
    // As it was: a list of damaged files must not be believed the next time.
    unlinkat(layer, LIST, AtFlags::empty()).doing(|| format!("Cannot remove {LIST}"))?;
    write_file(layer, RECORD, &before)?;
    Err(damaged())
}

/// For each content that is wanted, a layer and a file of it that should have it.
type Sources = HashMap<String, Vec<(String, Entry)>>;

fn find_sources(left: &[Finding], others: &[String]) -> Result<Sources> {
    let mut sources: Sources = left.iter().filter_map(wanted_content).map(|content| (content, Vec::new())).collect();
    if sources.is_empty() {
        return Ok(sources);
    }
    for path in others {
        // A layer that is damaged itself may still have the file.
        let Ok(listed) = open_layer(path).and_then(|layer| Listed::open(&layer)) else { continue };
        listed.each(|entry| {
            if let (Kind::File, Some(found)) = (entry.kind, sources.get_mut(&entry.content)) {
                found.push((path.clone(), entry));
            }
            Ok(())
        })?;
    }
    Ok(sources)
}

fn wanted_content(finding: &Finding) -> Option<String> {
    let (Finding::Missing(entry) | Finding::Changed(entry, _)) = finding else { return None };
    (entry.kind == Kind::File).then(|| entry.content.clone())
}

fn mend_one(layer: &OwnedFd, finding: &Finding, sources: &Sources) -> Result<()> {
    let fs = || open_dir(layer, b"fs").doing(|| "Cannot open fs");
    match finding {
        Finding::Record(_) => {
            let listed = Listed::open(layer)?;
            write_file(layer, RECORD, &record(&listed.head, &listed.digest))?;
            let dir = open_dir(layer, b"").doing(|| "Cannot open the layer")?;
            strangers(layer, &beside(&listed.head)?)?.iter().try_for_each(|name| clear(&dir, name))
        }
        Finding::Additional(path) => {
            let (parent, name) = split(path).ok_or_else(|| Error::format("the root is no file"))?;
            let parent = open_dir(fs()?, parent).doing(|| format!("Cannot open {}", show(parent)))?;
            clear(&parent, name)
        }
        Finding::Missing(entry) => make(&fs()?, entry, sources),
        Finding::Changed(entry, ways) => {
            let is = |word: &str| ways.iter().any(|way| way.starts_with(word));
            let refilled = matches!(entry.kind, Kind::File | Kind::Sparse);
            if is("is another kind") || is("content") && !refilled {
                make(&fs()?, entry, sources)
            } else if is("size") || is("content") {
                refill(&fs()?, entry, sources)
            } else {
                describe(&fs()?, entry)
            }
        }
    }
}

fn clear(dir: &OwnedFd, name: &[u8]) -> Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => remove::tree(dir, name),
        Err(errno) => Err(Error::io(format!("Cannot remove {}: {errno}", show(name)))),
    }
}

/// Makes what is not there, or is something else.
fn make(fs: &OwnedFd, entry: &Entry, sources: &Sources) -> Result<()> {
    let (parent, name) = split(&entry.path).ok_or_else(|| Error::format("the root cannot be made"))?;
    if entry.links > 1 {
        return Err(Error::format("nothing says which names its file has"));
    }
    let dir = open_dir(fs, parent).doing(|| format!("Cannot open {}", show(parent)))?;
    let mode = Mode::from_raw_mode(entry.attributes.mode & 0o777);
    let (first, second) = entry.content.split_once(':').unwrap_or_default();
    let device = makedev(first.parse().unwrap_or(0), second.parse().unwrap_or(0));
    let node = |kind| mknodat(&dir, name, kind, mode, device).doing(|| "Cannot create a node");
    if entry.kind == Kind::File {
        return refill(fs, entry, sources);
    }
    clear(&dir, name)?;
    match entry.kind {
        Kind::Directory => mkdirat(&dir, name, Mode::RWXU).doing(|| "Cannot create a directory")?,
        Kind::Link => {
            let target = unhex(&entry.content).ok_or_else(|| Error::format("it leads nowhere"))?;
            symlinkat(target, &dir, name).doing(|| "Cannot create a link")?;
        }
        Kind::Char => node(FileType::CharacterDevice)?,
        Kind::Block => node(FileType::BlockDevice)?,
        Kind::Fifo => node(FileType::Fifo)?,
        Kind::File | Kind::Sparse => return Err(Error::format("no layer has its content")),
    }
    describe(fs, entry)
}

/// Writes the content of a file, which keeps its names, out of a layer that has it.
fn refill(fs: &OwnedFd, entry: &Entry, sources: &Sources) -> Result<()> {
    let (parent, name) = split(&entry.path).ok_or_else(|| Error::format("the root is no file"))?;
    let candidates = sources.get(&entry.content).map(Vec::as_slice).unwrap_or_default();
    let source = candidates.iter().find_map(|(path, other)| still_has(&open_layer(path).ok()?, other));
    let source = source.ok_or_else(|| Error::format("no layer has its content"))?;
    let dir = open_dir(fs, parent).doing(|| format!("Cannot open {}", show(parent)))?;
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let existing = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let is_file = existing.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    if is_file && Found::new(&dir, name, &entry.path, 0).hash(Kind::File)? == entry.content {
        // It has another name, by which it was mended before.
        return describe(fs, entry);
    }
    if !is_file {
        clear(&dir, name)?;
    }
    let flags = if is_file { flags } else { flags | OFlags::CREATE | OFlags::EXCL };
    let target = openat(&dir, name, flags, Mode::RWXU).doing(|| format!("Cannot open {}", show(&entry.path)))?;
    ftruncate(&target, 0).doing(|| "Cannot empty it")?;
    let stat = fstat(&source).doing(|| "Cannot look at it")?;
    Copier::default().data(source.as_fd(), target.as_fd(), &stat)?;
    describe(fs, entry)
}

/// Sets owner, mode, time and extended attributes.
fn describe(fs: &OwnedFd, entry: &Entry) -> Result<()> {
    let (parent, name) = split(&entry.path).unwrap_or((b"", b"."));
    let dir = open_dir(fs, parent).doing(|| format!("Cannot open {}", show(parent)))?;
    let stat = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).doing(|| "Cannot look at it")?;
    let has = all_attributes_at(dir.as_fd(), name, &stat)?;
    entry.attributes.force_at(dir.as_fd(), name, &has.xattrs, entry.kind == Kind::Link, is_of_layer)
}
