//! Digests: `algorithm:hex`, checked to the letter before any use (CVE-2024-3727: a digest used as a path).

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::fmt::{self, Display, Write as _};

/// The hash functions that the OCI image specification registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 64 hexadecimal digits; what everybody uses.
    Sha256,
    /// 96 hexadecimal digits.
    Sha384,
    /// 128 hexadecimal digits.
    Sha512,
}

const ALGORITHMS: [(Algorithm, &str, usize); 3] =
    [(Algorithm::Sha256, "sha256", 64), (Algorithm::Sha384, "sha384", 96), (Algorithm::Sha512, "sha512", 128)];

/// A digest of known form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The hash function.
    pub algorithm: Algorithm,
    text: String,
}

impl Digest {
    /// Reads `algorithm:hex`, and nothing that only resembles it.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || Error::format(format!("'{}' is not a digest", crate::name::show(text.as_bytes())));
        let (name, hex) = text.split_once(':').ok_or_else(refuse)?;
        let (algorithm, _, length) = ALGORITHMS.into_iter().find(|known| known.1 == name).ok_or_else(refuse)?;
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != length || !hex.bytes().all(lower_hex) {
            return Err(refuse());
        }
        Ok(Self { algorithm, text: text.to_owned() })
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// Fails unless `found` is this very digest.
    pub fn check(&self, found: &Digest, what: &str) -> Result<()> {
        if self == found {
            return Ok(());
        }
        Err(Error::new(Kind::Digest, format!("{what} is {found}, must be {self}")))
    }
}

impl Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(|error| serde::de::Error::custom(error.message))
    }
}

/// A digest in the making.
pub enum Hasher {
    /// See [`Algorithm::Sha256`].
    Sha256(Sha256),
    /// See [`Algorithm::Sha384`].
    Sha384(Sha384),
    /// See [`Algorithm::Sha512`].
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha384(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that went in.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(state) => spell(Algorithm::Sha256, &state.finalize()),
            Self::Sha384(state) => spell(Algorithm::Sha384, &state.finalize()),
            Self::Sha512(state) => spell(Algorithm::Sha512, &state.finalize()),
        }
    }
}

fn spell(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let name = ALGORITHMS.into_iter().find(|known| known.0 == algorithm).map_or("", |known| known.1);
    let mut text = format!("{name}:");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Digest { algorithm, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn the_digest_of_nothing_is_known() {
        assert_eq!(Hasher::new(Algorithm::Sha256).finish(), Digest::parse(EMPTY).unwrap());
    }

    #[test]
    fn a_digest_of_any_other_form_is_refused() {
        let hex = &EMPTY["sha256:".len()..];
        let wrong = [
            hex.to_owned(),
            EMPTY.to_uppercase(),
            format!("{EMPTY}0"),
            EMPTY[..70].to_owned(),
            format!("md5:{hex}"),
            format!("sha512:{hex}"),
            format!("sha256:../{}", &hex[3..]),
            format!("SHA256:{hex}"),
            format!("sha256:{}", hex.to_uppercase()),
            format!(" {EMPTY}"),
            String::new(),
        ];
        for text in wrong {
            assert!(Digest::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn long_digests_are_taken_too() {
        for algorithm in [Algorithm::Sha384, Algorithm::Sha512] {
            let digest = Hasher::new(algorithm).finish();
            assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        }
    }
}
