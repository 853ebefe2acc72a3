//! Extended attributes, as an inode has them behind it.

use super::acl;
use super::tree::What;
use crate::attributes::{Attributes, Xattr, is_allowed};
use crate::error::{Error, Result};
use crate::name::show;

/// Beginnings of names that are written as numbers.
const PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];

/// What goes before the attributes of an inode.
const HEADER: usize = 12;
/// `i_xattr_icount` counts units of four bytes in 16 bits.
const MOST: usize = HEADER + 4 * (u16::MAX as usize - 1);

/// The attributes that a file has which was given `wanted`: the kernel takes those of users for files and directories only
/// (xattr(7)), and makes permissions of the list of a file's users.
pub fn accepted(wanted: &Attributes, what: &What, may_have_users: bool) -> Result<Attributes> {
    // The permissions of links are not looked at, and shown as all: symlink(7).
    let mode = if matches!(what, What::Link(_)) { 0o777 } else { wanted.mode };
    let mut attributes = Attributes { xattrs: Vec::new(), mode, ..wanted.clone() };
    for (name, value) in wanted.xattrs.iter().filter(|(name, _)| is_allowed(name)) {
        if name.starts_with(b"user.") && !may_have_users {
            continue;
        }
        let refuse = |why: &str| Error::io(format!("Cannot set the extended attribute '{}': {why}", show(name)));
        let kept = match prefix_of(name) {
            None => return Err(refuse("EROFS has none of that kind")),
            Some((2, _)) => acl::access(value, what, &mut attributes.mode).map_err(refuse)?,
            Some((3, _)) => acl::default(value, what).map_err(refuse)?,
            Some(_) => true,
        };
        if kept {
            attributes.xattrs.push((name.clone(), value.clone()));
        }
    }
    if encode(&attributes.xattrs)?.len() > MOST {
        return Err(Error::limit(format!("its extended attributes take more than {MOST} bytes")));
    }
    Ok(attributes)
}

fn prefix_of(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|&(number, prefix)| {
        let rest = name.strip_prefix(prefix)?;
        // The names of lists are whole, and the others go on.
        (rest.is_empty() != prefix.ends_with(b".")).then_some((number, rest))
    })
}

/// `erofs_xattr_ibody_header` and an `erofs_xattr_entry` for each; nothing where there are none.
pub fn encode(xattrs: &[Xattr]) -> Result<Vec<u8>> {
    if xattrs.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = vec![0; HEADER];
    for (name, value) in xattrs {
        let too_long = || Error::limit(format!("the extended attribute '{}' is too long", show(name)));
        let (prefix, rest) = prefix_of(name).ok_or_else(too_long)?;
        bytes.push(u8::try_from(rest.len()).map_err(|_| too_long())?);
        bytes.push(prefix);
        bytes.extend(u16::try_from(value.len()).map_err(|_| too_long())?.to_le_bytes());
        bytes.extend_from_slice(rest);
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    Ok(bytes)
}

/// `i_xattr_icount` for so many bytes.
pub fn count(bytes: usize) -> u16 {
    if bytes == 0 { 0 } else { u16::try_from((bytes - HEADER) / 4 + 1).unwrap_or(u16::MAX) }
}
