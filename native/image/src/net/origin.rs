//! Where the bytes of a blob come from that is to be sent.

use super::download::{Download, Renewal, Session};
use super::spool::Spool;
use super::{Network, location};
use crate::digest::Digest;
use crate::error::{Context, Error, Result};
use crate::pack::compress::{Compression, Packed, Sums};
use crate::pack::request::copy;
use crate::source::archive;
use crate::source::{Library, Opened, Source};
use crate::stream::blob::{Extent, Supply};
use serde::Deserialize;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Where they come from, as a request names it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Origin {
    /// A file of a layout or an archive.
    Member {
        /// Where.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
        /// Which.
        member: String,
    },
    /// A layer of the store, compressed anew: what its bytes will be is not known before that.
    Layer {
        /// Its directory.
        path: String,
        /// How.
        compression: Compression,
        /// A directory for what comes out.
        scratch: String,
    },
    /// A blob that was made here: [`crate::convert`].
    Made {
        /// Which.
        digest: Digest,
    },
    /// A blob of a registry.
    Registry {
        /// How it is reached.
        network: Box<Network>,
        /// Where the blob is.
        url: String,
        /// What is shown there.
        authorization: Option<String>,
        /// What to ask when that has expired.
        renewal: Option<Box<Renewal>>,
        /// A directory for what has arrived.
        scratch: String,
    },
}

/// An origin that is ready to be read; its bytes are not asked for before that.
pub enum Ready {
    /// A layer of the store.
    Layer(String, Compression, String),
    /// A member, opened when it is read: there may be more of them than open files.
    Member(Opened, String),
    /// A blob that was made here.
    Made(Extent),
    /// A blob of a registry, and where it is kept meanwhile.
    Remote(Arc<Session>, String, String),
}

/// How an origin is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// From its start to its end.
    Once,
    /// Parts of it perhaps again.
    Again,
}

impl Origin {
    /// Makes it ready. Throws what is wrong with a source as a whole.
    pub fn ready(self, library: &mut Library, stop: &Arc<AtomicBool>) -> Result<Ready> {
        match self {
            Self::Member { source, scratch, member } => {
                Ok(Ready::Member(library.open(&source, scratch.as_deref())?, member))
            }
            Self::Made { digest } => Ok(Ready::Made(library.kept(&digest)?)),
            Self::Layer { path, compression, scratch } => Ok(Ready::Layer(path, compression, scratch)),
            Self::Registry { network, url, authorization, renewal, scratch } => {
                let client = library.clients.of(&network)?;
                let authorization = Mutex::new((authorization, 0));
                let (renewal, stop) = (renewal.map(|it| *it), Arc::clone(stop));
                Ok(Ready::Remote(Arc::new(Session { client, authorization, renewal, stop }), url, scratch))
            }
        }
    }
}

impl Ready {
    /// The bytes, which must be `size`; those of a registry are kept where they may be read again.
    pub fn open(
        &self,
        size: u64,
        digest: &Digest,
        reading: Reading,
        told: Box<dyn Fn(&str) + Send>,
    ) -> Result<Box<dyn Supply>> {
        let supply: Box<dyn Supply> = match self {
            Self::Layer(..) => Box::new(self.pack(|_| ())?.1),
            Self::Member(opened, member) => Box::new(opened.member(member)?),
            Self::Made(extent) => Box::new(extent.clone()),
            Self::Remote(session, url, scratch) => {
                let spool = Arc::new(Mutex::new(Spool::unnamed(scratch)?));
                let download = Download::new(Arc::clone(session), location::parse(url)?, size, spool, told);
                Box::new(if reading == Reading::Once { download.forgetful() } else { download })
            }
        };
        if supply.size() != size {
            return Err(Error::format(format!("{digest} has {} bytes, must have {size}", supply.size())));
        }
        Ok(supply)
    }

    /// A registry's blob, brought into a file without a name: what it has in it, nobody has looked at.
    pub fn bring(
        &self,
        size: u64,
        digest: &Digest,
        told: Box<dyn Fn(&str) + Send>,
        so_far: impl Fn(u64),
    ) -> Result<Extent> {
        let Self::Remote(_, _, scratch) = self else { return Err(Error::io("only a registry's blob is brought")) };
        let mut supply = self.open(size, digest, Reading::Once, told)?;
        let mut file = archive::unnamed(scratch)?;
        let mut buffer = vec![0; 256 * 1024];
        let mut at = 0;
        while at < size {
            let count = supply.read(&mut buffer, at)?;
            file.write_all(buffer.get(..count).unwrap_or_default()).doing(|| format!("Cannot write to {scratch}"))?;
            at += count as u64;
            so_far(at);
        }
        Ok(Extent { file: Arc::new(file), offset: 0, size })
    }

    /// A layer's blob, made anew and kept in a file without a name: an upload that breaks may need any part of it again.
    pub fn pack(&self, told: impl Fn(&mut Packed)) -> Result<(Sums, Extent)> {
        let Self::Layer(path, compression, scratch) = self else {
            return Err(Error::io("only a layer is compressed anew"));
        };
        let mut packed = Packed::open(path, *compression)?;
        let mut file = archive::unnamed(scratch)?;
        copy(&mut packed, &mut file, told).map_err(|error| error.within(format!("Cannot compress layer {path}")))?;
        let sums = packed.finish();
        let extent = Extent { file: Arc::new(file), offset: 0, size: sums.size };
        Ok((sums, extent))
    }
}
