//! Names as layers give them: bytes, cleaned to a relative path without `.`, `..` and empty steps.

use crate::error::{Error, Result};

/// `NAME_MAX` of every Linux file system that can hold a root file system.
const LONGEST_STEP: usize = 255;
/// `PATH_MAX` counts the NUL that ends a path.
pub const LONGEST_PATH: usize = 4095;
/// Deeper trees cannot be walked with a descriptor a level by everybody who comes later.
pub const DEEPEST: usize = 255;

const WHITEOUT: &[u8] = b".wh.";
const METADATA: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a name means to the OCI layer format (image-spec, layer.md, "Whiteouts").
#[derive(Debug, PartialEq, Eq)]
pub enum Mark<'a> {
    /// An ordinary entry.
    Plain,
    /// Hides all that lower layers have in the directory of this entry.
    Opaque,
    /// Hides what lower layers have under this name.
    Whiteout(&'a [u8]),
    /// Left over from aufs; no file of the image.
    Metadata,
}

/// The clean relative path for a raw name; the root is the empty path.
pub fn clean(raw: &[u8]) -> Result<Vec<u8>> {
    let mut path = Vec::with_capacity(raw.len());
    let mut depth = 0;
    for step in raw.split(|&byte| byte == b'/') {
        match step {
            b"" | b"." => continue,
            b".." => return Err(Error::hostile(format!("name '{}' has a step '..'", show(raw)))),
            _ if step.contains(&0) => return Err(Error::hostile(format!("name '{}' has a NUL byte", show(raw)))),
            _ if step.len() > LONGEST_STEP => {
                return Err(Error::limit(format!("name '{}' has a step longer than {LONGEST_STEP} bytes", show(raw))));
            }
            _ => {}
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(step);
        depth += 1;
    }
    check_extent(&path, depth)?;
    Ok(path)
}

/// Refuses a clean path that the kernel or a later walk could not take.
pub fn check_extent(path: &[u8], depth: usize) -> Result<()> {
    if path.len() > LONGEST_PATH {
        return Err(Error::limit(format!("name '{}' is longer than {LONGEST_PATH} bytes", show(path))));
    }
    if depth > DEEPEST {
        return Err(Error::limit(format!("name '{}' is deeper than {DEEPEST} directories", show(path))));
    }
    Ok(())
}

/// A clean path as its directory and its last step; nothing for the root.
pub fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    match path.iter().rposition(|&byte| byte == b'/') {
        None => Some((b"", path)),
        Some(at) => Some((path.get(..at)?, path.get(at + 1..)?)),
    }
}

/// The path of `step` in the directory `parent`.
pub fn join(parent: &[u8], step: &[u8]) -> Vec<u8> {
    if parent.is_empty() { step.to_vec() } else { [parent, b"/", step].concat() }
}

/// The steps of a clean path.
pub fn steps(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|step| !step.is_empty())
}

/// What the clean path of an entry means.
///
/// A whiteout that names nothing, its directory or the parent of that has deleted outside the root
/// (containerd 384d46d8, umoci 635306a3), so it is refused by name and not by luck.
pub fn mark(path: &[u8]) -> Result<Mark<'_>> {
    let Some((parent, last)) = split(path) else { return Ok(Mark::Plain) };
    for step in steps(parent) {
        if step.starts_with(METADATA) {
            return Ok(Mark::Metadata);
        }
        if step.starts_with(WHITEOUT) {
            return Err(Error::hostile(format!("name '{}' uses a whiteout as a directory", show(path))));
        }
    }
    if last == OPAQUE {
        return Ok(Mark::Opaque);
    }
    match last.strip_prefix(WHITEOUT) {
        None => Ok(Mark::Plain),
        Some(_) if last.starts_with(METADATA) => Ok(Mark::Metadata),
        Some(b"" | b"." | b"..") => Err(Error::hostile(format!("whiteout '{}' names no file", show(path)))),
        Some(name) => Ok(Mark::Whiteout(name)),
    }
}

/// A name made fit for one line of a message.
pub fn show(path: &[u8]) -> String {
    const ENOUGH: usize = 200;
    let mut shown = String::new();
    for char in String::from_utf8_lossy(path).chars() {
        if shown.len() > ENOUGH {
            shown.push('…');
            break;
        }
        if char.is_control() { shown.extend(char.escape_default()) } else { shown.push(char) }
    }
    if shown.is_empty() { "/".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_name_is_cleaned_to_a_relative_path() {
        for (raw, cleaned) in [("./a//b/", "a/b"), ("/a/./b", "a/b"), ("/", ""), ("./", ""), ("", "")] {
            assert_eq!(clean(raw.as_bytes()).unwrap(), cleaned.as_bytes());
        }
    }

    #[test]
    fn a_name_with_a_parent_step_is_refused() {
        for raw in ["..", "../a", "a/../b", "a/..", "/.."] {
            assert_eq!(clean(raw.as_bytes()).unwrap_err().kind, Kind::Unsafe);
        }
        assert!(clean(b"a/..b/...").is_ok());
    }

    #[test]
    fn a_name_beyond_what_the_kernel_takes_is_refused() {
        assert!(clean(&[b'a'; 255]).is_ok());
        assert_eq!(clean(&[b'a'; 256]).unwrap_err().kind, Kind::Limit);
        assert_eq!(clean("ab/".repeat(256).as_bytes()).unwrap_err().kind, Kind::Limit);
        assert_eq!(clean(vec!["a".repeat(255); 17].join("/").as_bytes()).unwrap_err().kind, Kind::Limit);
    }

    #[test]
    fn whiteouts_are_told_from_files() {
        assert_eq!(mark(b"a/.wh.b").unwrap(), Mark::Whiteout(b"b"));
        assert_eq!(mark(b"a/.wh..wh..opq").unwrap(), Mark::Opaque);
        assert_eq!(mark(b".wh..wh.plnk/12.34").unwrap(), Mark::Metadata);
        assert_eq!(mark(b"a/.wh..wh.aufs").unwrap(), Mark::Metadata);
        assert_eq!(mark(b"a/.white").unwrap(), Mark::Plain);
    }

    #[test]
    fn a_whiteout_must_name_a_file() {
        for name in [".wh.", "a/.wh..", "a/.wh...", ".wh.a/b"] {
            assert_eq!(mark(name.as_bytes()).unwrap_err().kind, Kind::Unsafe);
        }
    }

    #[test]
    fn a_name_in_a_message_keeps_to_one_line() {
        assert_eq!(show(b"a\nb\x1b[0m"), "a\\nb\\u{1b}[0m");
        assert!(show(&[b'x'; 4000]).len() < 300);
    }
}
