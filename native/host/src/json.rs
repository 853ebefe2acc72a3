//! Cutting one member out of a JSON text without parsing it: for a member that is large and often the same.

use std::collections::TryReserveError;

/// The text with the member at `path` replaced by `null`, and the member's own text. None where it is absent, or where the
/// text is not as simple as it looks (a key with an escape, broken JSON): the parser has the last word then. Of members
/// with the same name the last one counts, as it does for the parser.
///
/// # Errors
/// Where there is no memory for the copies.
pub fn cut(text: &str, path: &[&str]) -> Result<Option<(String, String)>, TryReserveError> {
    let Some((before, member, after)) = split(text, path) else { return Ok(None) };
    Ok(Some((joined(&[before, "null", after])?, joined(&[member])?)))
}

/// The member at `path` alone; none as for `cut`.
///
/// # Errors
/// Where there is no memory for the copy.
pub fn find(text: &str, path: &[&str]) -> Result<Option<String>, TryReserveError> {
    split(text, path).map(|(_, member, _)| joined(&[member])).transpose()
}

/// The text before the member at `path`, the member, and the text after it.
fn split<'a>(text: &'a str, path: &[&str]) -> Option<(&'a str, &'a str, &'a str)> {
    // JSON has no NUL: the parser says where it is.
    if text.contains('\0') {
        return None;
    }
    let (mut start, mut end) = (0, text.len());
    for name in path {
        (start, end) = member(text.as_bytes(), start, end, name)?;
    }
    Some((text.get(..start)?, text.get(start..end)?, text.get(end..)?))
}

fn joined(parts: &[&str]) -> Result<String, TryReserveError> {
    let mut whole = String::new();
    whole.try_reserve_exact(parts.iter().map(|part| part.len()).sum())?;
    for part in parts {
        whole.push_str(part);
    }
    Ok(whole)
}

/// Where the value of `name` lies in the object that begins after white space at `start`.
fn member(text: &[u8], start: usize, end: usize, name: &str) -> Option<(usize, usize)> {
    let mut at = skip_space(text, start);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = skip_space(text, at + 1);
    let mut found = None;
    while at < end && text.get(at) == Some(&b'"') {
        let key_end = skip_string(text, at)?;
        let key = text.get(at + 1..key_end - 1)?;
        if key.contains(&b'\\') {
            return None;
        }
        at = skip_space(text, key_end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        let value = skip_space(text, at + 1);
        at = skip_value(text, value)?;
        if key == name.as_bytes() {
            found = Some((value, at));
        }
        at = skip_space(text, at);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b'}') => return found,
            _ => return None,
        }
    }
    None
}

fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !b" \t\n\r".contains(byte)).unwrap_or(rest.len())
}

/// The end of the string that begins at `at`.
fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += text.get(at..)?.iter().position(|&byte| byte == b'"' || byte == b'\\')?;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2; // Whatever is escaped, it does not end the string.
    }
}

/// What a byte is to whoever looks for the end of an object or array: most are nothing.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Nothing,
    Quote,
    Open,
    Close,
}

/// A table, since each byte of a config.json is looked at: four instructions where comparisons take fifteen.
static SIGNS: [Sign; 256] = {
    let mut signs = [Sign::Nothing; 256];
    signs[b'"' as usize] = Sign::Quote;
    signs[b'{' as usize] = Sign::Open;
    signs[b'[' as usize] = Sign::Open;
    signs[b'}' as usize] = Sign::Close;
    signs[b']' as usize] = Sign::Close;
    signs
};

fn sign(byte: u8) -> Sign {
    SIGNS[usize::from(byte)]
}

/// The end of the value that begins at `at`.
fn skip_value(text: &[u8], mut at: usize) -> Option<usize> {
    if sign(*text.get(at)?) == Sign::Nothing {
        return Some(skip_word(text, at));
    }
    let mut depth = 0_usize;
    loop {
        at += text.get(at..)?.iter().position(|&byte| sign(byte) != Sign::Nothing)?;
        match sign(*text.get(at)?) {
            Sign::Quote => at = skip_string(text, at)?,
            Sign::Open => {
                depth += 1;
                at += 1;
            }
            Sign::Close | Sign::Nothing => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn skip_word(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| b"\",:{}[] \t\n\r".contains(byte)).unwrap_or(rest.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::cut;

    fn cut_ab(text: &str) -> Option<(String, String)> {
        cut(text, &["a", "b"]).unwrap()
    }

    #[test]
    fn a_member_is_cut_out_whole() {
        let (rest, member) = cut_ab(r#"{ "x": [1, {"b": 2}], "a" : {"b": {"k": "}\"", "l": [[]]} , "c":1}}"#).unwrap();
        assert_eq!(member, r#"{"k": "}\"", "l": [[]]}"#);
        assert_eq!(rest, r#"{ "x": [1, {"b": 2}], "a" : {"b": null , "c":1}}"#);
    }

    #[test]
    fn the_last_of_several_members_counts() {
        assert_eq!(cut_ab(r#"{"a":{"b":1},"a":{"b":2,"b":3}}"#).unwrap().1, "3");
        assert_eq!(cut_ab(r#"{"a":{"b":1},"a":{}}"#), None);
    }

    #[test]
    fn what_is_not_simple_is_left_to_the_parser() {
        for text in [
            "",
            "[]",
            "{",
            r#"{"a""#,
            r#"{"a":1}"#,
            r#"{"a":{"\u0062":1}}"#,
            r#"{"a":{"b":"x}}"#,
            r#"{"a":{"b":1]}"#,
            r#"{"a" 1}"#,
            "{\"a\":{\"b\":\"\0\"}}",
        ] {
            assert_eq!(cut_ab(text), None, "{text}");
        }
    }
}
