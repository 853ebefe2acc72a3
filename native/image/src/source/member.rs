//! Names of members, and the links that `docker save` made for layers that two images share.

use crate::error::{Error, Kind, Result};
use crate::name::{self, show};
use std::collections::BTreeMap;

/// Old docker wrote one link for a shared layer; more than a few in a row is a trap.
const MOST_LINKS: usize = 8;

/// What an archive holds under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A file whose bytes lie in one piece.
    File {
        /// Where.
        offset: u64,
        /// How many.
        size: u64,
    },
    /// A symbolic link; the target counts from the directory of the link.
    Symlink(Vec<u8>),
    /// A hard link; the target counts from the top of the archive.
    HardLink(Vec<u8>),
}

/// The members of an archive by their clean names.
pub type Index = BTreeMap<Vec<u8>, Member>;

/// The clean path of a member that a request names. Such names come out of manifests, so nothing is mended.
pub fn clean(name: &str) -> Result<Vec<u8>> {
    let path = name::clean(name.as_bytes())?;
    if path != name.as_bytes() || path.is_empty() {
        return Err(Error::hostile(format!("'{}' is not a plain relative path", show(name.as_bytes()))));
    }
    Ok(path)
}

/// The place of a member, with links followed inside the archive.
pub fn find(index: &Index, path: &[u8]) -> Result<(u64, u64)> {
    let mut at = path.to_vec();
    for _ in 0..=MOST_LINKS {
        at = match index.get(&at) {
            None => return Err(not_found(path)),
            Some(Member::File { offset, size }) => return Ok((*offset, *size)),
            Some(Member::HardLink(target)) => name::clean(target)?,
            Some(Member::Symlink(target)) => beside(&at, target)?,
        };
    }
    Err(Error::hostile(format!("Cannot open {}: too many links", show(path))))
}

/// The error for a member that is not there.
pub fn not_found(path: &[u8]) -> Error {
    Error::new(Kind::NotFound, format!("Cannot open {}: it is not in the image", show(path)))
}

fn beside(link: &[u8], target: &[u8]) -> Result<Vec<u8>> {
    let leaves = || Error::hostile(format!("Cannot open {}: the link leads out of the archive", show(link)));
    if target.starts_with(b"/") {
        return Err(leaves());
    }
    let parent = name::split(link).map_or(&b""[..], |(parent, _)| parent);
    let mut at: Vec<&[u8]> = name::steps(parent).collect();
    for step in name::steps(target) {
        match step {
            b"." => {}
            b".." => at.pop().map(|_| ()).ok_or_else(leaves)?,
            _ => at.push(step),
        }
    }
    Ok(at.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(members: &[(&str, Member)]) -> Index {
        members.iter().map(|(name, member)| (name.as_bytes().to_vec(), member.clone())).collect()
    }

    fn symlink(target: &str) -> Member {
        Member::Symlink(target.as_bytes().to_vec())
    }

    #[test]
    fn a_shared_layer_of_docker_save_is_found_through_its_link() {
        let layer = Member::File { offset: 512, size: 7 };
        let index = index(&[("a/layer.tar", layer), ("b/layer.tar", symlink("../a/layer.tar"))]);
        assert_eq!(find(&index, b"b/layer.tar").unwrap(), (512, 7));
    }

    #[test]
    fn a_link_is_never_followed_out_of_the_archive_or_for_ever() {
        let index = index(&[
            ("up", symlink("../etc/passwd")),
            ("abs", symlink("/etc/passwd")),
            ("a", symlink("b")),
            ("b", symlink("a")),
            ("gone", symlink("nowhere")),
        ]);
        for name in ["up", "abs", "a"] {
            assert_eq!(find(&index, name.as_bytes()).unwrap_err().kind, Kind::Unsafe, "{name}");
        }
        assert_eq!(find(&index, b"gone").unwrap_err().kind, Kind::NotFound);
    }

    #[test]
    fn a_member_is_named_by_a_plain_relative_path() {
        assert!(clean("blobs/sha256/ab").is_ok());
        for name in ["", "/a", "../a", "a/../b", "./a", "a//b", "a/"] {
            assert_eq!(clean(name).unwrap_err().kind, Kind::Unsafe, "{name}");
        }
    }
}
