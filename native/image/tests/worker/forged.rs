//! Archives that say one thing here and another there, or more than a machine can take.

use crate::support::{Bench, Header, Tar, gzip, names, noise, text};
use serde_json::json;
use std::fs;

/// CVE-2025-62518: a reader that goes by the header's size sees entries inside of a file's data.
#[test]
fn the_size_of_the_extended_header_wins() {
    let mut bench = Bench::new();
    let inner = Tar::new().file("smuggled", "x").unended();
    let length = inner.len().to_string();
    let file = Header::new(b'0', "honest").size(0);
    let tar = Tar::new().pax(&[("size", length.as_bytes())]).raw(file, &inner).file("last", "x").end();
    bench.unpack("a", &tar);
    assert_eq!(names(&bench.fs("a")), ["honest", "last"]);
    assert_eq!(fs::read(bench.fs("a").join("honest")).unwrap(), inner);
}

/// The same family: the size is for the entry, not for another header on the way to it.
#[test]
fn the_size_of_the_extended_header_is_not_for_other_headers() {
    let mut bench = Bench::new();
    let tar = Tar::new().pax(&[("size", b"3")]).gnu_long(b'L', "a/long/name").file("short", "abc").file("b", "").end();
    bench.unpack("a", &tar);
    assert_eq!(text(&bench.fs("a").join("a/long/name")), "abc");
    assert_eq!(names(&bench.fs("a")), ["a", "b"]);
}

#[test]
fn what_readers_of_tar_disagree_on_is_refused() {
    let mut bench = Bench::new();
    let tar = |tar: Tar| tar.file("f", "x").end();
    let twice = Tar::new().pax(&[("path", b"a")]).pax(&[("path", b"b")]);
    bench.refuse(&tar(twice), "format", "two extended headers");
    let both = Tar::new().pax(&[("path", b"a")]).gnu_long(b'L', "b");
    bench.refuse(&tar(both), "format", "two long names");
    let between = Tar::new().pax(&[("path", b"a")]).extended(b'g', &[("uid", b"1")]);
    bench.refuse(&tar(between), "format", "between a header and its entry");
    let global = Tar::new().extended(b'g', &[("size", b"1")]);
    bench.refuse(&tar(global), "format", "global extended header");
    let unknown = Tar::new().entry(b'Z', "a", b"", |header| header);
    bench.refuse(&tar(unknown), "format", "unknown type");
    let directory = Tar::new().entry(b'0', "a/", b"data", |header| header);
    bench.refuse(&tar(directory), "format", "name of a directory");
    let last = Tar::new().pax(&[("path", b"a")]).end();
    bench.refuse(&last, "format", "truncated");
}

#[test]
fn a_damaged_header_is_refused() {
    let mut bench = Bench::new();
    let tar = |header: Header| Tar::new().raw(header, b"").end();
    bench.refuse(&tar(Header::new(b'0', "f").unsigned()), "format", "checksum");
    bench.refuse(&tar(Header::new(b'0', "f").field(124, b"zzzzzzzzzzz\0")), "format", "size field");
    bench.refuse(&tar(Header::new(b'0', "f").field(124, &[0xff; 12])), "format", "size is negative");
    bench.refuse(&tar(Header::new(b'0', "f").field(108, b"\x80\0\0\0\xff\xff\xff\xff")), "format", "owner");
    bench.refuse(&[b'x'; 1024], "format", "header");
    bench.refuse(b"not a tar", "format", "truncated");
    for record in [&b"5 a\n"[..], b"99 path=a\n", b"path=a\n", b"9 path=a\n\0\0"] {
        let broken = Tar::new().entry(b'x', "pax", record, |header| header).file("f", "").end();
        bench.refuse(&broken, "format", "malformed record");
    }
}

/// CVE-2017-14992, CVE-2023-25153: what comes before an entry is held in memory.
#[test]
fn a_huge_extended_header_is_refused_unread() {
    let mut bench = Bench::new();
    for flag in [b'x', b'g', b'L', b'K'] {
        let huge = Header::new(flag, "pax").size((1 << 20) + 1);
        bench.refuse(&Tar::new().raw(huge, b"").end(), "limit", "extended header has 1048577 bytes");
    }
    let claimed = Header::new(b'x', "pax").field(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    bench.refuse(&Tar::new().raw(claimed, b"").end(), "limit", "extended header");
}

/// apple/containerization #927: a reader that waited for the rest for ever.
#[test]
fn a_truncated_layer_ends_at_once() {
    let mut bench = Bench::new();
    let noise = noise(30_000);
    let tar = Tar::new().file("a", &noise).dir("d").file("d/b", &noise).end();
    let gzipped = gzip(&tar);
    let zstd = zstd::encode_all(&tar[..], 3).unwrap();
    for whole in [tar, gzipped, zstd] {
        for part in [1, 3, 5, 7] {
            let cut = whole.len() * part / 8;
            bench.refuse(&whole[..cut], "format", "truncated");
        }
    }
    // Where nothing is written, nothing is read either; the data must be there all the same.
    let skipped = Tar::new().file(".wh..wh.skipped", &noise).end();
    bench.refuse(&skipped[..20_000], "format", "truncated");
}

#[test]
fn a_decompression_bomb_is_stopped() {
    let mut bench = Bench::new();
    let tar = Tar::new().entry(b'0', "zeros", &vec![0; 40 << 20], |header| header).end();
    let bomb = zstd::encode_all(&tar[..], 3).unwrap();
    assert!(bomb.len() < 20_000);
    let order = json!([bench.order("bomb", &bomb)]);
    let event = bench.unpack_orders(&order, &json!({"ratioFrom": 10 << 20}));
    bench.assert_refused(&event, "limit", "grows more than 1100 times");
    let event = bench.unpack_orders(&order, &json!({"bytes": 10 << 20}));
    bench.assert_refused(&event, "limit", "more than 10485760 bytes");
    let event = bench.unpack_orders(&order, &json!({}));
    assert_eq!(event["event"], "result", "{event}");
}

#[test]
fn entries_depth_and_directories_without_entries_are_limited() {
    let mut bench = Bench::new();
    let tar = Tar::new().file("a/b/c/d", "").file("e", "").end();
    let order = json!([bench.order("many", &tar)]);
    let event = bench.unpack_orders(&order, &json!({"entries": 4}));
    bench.assert_refused(&event, "limit", "more than 4 entries");
    let event = bench.unpack_orders(&order, &json!({"implied": 2}));
    bench.assert_refused(&event, "limit", "more than 2 directories");
    let deep = "d/".repeat(256);
    bench.refuse(&Tar::new().pax(&[("path", deep.as_bytes())]).dir("x").end(), "limit", "deeper than 255");
    let long = "x".repeat(256);
    bench.refuse(&Tar::new().pax(&[("path", long.as_bytes())]).file("x", "").end(), "limit", "longer than 255 bytes");
}

/// Whatever is damaged, the worker answers and goes on.
#[test]
fn no_damage_takes_the_worker_down() {
    let mut bench = Bench::new();
    let pieces: &[(&str, &[u8])] = &[("GNU.sparse.map", b"0,5,10,5"), ("GNU.sparse.size", b"20"), ("uid", b"7")];
    let tar = Tar::new()
        .extended(b'g', &[("mtime", b"5.5")])
        .dir("a/b")
        .file("a/.wh.c", "")
        .pax(pieces)
        .file("a/b/sparse", "helloworld")
        .gnu_long(b'L', &"long/".repeat(30))
        .file("x", "data")
        .symlink("l", "a/b")
        .hard_link("l/h", "a/b/sparse")
        .pax(&[("SCHILY.xattr.user.a", b"b"), ("LIBARCHIVE.xattr.user.c", b"AAAA")])
        .entry(b'3', "null", b"", |header| header.device(1, 3))
        .unended();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut refused = 0;
    for round in 0..600 {
        let mut blob = tar.clone();
        for _ in 0..=random(4) {
            let at = random(blob.len());
            blob[at] = [0, b'0', b'7', b'9', b' ', b'=', 0x80, 0xff, b'/', b'\n'][random(10)];
            if round % 2 == 0 {
                crate::support::tar::sum(&mut blob, at / 512);
            }
        }
        let event = bench.try_unpack("damaged", &blob);
        refused += u32::from(event["event"] == "error");
        if event["event"] == "result" {
            fs::remove_dir_all(bench.layer("damaged")).unwrap();
        }
        assert_eq!(names(&bench.scratch.join("layers")), Vec::<String>::new());
    }
    assert!(refused > 100, "{refused}");
}

/// Names of directories are held until the end.
#[test]
fn directories_may_not_take_all_memory() {
    let mut bench = Bench::new();
    let value = vec![b'x'; 900_000];
    let entry = Tar::new().pax(&[("SCHILY.xattr.user.a", &value)]).dir("d").unended();
    let bomb = zstd::encode_all(&entry.repeat(700)[..], 1).unwrap();
    bench.refuse(&bomb, "limit", "bytes of memory");
}
