//! Text from outside, whose bytes need not be UTF-8: file names, arguments, the environment. A byte that is not UTF-8
//! becomes one of the lone surrogates U+DC80 to U+DCFF, which no text has, and the same byte again on its way back: what is
//! passed on is passed on unchanged.

use super::{results::Ret, value::Context};
use qjs_sys as q;
use std::collections::TryReserveError;
use std::ffi::{CStr, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::slice;

/// Bytes that are a string to the program.
pub struct Text(pub Vec<u8>);

impl From<&CStr> for Text {
    fn from(text: &CStr) -> Self {
        Self(text.to_bytes().to_vec())
    }
}

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        Self(text.into_vec())
    }
}

impl Text {
    /// The text where it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

/// A string of the program, as the engine writes it in UTF-8 (a lone surrogate has three bytes): without a copy where it is ASCII.
pub struct Borrowed {
    context: Context,
    text: *const c_char,
    length: usize,
}

impl Borrowed {
    /// None: the engine has thrown.
    ///
    /// # Safety
    /// `value` must be a living string of `context`.
    pub unsafe fn of(context: Context, value: q::JSValue) -> Option<Self> {
        let mut length: q::size_t = 0;
        // SAFETY: the caller vouches for both; `length` is ours.
        let text = unsafe { q::JS_ToCStringLen(context, (&raw mut length).cast(), value) };
        let length = usize::try_from(length).unwrap_or(0);
        (!text.is_null()).then(|| Self { context, text, length })
    }

    #[must_use]
    pub fn get(&self) -> &[u8] {
        // SAFETY: the engine says that `text` has this length, and it lives until it is freed below.
        unsafe { slice::from_raw_parts(self.text.cast(), self.length) }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: it came from the engine, and is not used again.
        unsafe { q::JS_FreeCString(self.context, self.text) };
    }
}

impl Ret for Text {
    fn kind() -> String {
        "string".into()
    }

    unsafe fn give(self, context: Context) -> q::JSValue {
        if self.as_str().is_some() {
            // SAFETY: the caller vouches for `context`; the engine copies.
            return unsafe { q::JS_NewStringLen(context, self.0.as_ptr().cast(), self.0.len() as q::size_t) };
        }
        match units(&self.0) {
            // SAFETY: as above.
            Ok(units) => unsafe { q::JS_NewStringUTF16(context, units.as_ptr(), units.len() as q::size_t) },
            // SAFETY: as above.
            Err(_) => unsafe { q::JS_ThrowOutOfMemory(context) },
        }
    }
}

fn units(bytes: &[u8]) -> Result<Vec<u16>, TryReserveError> {
    let mut units = Vec::new();
    units.try_reserve_exact(bytes.len())?;
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().encode_utf16());
        units.extend(chunk.invalid().iter().map(|byte| 0xdc00 + u16::from(*byte)));
    }
    Ok(units)
}

/// The engine's UTF-8 of a string, in which a lone surrogate has three bytes, with those of `units` as the bytes they were.
///
/// # Errors
/// Where there is no memory for it.
pub fn bytes_of(text: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut bytes = Vec::new();
    // With room for the NUL of a CString.
    bytes.try_reserve_exact(text.len() + 1)?;
    // Nearly every text: a search costs a hundredth of the loop.
    let plain = text.iter().position(|byte| *byte == 0xed).unwrap_or(text.len());
    let (before, mut rest) = text.split_at(plain);
    bytes.extend_from_slice(before);
    while let [first, tail @ ..] = rest {
        // U+DC80 to U+DCFF are ED B2 80 to ED B3 BF.
        if let [0xed, second @ (0xb2 | 0xb3), third @ 0x80..=0xbf, after @ ..] = rest {
            bytes.push(((second & 1) << 6) | (third & 0x3f) | 0x80);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{bytes_of, units};

    /// What the engine makes of UTF-16 when it writes UTF-8: a lone surrogate is written like any other unit.
    fn encoded(units: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for unit in char::decode_utf16(units.iter().copied()) {
            match unit {
                Ok(character) => bytes.extend(character.to_string().bytes()),
                Err(lone) => {
                    let unit = lone.unpaired_surrogate();
                    bytes.extend([0xed, 0x80 | ((unit >> 6) & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8]);
                }
            }
        }
        bytes
    }

    #[test]
    fn every_byte_comes_back_as_it_was() {
        for text in
            [&b"plain"[..], b"\xff", b"a\x80\xc3\xa4\xfez", "\u{1f600}".as_bytes(), b"\xed\xb2\x80", b"\xf0\x9f"]
        {
            assert_eq!(bytes_of(&encoded(&units(text).unwrap())).unwrap(), text, "{text:?}");
        }
        let all: Vec<u8> = (1..=255).collect();
        assert_eq!(bytes_of(&encoded(&units(&all).unwrap())).unwrap(), all);
    }
}
