//! A layer in this form, mounted for this process: only a descriptor leads to it, and nothing is left when that is closed.

use super::tree::Index;
use super::{ARCHIVE, INDEX};
use crate::beneath::open_dir;
use crate::error::{Context, Error, Result};
use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_string, fsmount, fsopen,
};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

/// The files of the layer in the directory `layer`, in whichever form they are.
pub fn open_files(layer: &OwnedFd) -> Result<OwnedFd> {
    match open_dir(layer, b"fs") {
        Err(Errno::NOENT) if is_index(layer) => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = |name| openat(layer, name, flags, Mode::empty()).doing(|| format!("Cannot open {name}"));
            let root = mount(&opened(INDEX)?, &opened(ARCHIVE)?).doing(|| "Cannot mount the index")?;
            open_dir(&root, b"").doing(|| "Cannot open the index")
        }
        opened => opened.doing(|| "Cannot open fs"),
    }
}

/// Whether a layer is an archive with an index, also where one of the two is missing, and not a directory with a stranger.
pub fn is_index(layer: &OwnedFd) -> bool {
    let is_there = |name| rustix::fs::statat(layer, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok();
    (is_there(ARCHIVE) || is_there(INDEX)) && !(is_there("fs") && is_there("tree"))
}

/// Mounts an index and its archive, read-only and nowhere.
fn mount(index: &OwnedFd, archive: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let path = |file: &OwnedFd| format!("/proc/self/fd/{}", file.as_raw_fd());
    fsconfig_set_string(&context, "source", path(index))?;
    fsconfig_set_string(&context, "device", path(archive))?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

/// Sees whether this kernel can do with layers of this form, below the directory `path`, what a container needs: mount files, and
/// stack what is mounted nowhere. Linux can since 6.12 and 6.15.
pub fn probe(path: &str) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = open(path, flags, Mode::empty()).doing(|| format!("Cannot open {path}"))?;
    let unnamed = || {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        openat(&dir, ".", flags, Mode::from_raw_mode(0o600)).doing(|| "Cannot make a file without a name")
    };
    let (index, archive) = (unnamed()?, unnamed()?);
    let tree = Index::new(File::from(index.try_clone().doing(|| "Cannot copy a descriptor")?));
    super::write(&tree, 0, "")?;
    let stacked = || -> rustix::io::Result<()> {
        let layers = [mount(&index, &archive)?, mount(&index, &archive)?];
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for layer in &layers {
            fsconfig_set_fd(&context, "lowerdir+", layer)?;
        }
        fsconfig_create(&context)
    };
    stacked().map_err(|errno| {
        let why = match errno {
            Errno::NODEV => "the kernel has no EROFS",
            Errno::PERM => "that needs root, and not only in a user namespace",
            Errno::NOTBLK => {
                "the kernel mounts no files of this place as EROFS: Linux can since 6.12, but not those of a tmpfs"
            }
            _ => "the kernel cannot stack an EROFS that is a file here: Linux can since 6.15, not upon another overlay",
        };
        Error::io(format!("Cannot keep layers as EROFS: {why} ({errno})"))
    })
}
