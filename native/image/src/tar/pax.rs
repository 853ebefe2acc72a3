//! Extended headers (POSIX.1-2024, pax, "pax Extended Header"): records of the form `LENGTH KEY=VALUE\n`.

use super::Time;
use super::header::id;
use super::sparse::Keys;
use crate::error::{Error, Result};
use crate::name::show;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::collections::BTreeMap;

/// What extended headers say about an entry. Nothing said means that the header block holds.
#[derive(Clone, Default)]
pub struct Extended {
    /// Name.
    pub path: Option<Vec<u8>>,
    /// Target of a link.
    pub link: Option<Vec<u8>>,
    /// Bytes of data. It wins over the header block, always: CVE-2025-62518.
    pub size: Option<u64>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Time of last modification.
    pub mtime: Option<Time>,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What GNU tar says about holes.
    pub sparse: Keys,
}

impl Extended {
    /// Takes in the records of one extended header.
    ///
    /// A global header may not name files or give sizes: applied to every entry that is nonsense, and Go's
    /// reader, which docker and containerd use, passes over global headers where GNU tar obeys them.
    pub fn apply(&mut self, body: &[u8], global: bool) -> Result<()> {
        for record in records(body) {
            let (key, value) = record?;
            let names_file = matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.");
            if global && names_file {
                return Err(Error::format(format!("a global extended header gives a '{}'", show(key))));
            }
            self.set(key, value).map_err(|error| error.within(format!("extended header '{}'", show(key))))?;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        // An empty value takes back what was said before, POSIX says; but an extended attribute may be empty.
        let given = !value.is_empty();
        match key {
            b"path" => self.path = given.then(|| plain(value)).transpose()?,
            b"linkpath" => self.link = given.then(|| plain(value)).transpose()?,
            b"size" => self.size = given.then(|| decimal(value)).transpose()?,
            b"uid" => self.uid = given.then(|| owner(value, "owner")).transpose()?,
            b"gid" => self.gid = given.then(|| owner(value, "group")).transpose()?,
            b"mtime" => self.mtime = given.then(|| time(value)).transpose()?,
            _ => return self.set_other(key, value),
        }
        Ok(())
    }

    fn set_other(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.insert(plain(name)?, value.to_vec());
        } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            // libarchive writes both forms of each attribute; the other one needs no decoding.
            let name = percent_decoded(name)?;
            self.xattrs.entry(name).or_insert(base64_decoded(value)?);
        } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
            self.sparse.set(key, value)?;
        }
        Ok(())
    }
}

/// The records of an extended header, each as key and value.
fn records(mut body: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
    std::iter::from_fn(move || {
        if body.is_empty() {
            return None;
        }
        let Some((key, value, rest)) = record(body) else {
            body = &[];
            return Some(Err(Error::format("an extended header has a malformed record")));
        };
        body = rest;
        Some(Ok((key, value)))
    })
}

fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = body.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(body.get(..space)?).ok()?).ok()?;
    let rest = body.get(length..)?;
    let (&b'\n', text) = body.get(space + 1..length)?.split_last()? else { return None };
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (text.get(..equals)?, text.get(equals + 1..)?);
    (!key.is_empty() && !key.contains(&0)).then_some((key, value, rest))
}

/// A number of decimal digits and nothing else.
pub fn decimal(text: &[u8]) -> Result<u64> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .filter(|number| i64::try_from(*number).is_ok())
        .ok_or_else(|| Error::format(format!("'{}' is not a number", show(text))))
}

/// A text that a system call can take.
pub fn plain(text: &[u8]) -> Result<Vec<u8>> {
    if text.is_empty() || text.contains(&0) {
        return Err(Error::format(format!("'{}' is not a name", show(text))));
    }
    Ok(text.to_vec())
}

fn owner(text: &[u8], what: &str) -> Result<u32> {
    id(decimal(text)?.cast_signed(), what)
}

/// `[-]SECONDS[.FRACTION]`, exact to the nanosecond; what is finer is cut off towards the past.
fn time(text: &[u8]) -> Result<Time> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    let nine: Vec<u8> = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9).collect();
    if whole.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(Error::format(format!("'{}' is not a time", show(text))));
    }
    let seconds = decimal(whole)?.cast_signed();
    let nanoseconds = u32::try_from(decimal(&nine)?).unwrap_or(0);
    let finer = fraction.iter().skip(9).any(|&digit| digit != b'0');
    Ok(match (negative, nanoseconds + u32::from(negative && finer)) {
        (false, nanoseconds) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, behind) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - behind },
    })
}

fn base64_decoded(value: &[u8]) -> Result<Vec<u8>> {
    let decoded = STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value));
    decoded.map_err(|_| Error::format("the value is not base64"))
}

fn percent_decoded(name: &[u8]) -> Result<Vec<u8>> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Err(Error::format("the name has a malformed escape"));
        };
        decoded.push(byte);
        rest = rest.get(2..).unwrap_or_default();
    }
    plain(&decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(body: &[u8]) -> Result<Extended> {
        let mut extended = Extended::default();
        extended.apply(body, false)?;
        Ok(extended)
    }

    #[test]
    fn records_are_read_by_their_length() {
        let extended = applied(b"12 path=a=b\n21 linkpath=x\n12 y=z\n13 comment=x\n").unwrap();
        assert_eq!(extended.path.as_deref(), Some(&b"a=b"[..]));
        assert_eq!(extended.link.as_deref(), Some(&b"x\n12 y=z"[..]));
    }

    #[test]
    fn a_malformed_record_is_an_error() {
        assert!(applied(b"9 path=a\n").is_ok());
        let malformed: [&[u8]; 12] = [
            b"8 path=a\n",
            b"12 path=a\n",
            b"10 path=ab",
            b"0 path=a\n",
            b"-9 path=a\n",
            b"+9 path=a\n",
            b"11 path=a\0\n",
            b"7 path\n",
            b"6 =ab\n",
            b"9 path=a\n\0\0\0",
            b"99999999999999999999999 path=a\n",
            b"10 size=-1\n",
        ];
        for body in malformed {
            assert!(applied(body).is_err(), "{}", show(body));
        }
    }

    #[test]
    fn times_are_exact_and_negative_ones_count_upwards() {
        let at = |text: &str| time(text.as_bytes()).map(|time| (time.seconds, time.nanoseconds)).ok();
        assert_eq!(at("1700000000.123456789"), Some((1_700_000_000, 123_456_789)));
        assert_eq!(at("5"), Some((5, 0)));
        assert_eq!(at("0.5"), Some((0, 500_000_000)));
        assert_eq!(at("0.0000000019"), Some((0, 1)));
        assert_eq!(at("-1.25"), Some((-2, 750_000_000)));
        assert_eq!(at("-1"), Some((-1, 0)));
        for text in ["", "-", ".5", "1.x", "1e3", "--1", "1.-5", "9223372036854775808"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn an_empty_value_takes_back_what_was_said() {
        let mut extended = applied(b"10 uid=12\n").unwrap();
        extended.apply(b"7 uid=\n", false).unwrap();
        assert_eq!(extended.uid, None);
    }

    #[test]
    fn attributes_of_libarchive_are_decoded() {
        let extended = applied(b"40 LIBARCHIVE.xattr.user.a%3Db=AAH/Zg==\n").unwrap();
        assert_eq!(extended.xattrs.get(&b"user.a=b"[..]).map(Vec::as_slice), Some(&b"\x00\x01\xfff"[..]));
    }

    #[test]
    fn a_global_header_may_not_name_files() {
        for body in [&b"10 size=12\n"[..], b"9 path=a\n", b"22 GNU.sparse.major=1\n"] {
            assert!(Extended::default().apply(body, true).is_err(), "{}", show(body));
        }
        assert!(Extended::default().apply(b"10 uid=12\n", true).is_ok());
    }
}
