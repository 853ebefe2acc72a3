//! An archive with an index, checked: all but the archive follows from it, so it is made once more and compared.

use super::mount::is_index;
use super::{ARCHIVE, INDEX, Index};
use crate::beneath::{list, open_dir, open_file};
use crate::copy::Copier;
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::fingerprint::RECORD;
use crate::fingerprint::check::{HINT, read_record};
use crate::fingerprint::walk::hash_sparse;
use crate::limits::Limits;
use crate::name::show;
use crate::remove;
use crate::stage::write_file;
use crate::stream::blob::Extent;
use crate::stream::pipeline::Job;
use crate::unpack::layer::{Grown, Record, Snapshotter, apply_all, grow};
use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, unlinkat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where a tag of the index has the beginning of the archive's hash.
const TAG: u64 = 1024 + 128;

/// All that is wrong with a layer.
pub fn findings(layer: &OwnedFd) -> Result<Vec<String>> {
    Made::of(layer).and_then(|made| made.compare(layer))
}

/// Makes again what follows from the archive, if that is whole; gives what is still wrong.
pub fn mend(layer: &OwnedFd) -> Result<Vec<String>> {
    let made = Made::of(layer)?;
    if made.compare(layer)?.is_empty() {
        return Ok(Vec::new());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // The same file: who has the layer mounted sees what was mended.
    let index = openat(layer, INDEX, flags, Mode::from_raw_mode(0o644)).doing(|| format!("Cannot open {INDEX}"))?;
    let stat = fstat(&made.index).doing(|| "Cannot look at the index")?;
    Copier::default().data(made.index.as_fd(), index.as_fd(), &stat)?;
    write_file(layer, RECORD, &made.record.json()?)?;
    for name in strangers(layer)? {
        match unlinkat(layer, &name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove::tree(layer, &name)?,
            removed => removed.doing(|| format!("Cannot remove {}", show(&name)))?,
        }
    }
    rustix::fs::syncfs(layer).doing(|| "Cannot write the layer to the disk")?;
    made.compare(layer)
}

/// What follows from the archive.
struct Made {
    index: File,
    record: Record,
}

impl Made {
    /// An error where the archive is not what it was.
    fn of(layer: &OwnedFd) -> Result<Self> {
        let opened = open_file(layer, ARCHIVE.as_bytes()).doing(|| format!("{ARCHIVE}: it cannot be opened"))?;
        let file = Arc::new(File::from(opened));
        let size = file.metadata().doing(|| "Cannot look at the archive")?.len();
        let known: Option<Record> = serde_json::from_slice(&read_record(layer)?).ok();
        let wanted: Option<Digest> = known.as_ref().and_then(|known| Digest::parse(&known.body.diff_id).ok());
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let scratch = openat(layer, ".", flags, Mode::from_raw_mode(0o600)).doing(|| "Cannot make an unnamed file")?;
        let index = File::from(scratch.try_clone().doing(|| "Cannot copy a descriptor")?);
        let (limits, stop, progress) = (Limits::default(), AtomicBool::new(false), |_| ());
        let job = Job {
            digest: wanted.as_ref(),
            size: None,
            diff_id: wanted.as_ref(),
            keep: None,
            plain: true,
            limits: &limits,
            progress: &progress,
            stop: &stop,
        };
        let supply = Box::new(Extent { file, offset: 0, size });
        let grown = grow(&job, supply, Index::new(index), |tree, stream| apply_all(tree, stream));
        let (Grown { ground, body, sums }, ()) = grown.map_err(|error| error.within(ARCHIVE))?;
        if wanted.is_none() && tag(layer).as_deref() != sums.diff_id.hex().as_bytes().get(..64) {
            return Err(Error::format(format!("{RECORD} is damaged, and nothing else says what is in {ARCHIVE}")));
        }
        super::write(&ground, size, sums.diff_id.hex())?;
        // What the blob was nobody knows any more: the archive is one too.
        let blob = known.map_or_else(|| (body.diff_id.clone(), size), |known| (known.digest, known.size));
        let (archive_size, snapshotter, beside) = (size, Snapshotter::Erofs, BTreeMap::new());
        let record = Record { body, digest: blob.0, size: blob.1, archive_size, snapshotter, beside };
        Ok(Self { index: File::from(scratch), record })
    }

    fn compare(&self, layer: &OwnedFd) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        if !is_index(layer) || !self.is_same(layer)? {
            findings.push(format!("{INDEX}: is damaged"));
        }
        if read_record(layer)? != self.record.json()? {
            findings.push(format!("{RECORD}: is damaged"));
        }
        let strangers = strangers(layer)?;
        findings.extend(strangers.iter().map(|name| format!("{}: does not belong beside {ARCHIVE}", show(name))));
        Ok(findings)
    }

    /// Whether the index is the one that was made; holes may be blocks of zeros.
    fn is_same(&self, layer: &OwnedFd) -> Result<bool> {
        let Ok(there) = open_file(layer, INDEX.as_bytes()) else { return Ok(false) };
        let there = File::from(there);
        let length = |file: &File| file.metadata().map(|data| data.len()).doing(|| "Cannot look at the index");
        let sum = |file: &File, size| hash_sparse(file.as_fd(), size).doing(|| "Cannot read the index");
        let size = length(&self.index)?;
        Ok(length(&there)? == size && sum(&there, size)? == sum(&self.index, size)?)
    }
}

fn strangers(layer: &OwnedFd) -> Result<Vec<Vec<u8>>> {
    let dir = open_dir(layer, b"").doing(|| "Cannot open the layer")?;
    let items = list(dir).doing(|| "Cannot read the layer")?;
    let known = [ARCHIVE, INDEX, RECORD, HINT];
    let names = items.into_iter().map(|item| item.name);
    Ok(names.filter(|name| !known.iter().any(|known| known.as_bytes() == name)).collect())
}

fn tag(layer: &OwnedFd) -> Option<Vec<u8>> {
    let mut tag = vec![0; 64];
    File::from(open_file(layer, INDEX.as_bytes()).ok()?).read_exact_at(&mut tag, TAG).ok()?;
    Some(tag)
}
