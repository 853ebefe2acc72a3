//! Who is trusted to be who they say they are.

use super::{Network, identity};
use crate::error::{Context, Error, Kind, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// All of Mozilla's have 250 KB.
const LONGEST_FILE: u64 = 8 << 20;

/// The policy for every connection that is made: it is the same for registry, token service and redirects
/// (CVE-2019-10214).
pub fn policy(network: &Network) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let refused = |error: rustls::Error| Error::new(Kind::Certificate, format!("Cannot use TLS: {error}"));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let identities = identity::read(&network.identities, &provider)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(network, provider)?);
    Ok(Arc::new(builder.with_client_cert_resolver(Arc::new(identities))))
}

fn verifier(network: &Network, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if !network.verify {
        return Ok(Arc::new(Anybody(provider)));
    }
    let mut trusted = Vec::new();
    for path in &network.roots {
        trusted.extend(certificates(path)?);
    }
    let mut roots = RootCertStore::empty();
    // Old ones in a host's bundle may be of a form that nobody uses any more.
    let (added, _) = roots.add_parsable_certificates(trusted.iter().cloned());
    if added == 0 {
        return Ok(Arc::new(Nobody(provider)));
    }
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let webpki = webpki.build().map_err(|error| Error::new(Kind::Certificate, format!("Cannot use TLS: {error}")))?;
    Ok(Arc::new(Trusted { webpki, trusted }))
}

/// As webpki has it, with one more case. A server may show the very certificate that the user trusts, and that is commonly
/// one with CA:TRUE, as `openssl req -x509` makes it; Go accepts it (crypto/x509, `Certificate.Verify`: a leaf that is in
/// the pool of roots is a chain). Whoever has its key could sign any other certificate for the same name, so nobody is
/// trusted more for it.
#[derive(Debug)]
struct Trusted {
    webpki: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verdict = self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        // webpki has looked at the time before it says this, and at nothing else.
        if !verdict.as_ref().is_err_and(is_authority) || !self.trusted.contains(end_entity) {
            return verdict;
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Signed {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(&self, message: &[u8], cert: &CertificateDer<'_>, dss: &DigitallySignedStruct) -> Signed {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

type Signed = std::result::Result<HandshakeSignatureValid, rustls::Error>;

/// Whether the certificate is refused for being one that may sign others.
pub fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(why)) = error else { return false };
    matches!(why.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// The user has said that the other side need not prove who it is.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

/// There is nobody here who could vouch for it.
#[derive(Debug)]
struct Nobody(Arc<CryptoProvider>);

macro_rules! undecided {
    ($name:ident, $verdict:expr) => {
        impl ServerCertVerifier for $name {
            fn verify_server_cert(
                &self,
                _: &CertificateDer<'_>,
                _: &[CertificateDer<'_>],
                _: &ServerName<'_>,
                _: &[u8],
                _: UnixTime,
            ) -> std::result::Result<ServerCertVerified, rustls::Error> {
                $verdict
            }

            fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Signed {
                Ok(HandshakeSignatureValid::assertion())
            }

            fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Signed {
                Ok(HandshakeSignatureValid::assertion())
            }

            fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
                self.0.signature_verification_algorithms.supported_schemes()
            }
        }
    };
}

undecided!(Anybody, Ok(ServerCertVerified::assertion()));
undecided!(Nobody, Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)));

/// The certificates in a file.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let damaged = |error| Error::new(Kind::Certificate, format!("Cannot read certificates from {path}: {error}"));
    CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<_, _>>().map_err(damaged)
}

/// A file of a certificate or key.
pub fn read(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).doing(|| format!("Cannot open {path}"))?;
    file.take(LONGEST_FILE).read_to_end(&mut bytes).doing(|| format!("Cannot read {path}"))?;
    Ok(bytes)
}
