//! The 512 bytes before each entry.

use super::{BLOCK, Time};
use crate::error::{Error, Result};
use std::ops::Range;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;
/// In star's variant of ustar the end of the prefix holds other times.
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_MAGIC: Range<usize> = 508..512;

/// A header block whose checksum is right.
pub struct Header<'a>(pub &'a [u8; BLOCK]);

impl<'a> Header<'a> {
    /// Checks the sum; old writers added the bytes as signed numbers, so that is taken too.
    pub fn parse(block: &'a [u8; BLOCK]) -> Result<Self> {
        let header = Self(block);
        let sum = header.number(CHECKSUM, "checksum")?;
        let bytes = || block.iter().enumerate().map(|(at, &byte)| if CHECKSUM.contains(&at) { b' ' } else { byte });
        let unsigned: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        if sum != unsigned && sum != signed {
            return Err(Error::format("a header of the archive has a wrong checksum"));
        }
        Ok(header)
    }

    /// The letter that says what kind of entry it is.
    pub fn type_flag(&self) -> u8 {
        self.0[TYPE]
    }

    /// The name, joined with its prefix where the format has one.
    pub fn name(&self) -> Vec<u8> {
        let name = text(&self.0[NAME]);
        let prefix = match &self.0[MAGIC] {
            b"ustar\x0000" if self.0[STAR_MAGIC] == *b"tar\0" => text(&self.0[STAR_PREFIX]),
            b"ustar\x0000" => text(&self.0[PREFIX]),
            _ => b"",
        };
        crate::name::join(prefix, name)
    }

    /// The target of a link.
    pub fn link(&self) -> Vec<u8> {
        text(&self.0[LINK]).to_vec()
    }

    /// Permissions, set-id and sticky bits; the upper bits repeat the type in some archives.
    pub fn mode(&self) -> Result<u32> {
        u32::try_from(self.number(MODE, "mode")? & 0o7777).map_err(|_| Error::format("the mode is negative"))
    }

    /// Owner.
    pub fn uid(&self) -> Result<u32> {
        id(self.number(UID, "owner")?, "owner")
    }

    /// Group.
    pub fn gid(&self) -> Result<u32> {
        id(self.number(GID, "group")?, "group")
    }

    /// Bytes of data, unless an extended header says otherwise.
    pub fn size(&self) -> Result<u64> {
        u64::try_from(self.number(SIZE, "size")?).map_err(|_| Error::format("the size is negative"))
    }

    /// Time of last modification.
    pub fn mtime(&self) -> Result<Time> {
        Ok(Time { seconds: self.number(MTIME, "time")?, nanoseconds: 0 })
    }

    /// The number of a device. The kernel takes 12 and 20 bits and cuts the rest off: 4096:0 would become
    /// 0:0, which overlayfs takes for a whiteout.
    pub fn device(&self) -> Result<(u32, u32)> {
        let part = |range, what, bits: u32| {
            u32::try_from(self.number(range, what)?)
                .ok()
                .filter(|part| part >> bits == 0)
                .ok_or_else(|| Error::format(format!("the {what} device number is out of range")))
        };
        Ok((part(MAJOR, "major", 12)?, part(MINOR, "minor", 20)?))
    }

    /// A numeric field: octal digits, or a big-endian number marked by the top bit (GNU).
    pub fn number(&self, range: Range<usize>, what: &str) -> Result<i64> {
        let field = self.0.get(range).unwrap_or_default();
        let found = match field.first() {
            Some(first) if first & 0x80 != 0 => binary(field),
            _ => octal(field),
        };
        found.ok_or_else(|| Error::format(format!("the {what} field of a header is not a number")))
    }
}

/// An owner or group; the last value means "leave as it is" to chown(2).
pub fn id(number: i64, what: &str) -> Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|&id| id != u32::MAX)
        .ok_or_else(|| Error::format(format!("the {what} {number} is out of range")))
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn octal(field: &[u8]) -> Option<i64> {
    let blank = |byte: &u8| matches!(byte, 0 | b' ');
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if !rest.iter().all(blank) {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, &digit| match digit {
        b'0'..=b'7' => number.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

fn binary(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    // The bit below the mark is the sign.
    let start = if first & 0x40 == 0 { i64::from(first & 0x3f) } else { i64::from(first | 0x80) - 0x100 };
    rest.iter().try_fold(start, |number, &byte| number.checked_mul(256)?.checked_add(i64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields_are_padded_with_blanks_on_either_side() {
        for (field, number) in [("0000644\0", 0o644), ("   644 \0", 0o644), ("\0\0\0\0", 0), ("77777777", 0o77_777_777)]
        {
            assert_eq!(octal(field.as_bytes()), Some(number));
        }
        for field in ["0000648\0", "6 44", "-644", "0x10", "12\0x", "777777777777777777777777"] {
            assert_eq!(octal(field.as_bytes()), None, "{field}");
        }
    }

    #[test]
    fn binary_fields_are_signed_and_may_not_overflow() {
        assert_eq!(binary(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(binary(&[0xff; 12]), Some(-1));
        assert_eq!(binary(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), Some(i64::MAX));
        assert_eq!(binary(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), None);
    }

    #[test]
    fn the_owner_that_chown_would_ignore_is_refused() {
        assert!(id(i64::from(u32::MAX), "owner").is_err());
        assert!(id(-1, "owner").is_err());
        assert_eq!(id(65534, "owner").unwrap(), 65534);
    }
}
