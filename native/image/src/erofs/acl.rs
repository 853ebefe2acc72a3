//! Access control lists, acl(5), as the kernel takes them in: one that says no more than the permissions becomes those, and of any
//! other one they follow. The form is that of fs/posix_acl.c: a version, and entries of tag, permissions and id.

use super::tree::What;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

const INVALID: &str = "the list is malformed";

/// Takes in the list of a file's users, whose permissions are in `mode` then; says whether it has to be kept.
pub fn access(value: &[u8], what: &What, mode: &mut u32) -> Result<bool, &'static str> {
    if matches!(what, What::Link(_)) {
        return Err("a link has no list");
    }
    let Some(list) = parse(value)? else { return Ok(false) };
    let bits = |tag| list.iter().find(|entry| entry.0 == tag).map(|entry| u32::from(entry.1));
    let group = bits(MASK).or_else(|| bits(GROUP_OBJ)).unwrap_or(0);
    let all = bits(USER_OBJ).unwrap_or(0) << 6 | group << 3 | bits(OTHER).unwrap_or(0);
    *mode = *mode & !0o777 | all;
    Ok(list.iter().any(|entry| [USER, GROUP, MASK].contains(&entry.0)))
}

/// Says whether the list of a directory's new files has to be kept.
pub fn default(value: &[u8], what: &What) -> Result<bool, &'static str> {
    let list = parse(value)?;
    match (list, what) {
        (None, _) => Ok(false),
        (Some(_), What::Directory) => Ok(true),
        (Some(_), _) => Err("only directories have such a list"),
    }
}

/// Tags and permissions in their order; nothing for an empty list.
fn parse(value: &[u8]) -> Result<Option<Vec<(u16, u16)>>, &'static str> {
    let body = value.strip_prefix(&[2, 0, 0, 0]).ok_or(INVALID)?;
    if body.is_empty() {
        return Ok(None);
    }
    let entries = body.chunks(8).map(|entry| match entry {
        [t0, t1, p0, p1, _, _, _, _] => Ok((u16::from_le_bytes([*t0, *t1]), u16::from_le_bytes([*p0, *p1]))),
        _ => Err(INVALID),
    });
    let list = entries.collect::<Result<Vec<_>, _>>()?;
    let ordered = list.is_sorted_by(|one, next| one.0 < next.0 || one.0 == next.0 && [USER, GROUP].contains(&one.0));
    let known =
        list.iter().all(|&(tag, bits)| [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER].contains(&tag) && bits <= 7);
    let has = |tag| list.iter().any(|entry| entry.0 == tag);
    let whole = has(USER_OBJ) && has(GROUP_OBJ) && has(OTHER) && (has(MASK) || !has(USER) && !has(GROUP));
    if ordered && known && whole { Ok(Some(list)) } else { Err(INVALID) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16)]) -> Vec<u8> {
        let bytes = entries.iter().flat_map(|(tag, bits)| [tag.to_le_bytes(), bits.to_le_bytes(), [0; 2], [0; 2]]);
        [2, 0, 0, 0].into_iter().chain(bytes.flatten()).collect()
    }

    #[test]
    fn a_list_that_says_no_more_than_permissions_becomes_those() {
        let mut mode = 0o4777;
        let plain = list(&[(USER_OBJ, 7), (GROUP_OBJ, 5), (OTHER, 0)]);
        assert_eq!((access(&plain, &What::Directory, &mut mode), mode), (Ok(false), 0o4750));
        let longer = list(&[(USER_OBJ, 6), (USER, 7), (GROUP_OBJ, 5), (MASK, 4), (OTHER, 1)]);
        assert_eq!((access(&longer, &What::Directory, &mut mode), mode), (Ok(true), 0o4641));
        assert_eq!(default(&plain, &What::Directory), Ok(true));
        assert!(default(&plain, &What::Fifo).is_err());
        assert!(access(&plain, &What::Link(Vec::new()), &mut mode).is_err());
    }

    #[test]
    fn a_malformed_list_is_refused() {
        let mut mode = 0;
        for entries in
            [&[(USER_OBJ, 7)][..], &[(USER_OBJ, 8), (GROUP_OBJ, 5), (OTHER, 0)], &[(OTHER, 0), (USER_OBJ, 1)]]
        {
            assert!(access(&list(entries), &What::Fifo, &mut mode).is_err(), "{entries:?}");
        }
        assert!(access(b"\x03\0\0\0", &What::Fifo, &mut mode).is_err());
        assert_eq!(access(b"\x02\0\0\0", &What::Fifo, &mut mode), Ok(false));
    }
}
