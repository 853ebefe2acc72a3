//! Who is trusted to be who they say they are.

use super::{Identity, Network};
use crate::error::{Context, Error, Kind, Result};
use rustls::crypto::ring;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// All of Mozilla's have 250 KB.
const LONGEST_FILE: u64 = 8 << 20;

/// The policy for every connection that is made: it is the same for registry, token service and redirects
/// (CVE-2019-10214).
pub fn policy(network: &Network) -> Result<TlsConfig> {
    let mut roots = Vec::new();
    if network.verify {
        for path in &network.roots {
            roots.extend(certificates(path)?);
        }
    }
    let builder = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .disable_verification(!network.verify)
        .client_cert(network.identity.as_ref().map(prove).transpose()?);
    Ok(builder.build())
}

fn certificates(path: &str) -> Result<Vec<Certificate<'static>>> {
    let pem = read(path)?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let damaged = |error| Error::new(Kind::Certificate, format!("Cannot read certificates from {path}: {error}"));
    items.collect::<std::result::Result<Vec<_>, _>>().map_err(damaged)
}

fn prove(identity: &Identity) -> Result<ClientCert> {
    let chain = certificates(&identity.certificate)?;
    let pem = read(&identity.key)?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| {
        Error::new(Kind::Certificate, format!("Cannot read the private key in {}: {error}", identity.key))
    })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn read(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).doing(|| format!("Cannot open {path}"))?;
    file.take(LONGEST_FILE).read_to_end(&mut bytes).doing(|| format!("Cannot read {path}"))?;
    Ok(bytes)
}
