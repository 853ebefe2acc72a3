//! Where the entries of a layer go. `tree` decides what each of them does; a ground only has directories, files and links, and
//! answers as the kernel does: with EEXIST, ENOENT, ENOTDIR, ELOOP (a link in the way) and EINVAL (no link).

use crate::attributes::Attributes;
use crate::error::Result;
use crate::limits::Limits;
use crate::stream::Input;
use crate::tar::{Entry, Reader};
use rustix::io;

/// What a directory has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory,
    /// The device 0:0. Only whiteouts of this layer are: entries of that kind are refused.
    Whiteout,
    /// Anything else.
    Other,
}

/// A tree that can be added to. No call follows a link.
pub trait Ground {
    /// A directory, found.
    type Dir;
    /// A file that has no data yet.
    type File;

    /// The directory at a path; the empty path is the root.
    fn open(&self, path: &[u8]) -> io::Result<Self::Dir>;
    /// The directory `name` in `dir`.
    fn below(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Self::Dir>;
    /// What is there.
    fn look(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Found>;
    /// Where a link leads to.
    fn target(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Vec<u8>>;

    /// A directory, for its maker only.
    fn make_directory(&mut self, dir: &Self::Dir, name: &[u8]) -> io::Result<()>;
    /// An empty file.
    fn make_file(&mut self, dir: &Self::Dir, name: &[u8], entry: &Entry) -> io::Result<Self::File>;
    /// A link.
    fn make_symlink(&mut self, dir: &Self::Dir, name: &[u8], target: &[u8]) -> io::Result<()>;
    /// A device or a pipe.
    fn make_node(&mut self, dir: &Self::Dir, name: &[u8], entry: &Entry) -> io::Result<()>;
    /// The device 0:0.
    fn make_whiteout(&mut self, dir: &Self::Dir, name: &[u8]) -> io::Result<()>;
    /// One name more for what is no directory.
    fn make_name(&mut self, from: (&Self::Dir, &[u8]), dir: &Self::Dir, name: &[u8]) -> io::Result<()>;

    /// Gives a new file, which is at a path, its data and attributes.
    fn fill<I: Input>(
        &mut self,
        file: (Self::File, &[u8]),
        entry: (&Entry, &Attributes),
        data: &mut Reader<I>,
        limits: &Limits,
    ) -> Result<()>;
    /// Gives a new link, device or pipe its attributes.
    fn describe(&mut self, dir: &Self::Dir, name: &[u8], entry: (&Entry, &Attributes)) -> Result<()>;
    /// Gives a directory its attributes; nothing is put into it any more.
    fn describe_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()>;
    /// Lets a directory hide what lower layers have in it.
    fn mark_opaque(&mut self, dir: &Self::Dir) -> io::Result<()>;
    /// Removes what is there, with all below it.
    fn remove(&mut self, dir: &Self::Dir, name: &[u8]) -> Result<()>;
}
