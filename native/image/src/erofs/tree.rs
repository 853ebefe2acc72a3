//! The tree of a layer in memory: what each entry makes of it, and where its data are in the archive.

use super::sparse::{Area, Chunks};
use super::xattr;
use crate::attributes::{Attributes, OPAQUE, Xattr};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::name::steps;
use crate::stream::Input;
use crate::tar::{Entry, Kind, Reader};
use crate::unpack::ground::{Found, Ground};
use rustix::io::{self, Errno};
use std::collections::BTreeMap;
use std::fs::File;

/// The number of a node.
pub type Id = u32;

/// The root.
pub const ROOT: Id = 0;

/// A file of an honest layer takes some three hundred bytes.
const MOST_MEMORY: usize = 1 << 30;
const OVERHEAD: usize = 256;

/// What a node is.
pub enum What {
    /// A directory; its names are in [`Index::names`].
    Directory,
    /// A file whose data lie in the archive in one piece.
    File {
        /// Where they begin.
        offset: u64,
        /// How many bytes they are.
        size: u64,
    },
    /// A file with holes.
    Sparse(Chunks),
    /// A link and where it leads to.
    Link(Vec<u8>),
    /// A character device.
    Char(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

/// What an inode will be made of.
pub struct Node {
    /// See [`What`].
    pub what: What,
    /// Mode, owner, time, and attributes as the kernel will show them.
    pub attributes: Attributes,
    /// How many names it has.
    pub links: u32,
    /// Of a directory, the one that it is in.
    pub parent: Id,
}

/// The tree.
pub struct Index {
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeMap<(Id, Vec<u8>), Id>,
    pub(super) area: Area,
    memory: usize,
}

impl Index {
    /// An empty tree, which will be written to `file`.
    pub fn new(file: File) -> Self {
        let root = Node { what: What::Directory, attributes: Attributes::default(), links: 1, parent: ROOT };
        Self { nodes: vec![root], names: BTreeMap::new(), area: Area::new(file), memory: 0 }
    }

    /// What is in a directory, sorted by name.
    pub(super) fn children(&self, dir: Id) -> impl Iterator<Item = (&[u8], Id)> {
        let all = self.names.range((dir, Vec::new())..(dir + 1, Vec::new()));
        all.map(|((_, name), id)| (name.as_slice(), *id))
    }

    pub(super) fn node(&self, id: Id) -> Result<&Node> {
        self.nodes.get(id as usize).ok_or_else(|| Error::format("the index names a file that it has not"))
    }

    fn at(&self, dir: Id, name: &[u8]) -> io::Result<(Id, &Node)> {
        let id = *self.names.get(&(dir, name.to_vec())).ok_or(Errno::NOENT)?;
        Ok((id, self.nodes.get(id as usize).ok_or(Errno::NOENT)?))
    }

    fn node_mut(&mut self, id: Id) -> Result<&mut Node> {
        self.nodes.get_mut(id as usize).ok_or_else(|| Error::format("the index names a file that it has not"))
    }

    fn make(&mut self, dir: Id, name: &[u8], what: What) -> io::Result<Id> {
        if self.memory > MOST_MEMORY {
            return Err(Errno::NOMEM);
        }
        if self.names.contains_key(&(dir, name.to_vec())) {
            return Err(Errno::EXIST);
        }
        let id = Id::try_from(self.nodes.len()).map_err(|_| Errno::NOSPC)?;
        self.memory += OVERHEAD + name.len() + if let What::Link(target) = &what { target.len() } else { 0 };
        self.nodes.push(Node { what, attributes: Attributes::default(), links: 1, parent: dir });
        self.names.insert((dir, name.to_vec()), id);
        Ok(id)
    }

    /// Takes attributes in, as the kernel would.
    fn set(&mut self, id: Id, attributes: &Attributes) -> Result<()> {
        let node = self.node_mut(id)?;
        let may_have_users = matches!(node.what, What::Directory | What::File { .. } | What::Sparse(_));
        let opaque = node.attributes.xattrs.iter().any(is_mark);
        node.attributes = xattr::accepted(attributes, &node.what, may_have_users)?;
        if opaque {
            node.attributes.xattrs.push(mark());
        }
        let taken: usize = node.attributes.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.remember(taken)
    }

    fn remember(&mut self, bytes: usize) -> Result<()> {
        self.memory += bytes;
        if self.memory > MOST_MEMORY {
            return Err(Error::limit(format!("its files take more than {MOST_MEMORY} bytes of memory")));
        }
        Ok(())
    }
}

fn mark() -> Xattr {
    (OPAQUE.as_bytes().to_vec(), b"y".to_vec())
}

fn is_mark((name, _): &Xattr) -> bool {
    name == OPAQUE.as_bytes()
}

impl Ground for Index {
    type Dir = Id;
    type File = Id;

    fn open(&self, path: &[u8]) -> io::Result<Id> {
        steps(path).try_fold(ROOT, |dir, step| self.below(&dir, step))
    }

    fn below(&self, dir: &Id, name: &[u8]) -> io::Result<Id> {
        match self.at(*dir, name)? {
            (id, Node { what: What::Directory, .. }) => Ok(id),
            (_, Node { what: What::Link(_), .. }) => Err(Errno::LOOP),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn look(&self, dir: &Id, name: &[u8]) -> io::Result<Found> {
        Ok(match self.at(*dir, name)?.1.what {
            What::Directory => Found::Directory,
            What::Char(0, 0) => Found::Whiteout,
            _ => Found::Other,
        })
    }

    fn target(&self, dir: &Id, name: &[u8]) -> io::Result<Vec<u8>> {
        match &self.at(*dir, name)?.1.what {
            What::Link(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL),
        }
    }

    fn make_directory(&mut self, dir: &Id, name: &[u8]) -> io::Result<()> {
        self.make(*dir, name, What::Directory).map(|_| ())
    }

    fn make_file(&mut self, dir: &Id, name: &[u8], _entry: &Entry) -> io::Result<Id> {
        self.make(*dir, name, What::File { offset: 0, size: 0 })
    }

    fn make_symlink(&mut self, dir: &Id, name: &[u8], target: &[u8]) -> io::Result<()> {
        self.make(*dir, name, What::Link(target.to_vec())).map(|_| ())
    }

    fn make_node(&mut self, dir: &Id, name: &[u8], entry: &Entry) -> io::Result<()> {
        let (major, minor) = entry.device;
        let what = match entry.kind {
            Kind::Char => What::Char(major, minor),
            Kind::Block => What::Block(major, minor),
            _ => What::Fifo,
        };
        self.make(*dir, name, what).map(|_| ())
    }

    fn make_whiteout(&mut self, dir: &Id, name: &[u8]) -> io::Result<()> {
        self.make(*dir, name, What::Char(0, 0)).map(|_| ())
    }

    fn make_name(&mut self, from: (&Id, &[u8]), dir: &Id, name: &[u8]) -> io::Result<()> {
        if self.names.contains_key(&(*dir, name.to_vec())) {
            return Err(Errno::EXIST);
        }
        let (id, _) = self.at(*from.0, from.1)?;
        self.memory += OVERHEAD + name.len();
        self.names.insert((*dir, name.to_vec()), id);
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.links += 1;
        }
        Ok(())
    }

    fn fill<I: Input>(
        &mut self,
        (file, _): (Id, &[u8]),
        (entry, attributes): (&Entry, &Attributes),
        data: &mut Reader<I>,
        limits: &Limits,
    ) -> Result<()> {
        let what = match &entry.sparse {
            None => What::File { offset: data.position(), size: entry.size },
            Some(sparse) => What::Sparse(self.area.take(sparse, data, limits)?),
        };
        if let What::Sparse(chunks) = &what {
            self.remember(chunks.memory())?;
        }
        self.node_mut(file)?.what = what;
        self.set(file, attributes)
    }

    fn describe(&mut self, dir: &Id, name: &[u8], (_, attributes): (&Entry, &Attributes)) -> Result<()> {
        let (id, _) = self.at(*dir, name).map_err(|errno| Error::io(errno.to_string()))?;
        self.set(id, attributes)
    }

    fn describe_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        let id = self.open(path).map_err(|errno| Error::io(errno.to_string()))?;
        self.set(id, attributes)
    }

    fn mark_opaque(&mut self, dir: &Id) -> io::Result<()> {
        if let Some(node) = self.nodes.get_mut(*dir as usize)
            && !node.attributes.xattrs.iter().any(is_mark)
        {
            node.attributes.xattrs.push(mark());
        }
        Ok(())
    }

    /// Nothing leads to the nodes any more; they are not written.
    fn remove(&mut self, dir: &Id, name: &[u8]) -> Result<()> {
        let Some(id) = self.names.remove(&(*dir, name.to_vec())) else { return Ok(()) };
        let node = self.node_mut(id)?;
        node.links = node.links.saturating_sub(1);
        if matches!(node.what, What::Directory) {
            let names: Vec<Vec<u8>> = self.children(id).map(|(name, _)| name.to_vec()).collect();
            // No deeper than a name can be (name.rs).
            for name in names {
                self.remove(&id, &name)?;
            }
        }
        Ok(())
    }
}
