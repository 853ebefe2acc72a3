//! Registries: one request at a time as told, and the layers of an image side by side.

pub mod ahead;
pub mod client;
mod download;
pub mod fetch;
pub mod gather;
mod identity;
mod location;
mod lock;
pub mod origin;
mod patience;
mod proxy;
pub mod pull;
pub mod push;
mod spool;
mod tls;
pub mod together;
mod trust;
mod upload;
pub mod weigh;

use serde::Deserialize;
use std::time::Duration;

/// How a registry is reached; the caller has made up its mind about all of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Whether the other side must prove who it is. False only where the user has said so.
    pub verify: bool,
    /// Files of certificates, in PEM, of those who may vouch for it.
    pub roots: Vec<String>,
    /// What we may show it to prove who we are, in this order.
    pub identities: Vec<Identity>,
    /// Who stands between.
    pub proxies: proxy::Proxies,
    /// Seconds: a name, a connection, the head of an answer, and any piece of its body each take no longer.
    pub patience: u64,
}

impl Network {
    fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

/// A certificate and its key, files in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The certificate's file.
    pub certificate: String,
    /// The key's file.
    pub key: String,
}
