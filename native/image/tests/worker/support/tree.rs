//! Trees of files as text, to compare them.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Every path below `root` with all that can be known of it; the root is ".".
pub fn describe(root: &Path) -> BTreeMap<String, String> {
    let mut described = BTreeMap::new();
    add(root, root, &mut described, &mut HashMap::new());
    described
}

/// Fails with the first difference of two trees.
#[track_caller]
pub fn assert_same(ours: &Path, theirs: &Path) {
    let (ours, theirs) = (describe(ours), describe(theirs));
    for (path, line) in &theirs {
        assert_eq!(ours.get(path), Some(line), "{path}");
    }
    assert_eq!(ours.len(), theirs.len(), "{:?}", ours.keys().filter(|path| !theirs.contains_key(*path)));
}

fn add(root: &Path, path: &Path, out: &mut BTreeMap<String, String>, links: &mut HashMap<u64, String>) {
    let stat = fs::symlink_metadata(path).expect("it is there");
    let name = match path.strip_prefix(root).expect("below").to_string_lossy().into_owned() {
        name if name.is_empty() => ".".to_owned(),
        name => name,
    };
    let kind = stat.file_type();
    let what = if kind.is_dir() {
        "directory".to_owned()
    } else if kind.is_symlink() {
        format!("link to {}", fs::read_link(path).expect("a link").display())
    } else if kind.is_file() {
        let content = fs::read(path).expect("a file");
        format!("file of {} bytes, {}", stat.size(), super::sha256(&content))
    } else if kind.is_fifo() {
        "pipe".to_owned()
    } else {
        format!("device {:?} {:x}", kind.is_block_device(), stat.rdev())
    };
    let first = links.entry(stat.ino()).or_insert_with(|| name.clone()).clone();
    let same = if stat.is_dir() { String::new() } else { format!(" same as {first}") };
    let owner =
        format!("{:o} {}:{} {}.{:09}", stat.mode() & 0o7777, stat.uid(), stat.gid(), stat.mtime(), stat.mtime_nsec());
    out.insert(name, format!("{what}, {owner},{same} {:?}", xattrs(path)));
    if kind.is_dir() {
        for child in super::names(path) {
            add(root, &path.join(child), out, links);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = [0; 4096];
    let length = rustix::fs::llistxattr(path, &mut names).expect("it has a list");
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    let names = names.split('\0').filter(|name| !name.is_empty());
    names.map(|name| (name.to_owned(), super::xattr(path, name).expect("it is listed"))).collect()
}
