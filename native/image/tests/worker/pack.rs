//! What was unpacked can be packed again, to the last bit of what nobody understands.

use crate::support::{Bench, Header, Tar, gzip, noise, sha256};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;

fn pack(bench: &mut Bench, name: &str, compression: &str) -> (Value, Vec<u8>) {
    let file = bench.scratch.join("packed");
    let _ = fs::remove_file(&file);
    let order = json!({"layer": bench.layer(name), "file": file, "compression": compression});
    let event = bench.worker.ask(json!({"do": "pack", "layers": [order], "threads": 2}));
    (event, fs::read(&file).unwrap_or_default())
}

#[track_caller]
fn comes_back(bench: &mut Bench, name: &str, tar: &[u8]) {
    bench.unpack(name, tar);
    let (event, packed) = pack(bench, name, "none");
    assert_eq!(event["event"], "result", "{event}");
    assert!(packed == tar, "{} bytes in the place of {}", packed.len(), tar.len());
    let said = &event["layers"][0];
    assert_eq!((said["digest"].as_str().unwrap(), said["size"].as_u64()), (&*sha256(tar), Some(tar.len() as u64)));
}

/// An old header of GNU tar with holes: one piece of data at 4096, in a file of 8192 bytes.
fn sparse(header: Header) -> Header {
    header.field(257, b"ustar  \0").octal(386, 12, 4096).octal(398, 12, 512).octal(483, 12, 8192)
}

fn strange() -> Tar {
    let large = noise(40_000);
    let mut garbled = Header::new(b'0', "odd").size(5).field(500, b"leftovers");
    garbled = garbled.field(265, b"a name of an owner\0and what was there before");
    Tar::new()
        .extended(b'g', &[("comment", b"of everything")])
        .dir("./etc/")
        .file("./etc/passwd", "root:x:0:0\n")
        .file("etc/empty", "")
        .entry(b'0', "large", large.as_bytes(), |header| header)
        .raw(garbled, b"12345 and what nobody has cleaned")
        .entry(b'0', "su", b"data", |header| header.mode(0o4755).owner(5, 6))
        .symlink("lib", "usr/lib")
        .dir("usr/")
        .dir("usr/lib/")
        .file("lib/behind-a-link", "found by its path without links")
        .hard_link("again", "large")
        .entry(b'1', "with-a-size", b"", |header| header.link("large").size(4711))
        .entry(b'6', "pipe", b"", |header| header)
        .pax(&[("path", "ü/\u{1F680}".as_bytes()), ("SCHILY.xattr.user.note", b"\0\n"), ("mtime", b"1.5")])
        .file("short", "with an extended header")
        .gnu_long(b'L', &("g/".repeat(120) + "x"))
        .file("short", "of a long name")
        .entry(b'0', "old", &[b'x'; 512], sparse)
        .file("d/.wh.gone", "a whiteout with data")
        .file("opaque/.wh..wh..opq", "")
        .file(".wh..wh.plnk/1.2", "left by aufs")
}

#[test]
fn every_kind_of_entry_comes_back() {
    let mut bench = Bench::new();
    let raw = Tar::new().raw(Header::new(b'0', "x").field(0, b"not\xff\xfeUTF-8").size(3), b"raw");
    comes_back(&mut bench, "raw", &raw.end());
    comes_back(&mut bench, "strange", &strange().end());
    comes_back(&mut bench, "empty", &Tar::new().end());
    comes_back(&mut bench, "nothing", b"");
}

#[test]
fn what_stands_behind_the_end_comes_back() {
    let mut bench = Bench::new();
    let garbage = noise(100_000);
    comes_back(&mut bench, "padded", &[strange().end(), vec![0; 10_240]].concat());
    comes_back(&mut bench, "garbage", &[strange().end(), garbage.into_bytes()].concat());
    comes_back(&mut bench, "unended", &strange().unended());
}

#[test]
fn what_a_layer_replaces_or_removes_itself_comes_back() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .file("twice", "first")
        .file("twice", "the second one")
        .file("twice", "")
        .file("twice", "last")
        .file("one", "two names")
        .hard_link("two", "one")
        .file("one", "another")
        .file("two", "and another")
        .dir("tree/")
        .dir("tree/below/")
        .file("tree/a", "in a directory")
        .file("tree/below/b", "and below")
        .hard_link("tree/below/c", "tree/a")
        .file("tree", "no directory any more")
        .file("file", "becomes a directory")
        .dir("file/")
        .file("file/x", "x")
        .file("link", "becomes a link")
        .symlink("link", "file")
        .file("hard", "becomes a name of another")
        .hard_link("hard", "file/x");
    comes_back(&mut bench, "a", &tar.end());
    let layers = [bench.layer("a")];
    let checked = bench.worker.ask(json!({"do": "check", "layers": layers, "repair": false}));
    assert_eq!(checked["layers"][0], json!({"findings": [], "count": 0, "whole": true}));
}

type Decode<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

#[test]
fn a_layer_is_compressed_on_its_way_and_always_the_same() {
    let mut bench = Bench::new();
    let tar = strange().end();
    bench.unpack("a", &gzip(&tar));
    let unzstd = |bytes: &[u8]| zstd::decode_all(bytes).unwrap();
    let gunzip = |bytes: &[u8]| {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    };
    for (compression, decode) in [("gzip", &gunzip as Decode), ("zstd", &unzstd)] {
        let (event, packed) = pack(&mut bench, "a", compression);
        let said = &event["layers"][0];
        assert_eq!(
            (said["digest"].as_str(), said["size"].as_u64()),
            (Some(&*sha256(&packed)), Some(packed.len() as u64))
        );
        assert!(packed.len() < tar.len() && decode(&packed) == tar, "{compression}");
        assert!(pack(&mut bench, "a", compression).1 == packed, "{compression} is the same again");
    }
}

/// What is done to the layer, and what is said of it.
type Damage = (fn(&Path), &'static str);

const DAMAGES: &[Damage] = &[
    (|layer| fs::write(layer.join("fs/etc/passwd"), "toor:x:0:0\n").unwrap(), "the digest of its archive is"),
    (|layer| fs::write(layer.join("fs/etc/passwd"), "root").unwrap(), "etc/passwd has 4 bytes, must have 11"),
    (|layer| fs::remove_file(layer.join("fs/etc/passwd")).unwrap(), "Cannot open etc/passwd"),
    (
        |layer| {
            fs::remove_file(layer.join("fs/etc/passwd")).unwrap();
            symlink("../large", layer.join("fs/etc/passwd")).unwrap();
        },
        "Cannot open etc/passwd",
    ),
    (
        |layer| {
            fs::rename(layer.join("fs/etc"), layer.join("fs/moved")).unwrap();
            symlink("moved", layer.join("fs/etc")).unwrap();
        },
        "Cannot open etc/passwd",
    ),
    (|layer| fs::write(layer.join("recipe"), "").unwrap(), "Cannot read recipe"),
    (|layer| fs::write(layer.join("recipe"), "no zstd").unwrap(), "Cannot read recipe"),
    (|layer| fs::remove_file(layer.join("recipe")).unwrap(), "Cannot open recipe"),
    (
        |layer| fs::File::options().write(true).open(layer.join("recipe")).unwrap().set_len(300).unwrap(),
        "Cannot read recipe",
    ),
    (|layer| fs::remove_file(layer.join("kept")).unwrap(), "has 6 bytes, must have 5"),
    (
        |layer| fs::File::options().write(true).open(layer.join("kept")).unwrap().set_len(20).unwrap(),
        "Cannot read kept",
    ),
];

#[test]
fn a_layer_that_is_not_what_it_was_is_not_packed() {
    for (number, (damage, said)) in DAMAGES.iter().enumerate() {
        let mut bench = Bench::new();
        bench.unpack("a", &strange().file("twice", "first").file("twice", "second").end());
        damage(&bench.layer("a"));
        for compression in ["none", "gzip", "zstd"] {
            let (event, _) = pack(&mut bench, "a", compression);
            let message = event["message"].as_str().unwrap_or_else(|| panic!("{number} {compression}: {event}"));
            assert!(message.contains(said) && message.contains("check --repair"), "{number} {compression}: {message}");
        }
        let verdict = bench.worker.ask(json!({"do": "check", "layers": [bench.layer("a")], "repair": false}));
        assert_eq!(verdict["layers"][0]["whole"], false, "{number} is found by a check as well");
    }
}
