//! Attributes as they are on the disk.

use crate::attributes::{Attributes, OPAQUE, USER_OPAQUE, Xattr, is_allowed, through_proc};
use crate::error::{Context, Result};
use crate::tar::Time;
use rustix::fs::{Stat, fgetxattr, flistxattr, fremovexattr, fstat, lgetxattr, llistxattr};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The attributes of an open file, without what overlayfs keeps in its own.
pub fn attributes(file: BorrowedFd<'_>) -> Result<Attributes> {
    let stat = fstat(file).doing(|| "Cannot look at a file")?;
    Ok(described(&stat, xattrs(file)?))
}

/// The attributes of `name` in `dir`, which is a link or a node that must not be opened.
pub fn attributes_at(dir: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<Attributes> {
    chosen_attributes_at(dir, name, stat, is_allowed)
}

/// The same with the marks of overlayfs, and without the labels that the host gives by itself.
pub fn all_attributes_at(dir: BorrowedFd<'_>, name: &[u8], stat: &Stat) -> Result<Attributes> {
    chosen_attributes_at(dir, name, stat, is_of_layer)
}

/// The extended attributes of an open file, also those of overlayfs, without labels that the host gives by itself.
pub fn all_xattrs(file: BorrowedFd<'_>) -> Result<Vec<Xattr>> {
    let names = sized(|buffer| flistxattr(file, buffer))?;
    values(&names, is_of_layer, |name| sized(|buffer| fgetxattr(file, name, buffer)))
}

/// Whether an extended attribute belongs to a layer, and not to the security module of the host.
pub fn is_of_layer(name: &[u8]) -> bool {
    ![&b"security.selinux"[..], b"security.ima", b"security.evm", b"security.SMACK64"].contains(&name)
}

fn chosen_attributes_at(
    dir: BorrowedFd<'_>,
    name: &[u8],
    stat: &Stat,
    choose: fn(&[u8]) -> bool,
) -> Result<Attributes> {
    let path = through_proc(dir.as_raw_fd(), Some(name));
    let names = sized(|buffer| llistxattr(&path, buffer))?;
    Ok(described(stat, values(&names, choose, |name| sized(|buffer| lgetxattr(&path, name, buffer)))?))
}

/// The extended attributes of an open file, without what overlayfs keeps in its own.
pub fn xattrs(file: BorrowedFd<'_>) -> Result<Vec<Xattr>> {
    let names = sized(|buffer| flistxattr(file, buffer))?;
    values(&names, is_allowed, |name| sized(|buffer| fgetxattr(file, name, buffer)))
}

/// Removes the extended attributes of an open file, without what overlayfs keeps in its own.
pub fn clear_xattrs(file: BorrowedFd<'_>) -> Result<()> {
    for (name, _) in xattrs(file)? {
        fremovexattr(file, name).doing(|| "Cannot remove an extended attribute")?;
    }
    Ok(())
}

/// Whether a directory of a layer hides what lower layers have in it.
pub fn is_opaque(dir: impl AsFd) -> Result<bool> {
    for name in [OPAQUE, USER_OPAQUE] {
        let mut value = [0; 2];
        match fgetxattr(&dir, name, &mut value) {
            Ok(length) => return Ok(value.get(..length) == Some(b"y")),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno).doing(|| "Cannot see whether a directory is opaque"),
        }
    }
    Ok(false)
}

/// Attributes as the kernel tells them.
pub fn described(stat: &Stat, xattrs: Vec<Xattr>) -> Attributes {
    // The kernel counts nanoseconds from 0 to 999,999,999.
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let mtime = Time { seconds: stat.st_mtime, nanoseconds };
    Attributes { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime, xattrs }
}

fn values(names: &[u8], choose: fn(&[u8]) -> bool, value: impl Fn(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<Xattr>> {
    let names = names.split(|&byte| byte == 0).filter(|name| !name.is_empty() && choose(name));
    let mut found = names.map(|name| Ok((name.to_vec(), value(name)?))).collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// Neither a value nor a list of names can be larger (xattr(7)).
const LARGEST: usize = 64 * 1024;

fn sized(ask: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Result<Vec<u8>> {
    let mut bytes = vec![0; 256];
    let length = match ask(&mut bytes) {
        Err(Errno::OPNOTSUPP) => Ok(0),
        Err(Errno::RANGE) => {
            bytes.resize(LARGEST, 0);
            ask(&mut bytes)
        }
        length => length,
    };
    bytes.truncate(length.doing(|| "Cannot read extended attributes")?);
    Ok(bytes)
}
