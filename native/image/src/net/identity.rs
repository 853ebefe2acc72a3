//! Who we are to a registry that wants to know it from a certificate.

use super::{Identity, trust};
use crate::error::{Error, Kind, Result};
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::{Error as Tls, InconsistentKeys, SignatureScheme};
use std::fmt::Display;
use std::sync::Arc;

/// The certificates that may be shown, in the order of choice.
#[derive(Debug)]
pub struct Identities(Vec<Shown>);

#[derive(Debug)]
struct Shown {
    chain: Arc<CertifiedKey>,
    /// Who vouches for each of the chain, in DER.
    issuers: Vec<Vec<u8>>,
}

/// Reads the files of certificates and keys.
pub fn read(identities: &[Identity], provider: &CryptoProvider) -> Result<Identities> {
    identities.iter().map(|identity| show(identity, provider)).collect::<Result<_>>().map(Identities)
}

fn show(Identity { certificate, key }: &Identity, provider: &CryptoProvider) -> Result<Shown> {
    let unusable =
        |why: &dyn Display| Error::new(Kind::Certificate, format!("Cannot use the certificate {certificate}: {why}"));
    let certificates = trust::certificates(certificate)?;
    let issuers = certificates.iter().map(|each| issuer(each).map(<[u8]>::to_vec)).collect::<Option<_>>();
    let issuers = issuers.ok_or_else(|| unusable(&"it is damaged"))?;
    let loaded = PrivateKeyDer::from_pem_slice(&trust::read(key)?)
        .map_err(|error| Error::new(Kind::Certificate, format!("Cannot read the private key in {key}: {error}")))?;
    let loaded = provider.key_provider.load_private_key(loaded).map_err(|error| unusable(&error))?;
    let chain = CertifiedKey::new(certificates, loaded);
    match chain.keys_match() {
        // Webpki reads none of version 1, as `openssl x509 -req` makes them: whether the key fits is the server's to say then.
        Ok(()) | Err(Tls::InconsistentKeys(InconsistentKeys::Unknown) | Tls::InvalidCertificate(_)) => {}
        Err(error) => return Err(unusable(&error)),
    }
    Ok(Shown { chain: Arc::new(chain), issuers })
}

/// Who vouches for a certificate, in DER: after the version, the serial number and the signature's algorithm (RFC 5280, 4.1).
fn issuer(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = element(certificate)?;
    let to_be_signed = element(certificate.content)?.content;
    let first = element(to_be_signed)?;
    let serial = if first.tag == VERSION { element(first.rest)? } else { first };
    let algorithm = element(serial.rest)?;
    Some(element(algorithm.rest)?.whole)
}

/// The tag of a certificate's version, which those of version 1 have not.
const VERSION: u8 = 0xa0;

struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first element of DER (X.690, 8.1): a tag, and a length that is one byte or says of how many bytes it is.
fn element(der: &[u8]) -> Option<Element<'_>> {
    let (&tag, after) = der.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        0x81..=0x83 => {
            let (bytes, after) = after.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = der.get(..der.len() - rest.len())?;
    Some(Element { tag, whole, content, rest })
}

impl ResolvesClientCert for Identities {
    /// Go's choice: the first one whose key the server can check, and whose chain comes from an authority that it names
    /// (crypto/tls, `SupportsCertificate`). Where it names others alone, the first is shown all the same: the registry says better
    /// than we could what is wrong with it.
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let mut able = self.0.iter().filter(|shown| shown.chain.key.choose_scheme(schemes).is_some()).peekable();
        let first = able.peek().copied();
        let named = |shown: &&Shown| shown.issuers.iter().any(|issuer| authorities.contains(&issuer.as_slice()));
        able.find(named).or(first).map(|shown| Arc::clone(&shown.chain))
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two certificates of one issuer: SEQ { SEQ { [0] version, serial, algorithm, issuer, … } }, and without a version.
    #[test]
    fn an_issuer_stands_behind_the_serial_number_and_the_algorithm() {
        let issuer_der = [0x30, 2, 5, 0];
        let third = [0x30, 16, 0x30, 14, 0xa0, 3, 2, 1, 2, 2, 1, 7, 0x30, 0, 0x30, 2, 5, 0];
        let first = [0x30, 0x81, 11, 0x30, 9, 2, 1, 7, 0x30, 0, 0x30, 2, 5, 0];
        assert_eq!(issuer(&third), Some(&issuer_der[..]));
        assert_eq!(issuer(&first), Some(&issuer_der[..]));
        for end in 0..third.len() {
            assert_eq!(issuer(&third[..end]), None);
        }
        assert_eq!(issuer(&[0x30, 0x80, 0x30, 0]), None);
        assert_eq!(issuer(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
