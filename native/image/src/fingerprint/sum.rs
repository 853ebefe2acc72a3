//! The sum by which the content of a file is known again: XXH3 of 128 bits, which costs a twentieth of SHA-256. It finds damage, not
//! forgery: whoever may write to a layer may write to its list too. An archive that is made again from files has its SHA-256 to answer to.

use super::entry::hex;
use twox_hash::xxhash3_128::Hasher;

/// Of one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum(u128);

/// A sum in the making.
#[derive(Default)]
pub struct Summing(Hasher);

impl Sum {
    /// Its digits.
    pub fn hex(self) -> String {
        hex(&self.0.to_be_bytes())
    }
}

impl Summing {
    /// Takes in what comes next.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Of all so far.
    pub fn sum(&self) -> Sum {
        Sum(self.0.finish_128())
    }
}
