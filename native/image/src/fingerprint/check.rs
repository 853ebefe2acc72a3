//! The list against the disk.

use super::entry::{Entry, Kind, order};
use super::walk::{Found, walk};
use super::{DIGITS, LIST, RECORD, record, split_record};
use crate::beneath::{list, open_dir, open_file};
use crate::error::{Context, Error, Result};
use crate::name::show;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Take};
use std::os::fd::OwnedFd;

/// Where the blob is known to be (src/image/places.ts). Nothing follows from it, so nothing is wrong with it.
pub const HINT: &str = "places.json";
/// So many are told of and mended at a time.
const MOST_FINDINGS: usize = 1000;

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is not there.
    Missing(Entry),
    /// Nobody has put it there.
    Additional(Vec<u8>),
    /// It is there, and different: how it should be, and in which ways it is not.
    Changed(Entry, Vec<String>),
    /// Not the tree, but `tree` or `layer.json` itself.
    Record(String),
}

impl Finding {
    /// For people.
    pub fn text(&self) -> String {
        let root = |path: &[u8]| if path.is_empty() { "/".to_owned() } else { show(path) };
        match self {
            Self::Missing(entry) => format!("{}: is missing", root(&entry.path)),
            Self::Additional(path) => format!("{}: does not belong there", root(path)),
            Self::Changed(entry, ways) => format!("{}: {}", root(&entry.path), ways.join(", ")),
            Self::Record(what) => what.clone(),
        }
    }
}

/// The list, and whether it can be believed.
pub struct Listed {
    /// What `layer.json` says but for the hash.
    pub head: Vec<u8>,
    entries: Take<BufReader<File>>,
    /// The hash of it.
    pub digest: String,
}

impl Listed {
    /// Opens the list of a layer; an error where it is not what its own hash says.
    pub fn open(layer: &OwnedFd) -> Result<Self> {
        let file = open_file(layer, LIST.as_bytes()).map_err(|errno| Error::format(format!("{LIST}: {errno}")))?;
        let mut file = File::from(file);
        let size = file.metadata().doing(|| "Cannot look at the list")?.len();
        let digest = digest_of(&mut file, size)?;
        file.rewind().doing(|| "Cannot rewind the list")?;
        let mut entries = BufReader::with_capacity(64 * 1024, file).take(size.saturating_sub(DIGITS as u64));
        let head = next_line(&mut entries)?.unwrap_or_default();
        Ok(Self { head, entries, digest })
    }

    fn next(&mut self) -> Result<Option<Entry>> {
        next_line(&mut self.entries)?.map(|line| Entry::parse(&line)).transpose()
    }

    /// Calls `visit` for each entry.
    pub fn each(mut self, mut visit: impl FnMut(Entry) -> Result<()>) -> Result<()> {
        while let Some(entry) = self.next()? {
            visit(entry)?;
        }
        Ok(())
    }
}

fn digest_of(file: &mut File, size: u64) -> Result<String> {
    let damaged = || Error::format(format!("{LIST}: the list of files is damaged"));
    let body = size.checked_sub(DIGITS as u64).ok_or_else(damaged)?;
    let (mut hasher, mut buffer, mut left) = (Sha256::new(), vec![0; 64 * 1024], body);
    while left > 0 {
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let room = buffer.get_mut(..most).unwrap_or_default();
        file.read_exact(room).doing(|| "Cannot read the list")?;
        hasher.update(&*room);
        left -= most as u64;
    }
    let mut end = String::new();
    file.seek(SeekFrom::Start(body)).doing(|| "Cannot read the list")?;
    file.read_to_string(&mut end).map_err(|_| damaged())?;
    if super::entry::hex(&hasher.finalize()) == end { Ok(end) } else { Err(damaged()) }
}

fn next_line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.read_until(0, &mut line).doing(|| "Cannot read the list")?;
    Ok(line.pop().map(|_| line))
}

/// All that is wrong with a layer, the first [`MOST_FINDINGS`]; an error where its list cannot be used.
pub fn findings(layer: &OwnedFd) -> Result<Vec<Finding>> {
    let mut expected = Listed::open(layer)?;
    let next = expected.next()?;
    let mut comparison = Comparison { next, findings: record_findings(layer, &expected)?, covered: None, expected };
    let root = open_dir(layer, b"fs");
    if let Ok(root) = root {
        walk(&root, &mut |found| comparison.see(found))?;
    }
    while let Some(entry) = comparison.take()? {
        comparison.add(Finding::Missing(entry));
    }
    Ok(comparison.findings)
}

/// `layer.json` follows from the list, what it names is as it was, and nothing else lies beside them and `fs`.
fn record_findings(layer: &OwnedFd, listed: &Listed) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if read_record(layer)? != record(&listed.head, &listed.digest) {
        findings.push(Finding::Record(format!("{RECORD}: is damaged")));
    }
    let beside = beside(&listed.head)?;
    for (name, sum) in &beside {
        let hash = Found::new(layer, name.as_bytes(), name.as_bytes(), 0).hash(Kind::File);
        if hash.ok().as_ref() != Some(sum) {
            findings.push(Finding::Record(format!("{name}: is missing or damaged")));
        }
    }
    let strange = strangers(layer, &beside)?;
    findings.extend(strange.iter().map(|name| Finding::Record(format!("{}: does not belong beside fs", show(name)))));
    Ok(findings)
}

/// The files that the head says lie beside `fs`, and the sum of each.
pub fn beside(head: &[u8]) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        beside: BTreeMap<String, String>,
    }
    let head = serde_json::from_slice::<Head>(head);
    head.map(|head| head.beside)
        .map_err(|error| Error::format(format!("{LIST}: the list of files is damaged: {error}")))
}

/// The names in a layer that do not belong there.
pub fn strangers(layer: &OwnedFd, beside: &BTreeMap<String, String>) -> Result<Vec<Vec<u8>>> {
    let items = list(open_dir(layer, b"").doing(|| "Cannot open the layer")?).doing(|| "Cannot read the layer")?;
    let known: Vec<&str> = ["fs", LIST, RECORD, HINT].into_iter().chain(beside.keys().map(String::as_str)).collect();
    let strange = items.into_iter().filter(|item| !known.iter().any(|known| known.as_bytes() == item.name));
    Ok(strange.map(|item| item.name).collect())
}

/// What is in `layer.json`; nothing where there is none.
pub fn read_record(layer: &OwnedFd) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let Ok(file) = open_file(layer, RECORD.as_bytes()) else { return Ok(text) };
    File::from(file).read_to_end(&mut text).doing(|| format!("Cannot read {RECORD}"))?;
    Ok(text)
}

/// The head that `layer.json` has, and the hash that the list must have.
pub fn trusted_record(layer: &OwnedFd) -> Option<(Vec<u8>, String)> {
    split_record(&read_record(layer).ok()?)
}

/// The list and the walk side by side; both are in the same order.
struct Comparison {
    expected: Listed,
    next: Option<Entry>,
    findings: Vec<Finding>,
    /// An additional directory: what is in it is not told of.
    covered: Option<Vec<u8>>,
}

impl Comparison {
    fn see(&mut self, found: &Found) -> Result<()> {
        if self.covered.as_ref().is_some_and(|path| found.path.starts_with(path)) {
            return Ok(());
        }
        loop {
            match self.next.as_ref().map(|wanted| order(&wanted.path, found.path)) {
                Some(Ordering::Less) => {
                    if let Some(entry) = self.take()? {
                        self.add(Finding::Missing(entry));
                    }
                }
                Some(Ordering::Equal) => return self.compare(found),
                Some(Ordering::Greater) | None => {
                    self.covered = Some([found.path, b"/"].concat());
                    self.add(Finding::Additional(found.path.to_vec()));
                    return Ok(());
                }
            }
        }
    }

    fn compare(&mut self, found: &Found) -> Result<()> {
        let Some(wanted) = self.take()? else { return Ok(()) };
        let kind = match found.kind() {
            Ok(Kind::File) if wanted.kind == Kind::Sparse => Kind::Sparse,
            Ok(kind) => kind,
            // A socket, say.
            Err(_) => {
                self.add(Finding::Changed(wanted, vec!["is another kind of file".to_owned()]));
                return Ok(());
            }
        };
        // What has another size has another content.
        let hash = || if found.size()? == wanted.size { found.hash(kind) } else { Ok(String::new()) };
        let ways = wanted.differences(&found.entry(kind, hash)?);
        if !ways.is_empty() {
            self.add(Finding::Changed(wanted, ways));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<Entry>> {
        let next = self.expected.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// Opens a layer by its path.
pub fn open_layer(path: &str) -> Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, rustix::fs::Mode::empty());
    opened.doing(|| format!("Cannot open {path}"))
}

/// The bytes of a file that the list knows by `content`, if they are still those.
pub fn still_has(layer: &OwnedFd, entry: &Entry) -> Option<OwnedFd> {
    let fs = open_dir(layer, b"fs").ok()?;
    let (parent, name) = crate::name::split(&entry.path)?;
    let dir = open_dir(&fs, parent).ok()?;
    let found = Found::new(&dir, name, &entry.path, 0);
    let same = found.kind().ok()? == Kind::File && found.hash(Kind::File).ok()? == entry.content;
    if same { open_file(&dir, name).ok() } else { None }
}
