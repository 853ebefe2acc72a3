//! What stands before an entry's data: POSIX.1-2024 (pax), "ustar Interchange Format" and "pax Extended Header".

use super::{BLOCK, Entry, Kind, Time};

/// What a ustar header has room for.
const LONGEST_NAME: usize = 100;
const LARGEST: u64 = 0o777_7777_7777;
const LARGEST_ID: u32 = 0o777_7777;

/// The header of an entry, after an extended one for what does not fit. It is as long for one size as for any other.
pub fn head(entry: &Entry) -> Vec<u8> {
    let records = records(entry);
    let mut bytes = Vec::new();
    if !records.is_empty() {
        let extended =
            Entry { path: b"pax".to_vec(), mode: 0o644, size: records.len() as u64, ..Entry::of(Kind::File) };
        bytes.extend(block(b'x', &extended));
        bytes.extend(&records);
        bytes.extend(padding(extended.size));
    }
    bytes.extend(block(flag(entry.kind), entry));
    bytes
}

/// What ends an entry's data.
pub fn padding(size: u64) -> &'static [u8] {
    let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
    END.get(..rest).unwrap_or_default()
}

/// What ends an archive: two blocks of zeros.
pub const END: &[u8] = &[0; 2 * BLOCK];

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::Char => b'3',
        Kind::Block => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

fn records(entry: &Entry) -> Vec<u8> {
    let mut records = Vec::new();
    let mut say = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if entry.path.len() > LONGEST_NAME {
        say(b"path", &entry.path);
    }
    if entry.link.len() > LONGEST_NAME {
        say(b"linkpath", &entry.link);
    }
    for (key, id) in [(b"uid", entry.uid), (b"gid", entry.gid)] {
        if id > LARGEST_ID {
            say(key, id.to_string().as_bytes());
        }
    }
    let Time { seconds, nanoseconds } = entry.mtime;
    if nanoseconds != 0 || u64::try_from(seconds).map_or(true, |seconds| seconds > LARGEST) {
        say(b"mtime", time(entry.mtime).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        say(&[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    records
}

/// `[-]SECONDS[.FRACTION]`: the fraction of a time before 1970 counts backwards, as the whole does.
fn time(Time { seconds, nanoseconds }: Time) -> String {
    match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., nanoseconds) => format!("{seconds}.{nanoseconds:09}"),
        (seconds, nanoseconds) => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds),
    }
}

fn block(flag: u8, entry: &Entry) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    let short = |text: &[u8]| text.get(..LONGEST_NAME.min(text.len())).unwrap_or_default().to_vec();
    put(0, &short(&entry.path));
    for (at, number) in [(100, entry.mode), (108, entry.uid), (116, entry.gid)] {
        put(at, format!("{:07o}\0", number.min(LARGEST_ID)).as_bytes());
    }
    put(124, &size_field(entry.size));
    let seconds = u64::try_from(entry.mtime.seconds).unwrap_or(0).min(LARGEST);
    // The time, and blanks for the checksum while it is made.
    put(136, format!("{seconds:011o}\0        ").as_bytes());
    put(156, &[flag]);
    put(157, &short(&entry.link));
    put(257, b"ustar\x0000");
    if matches!(entry.kind, Kind::Char | Kind::Block) {
        put(329, format!("{:07o}\0{:07o}\0", entry.device.0, entry.device.1).as_bytes());
    }
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

/// Octal digits; and where there is no room for them the number itself, with the highest bit set, which all readers know (GNU tar,
/// "Extensions to the archive format").
fn size_field(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size <= LARGEST {
        field.copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        let [first, _, _, _, rest @ ..] = &mut field;
        *first = 0x80;
        *rest = size.to_be_bytes();
    }
    field
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let digits = (1..20).find(|digits| (rest + digits).to_string().len() == *digits).unwrap_or(1);
    [(rest + digits).to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::Reader;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let plain = |path: &[u8]| Entry { path: path.to_vec(), mode: 0o644, ..Entry::of(Kind::File) };
        let at = |seconds, nanoseconds| Entry { mtime: Time { seconds, nanoseconds }, ..plain(b"t") };
        let entries = [
            plain(b"short"),
            plain(&[b'n'; 300]),
            Entry { size: 1 << 40, ..plain(b"large") },
            Entry { mode: 0o7755, uid: 4_000_000_000, gid: 2_097_151, ..plain(b"owned") },
            Entry { link: vec![b'l'; 101], ..Entry { kind: Kind::Symlink, ..plain(b"s") } },
            Entry { link: b"short".to_vec(), ..Entry { kind: Kind::HardLink, ..plain(b"h") } },
            Entry { kind: Kind::Directory, ..plain(b"d/") },
            Entry { kind: Kind::Block, device: (259, 70_000), ..plain(b"b") },
            Entry { kind: Kind::Char, device: (1, 3), ..plain(b"c") },
            Entry { kind: Kind::Fifo, ..plain(b"p") },
            Entry { xattrs: vec![(b"user.a".to_vec(), b"\0=\n".to_vec())], ..plain(b"x") },
            at(-7, 500_000_000),
            at(-1, 1),
            at(-5, 0),
            at(1 << 40, 999_999_999),
        ];
        for entry in entries {
            let bytes = head(&entry);
            let read = Reader::new(bytes.as_slice()).next_entry().unwrap().unwrap();
            assert_eq!(format!("{read:?}"), format!("{entry:?}"));
        }
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(record(b"path", b"a"), b"9 path=a\n");
        assert_eq!(record(b"path", b"ab"), b"11 path=ab\n");
        assert_eq!(record(b"path", &[b'a'; 91]).len(), 101);
    }
}
