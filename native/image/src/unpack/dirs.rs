//! The directories of a layer while it is unpacked. Their attributes come last: a file that is put into a
//! directory changes its time, and a mode without write permission would keep the file out.

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// How a directory came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Something lies in it, and the layer has no entry for it: what it looks like is up to the layers below.
    Implied,
    /// The same, but the layer removes what the layers below have there: it looks like a new directory.
    Recreated,
    /// It has an entry.
    Explicit(Attributes),
}

impl Origin {
    fn memory(&self) -> usize {
        match self {
            Self::Implied | Self::Recreated => 0,
            Self::Explicit(attributes) => {
                attributes.xattrs.iter().map(|(name, value)| OVERHEAD + name.len() + value.len()).sum()
            }
        }
    }
}

/// A directory takes some hundred bytes; a hostile one has a name of 4 KiB and attributes of a mebibyte.
const MOST_MEMORY: usize = 512 << 20;
const OVERHEAD: usize = 128;

/// All directories by their path; the root is the empty path.
pub struct Dirs {
    known: BTreeMap<Vec<u8>, Origin>,
    memory: usize,
    implied: u64,
    most_implied: u64,
}

impl Dirs {
    /// Only the root, without an entry so far.
    pub fn new(most_implied: u64) -> Self {
        Self { known: BTreeMap::from([(Vec::new(), Origin::Implied)]), memory: 0, implied: 0, most_implied }
    }

    /// Whether `path` is a directory of the layer.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.known.contains_key(path)
    }

    /// Takes a directory in, or what became known of it.
    pub fn insert(&mut self, path: Vec<u8>, origin: Origin) -> Result<()> {
        if origin == Origin::Implied {
            self.implied += 1;
            if self.implied > self.most_implied {
                let most = self.most_implied;
                return Err(Error::limit(format!("more than {most} directories have no entry of their own")));
            }
        }
        self.memory += OVERHEAD + path.len() + origin.memory();
        if self.memory > MOST_MEMORY {
            return Err(Error::limit(format!("its directories take more than {MOST_MEMORY} bytes of memory")));
        }
        self.known.insert(path, origin);
        Ok(())
    }

    /// What layers below have at `path` is removed by this layer.
    pub fn recreate(&mut self, path: &[u8]) {
        if let Some(origin) = self.known.get_mut(path).filter(|origin| **origin == Origin::Implied) {
            *origin = Origin::Recreated;
        }
    }

    /// Forgets a directory that was removed, and all below it.
    pub fn forget(&mut self, path: &[u8]) {
        self.known.remove(path);
        let below = [path, b"/"].concat();
        // '0' is the byte after '/'.
        let after = [path, b"0"].concat();
        let gone: Vec<_> = self.known.range(below..after).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.known.remove(&path);
        }
    }

    /// Every directory and how it came to be, what is below before what it is in.
    pub fn deepest_first(&self) -> impl Iterator<Item = (&[u8], &Origin)> {
        self.known.iter().rev().map(|(path, origin)| (path.as_slice(), origin))
    }

    /// The directories without an entry.
    pub fn implied(&self) -> impl Iterator<Item = &[u8]> {
        let implied = self.known.iter().filter(|(_, origin)| **origin == Origin::Implied);
        implied.map(|(path, _)| path.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(paths: &[&str]) -> Dirs {
        let mut dirs = Dirs::new(100);
        for path in paths {
            dirs.insert(path.as_bytes().to_vec(), Origin::Implied).unwrap();
        }
        dirs
    }

    #[test]
    fn a_directory_is_forgotten_with_all_below_it_and_nothing_else() {
        let mut dirs = dirs(&["a", "a-b", "a.b", "a/b", "a/b/c", "a0", "ab"]);
        dirs.forget(b"a");
        let left: Vec<_> = dirs.implied().collect();
        assert_eq!(left, [&b""[..], b"a-b", b"a.b", b"a0", b"ab"]);
    }

    #[test]
    fn what_is_below_comes_before_what_it_is_in() {
        let dirs = dirs(&["a", "a/b", "a/b/c", "a.b"]);
        let order: Vec<_> = dirs.deepest_first().map(|(path, _)| path).collect();
        for (at, path) in order.iter().enumerate() {
            assert!(order[at + 1..].iter().all(|later| !later.starts_with(&[path, &b"/"[..]].concat())));
        }
    }
}
