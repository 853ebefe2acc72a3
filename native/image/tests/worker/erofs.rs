//! A layer as an archive with an index is the same tree as the directory that it would be.

use crate::support::tree::describe;
use crate::support::{Bench, Tar, Worker, is_whiteout, mounted, names, sha256};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

/// Unpacks an archive in a form.
fn unpack(bench: &mut Bench, name: &str, tar: &[u8], snapshotter: &str) -> Value {
    let order = bench.order(name, tar);
    let request = json!({"do": "unpack", "source": bench.source(), "scratch": bench.scratch.path("."),
        "layers": [order], "snapshotter": snapshotter});
    let event = bench.worker.ask(request);
    assert_eq!(event["event"], "result", "{event}");
    event["layers"][0].clone()
}

/// Unpacks in both forms, and compares trees and records.
fn compare(tar: &[u8]) -> Bench {
    let mut bench = Bench::new();
    let mut record = unpack(&mut bench, "index", tar, "erofs");
    let other = unpack(&mut bench, "files", tar, "overlayfs");
    assert_eq!(timed(&mounted(&bench.layer("index"))), timed(&bench.layer("files").join("fs")));
    assert_eq!(names(&bench.layer("index")), ["erofs", "layer.json", "tar"]);
    assert_eq!(sha256(&fs::read(bench.layer("index").join("tar")).unwrap()), other["diffId"].as_str().unwrap());
    assert_eq!(record["beside"], json!({}));
    (record["snapshotter"], record["beside"]) = (json!("overlayfs"), other["beside"].clone());
    assert_eq!(record, other);
    bench
}

/// A tree without the times of whiteouts: in a directory they have that of the moment.
fn timed(root: &Path) -> BTreeMap<String, String> {
    let mut described = describe(root);
    for (path, line) in &mut described {
        if line.starts_with("device false 0,") {
            assert!(is_whiteout(&root.join(path)));
            "whiteout".clone_into(line);
        }
    }
    described
}

fn check(bench: &mut Bench, repair: bool) -> Value {
    let layers = [bench.layer("index")];
    bench.worker.ask(json!({"do": "check", "layers": layers, "repair": repair}))["layers"][0].clone()
}

#[test]
fn every_kind_of_file_is_the_same_needs_root() {
    needs_root!("every_kind_of_file_is_the_same_needs_root");
    compare(
        &Tar::new()
            .entry(b'5', "d", b"", |header| header.mode(0o1777).owner(7, 2_000_000).mtime(1))
            .pax(&[("mtime", b"-5.25"), ("SCHILY.xattr.user.a", b"1"), ("SCHILY.xattr.trusted.b", b"\0\xff")])
            .entry(b'0', "d/file", b"content", |header| header.mode(0o4750))
            .entry(b'0', "d/empty", b"", |header| header)
            .entry(b'0', "d/block", &[7; 512], |header| header)
            .entry(b'0', "d/large", &vec![9; 1_000_001], |header| header)
            .symlink("d/short", "file")
            .symlink("d/long", &"x/".repeat(40))
            .hard_link("d/again", "d/file")
            .hard_link("other", "d/again")
            .entry(b'3', "null", b"", |header| header.device(1, 3).mode(0o666))
            .entry(b'4', "disk", b"", |header| header.device(259, 70000))
            .entry(b'6', "pipe", b"", |header| header)
            .file("implied/by/this", "x")
            .file("d/.wh.gone", "")
            .file("opaque/.wh..wh..opq", "")
            .file("!first", "before the dots")
            .end(),
    );
}

#[test]
fn what_one_layer_says_twice_is_the_same_needs_root() {
    needs_root!("what_one_layer_says_twice_is_the_same_needs_root");
    compare(
        &Tar::new()
            .file("a/b/c", "1")
            .file("a/b/c", "2")
            .hard_link("kept", "a/b/c")
            .file("a/b", "a file takes the place of a directory")
            .file("x", "a directory takes the place of a file")
            .file("x2", "")
            .entry(b'5', "x", b"", |header| header)
            .symlink("lib", "usr/lib")
            .entry(b'5', "usr/lib", b"", |header| header)
            .file("lib/through", "a link")
            .file(".wh.removed", "")
            .file("removed/again", "3")
            .entry(b'5', "d", b"", |header| header)
            .file(".wh.d", "")
            .end(),
    );
}

#[test]
fn large_directories_and_odd_names_are_the_same_needs_root() {
    needs_root!("large_directories_and_odd_names_are_the_same_needs_root");
    let mut tar = Tar::new();
    for number in 0..3000 {
        tar = tar.file(&format!("many/{}{number}", "n".repeat(number % 90)), "");
    }
    let long = "l".repeat(255);
    tar = tar.pax(&[("path", long.as_bytes())]).file("f", "long");
    tar = tar.pax(&[("path", [&b"many/"[..], long.as_bytes()].concat().as_slice())]).file("f", "long too");
    let target = "t/".repeat(2000);
    tar = tar.pax(&[("linkpath", target.as_bytes())]).symlink("far", "x");
    compare(&tar.end());
}

#[test]
fn holes_stay_holes_wherever_the_data_lie_needs_root() {
    needs_root!("holes_stay_holes_wherever_the_data_lie_needs_root");
    // Pieces that begin and end anywhere, and such as a file system has: whole pages.
    for (map, size) in [
        (vec![(1, 10), (5000, 3), (8191, 2), (100_000, 1)], 200_000_u64),
        (vec![(4096, 8192), (40_960, 4096), (65_536, 100)], 65_636),
        (vec![(0, 4096), (8192, 4096)], 1 << 33),
        (vec![], 1 << 20),
    ] {
        let mut text = format!("{}\n", map.len());
        let mut data = Vec::new();
        for (number, (offset, length)) in map.iter().enumerate() {
            text.extend([offset.to_string(), "\n".to_owned(), length.to_string(), "\n".to_owned()]);
            data.extend(vec![b'a' + u8::try_from(number).unwrap(); usize::try_from(*length).unwrap()]);
        }
        let mut body = text.into_bytes();
        body.resize(body.len().next_multiple_of(512), 0);
        body.extend(data);
        let real = size.to_string();
        let keys: [(&str, &[u8]); 4] = [
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", real.as_bytes()),
        ];
        let tar = Tar::new().pax(&keys).entry(b'0', "made-up", &body, |header| header).file("after", "it").end();
        if size < 1 << 30 {
            let mut bench = compare(&tar);
            assert_eq!(check(&mut bench, false)["findings"], json!([]));
            continue;
        }
        let mut bench = Bench::new();
        unpack(&mut bench, "index", &tar, "erofs");
        let file = fs::File::open(mounted(&bench.layer("index")).join("sparse")).unwrap();
        let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)).unwrap();
        assert_eq!((file.metadata().unwrap().size(), hole < size), (size, true));
        let mut bytes = [1; 3];
        file.read_exact_at(&mut bytes, 8191).unwrap();
        assert_eq!(&bytes, b"\0bb");
        assert!(fs::metadata(bench.layer("index").join("erofs")).unwrap().blocks() < 8192);
        let (layers, dest) = ([bench.layer("index")], bench.scratch.path("copy"));
        let event = bench.worker.ask(json!({"do": "merge", "layers": layers, "dest": dest}));
        assert_eq!(event["event"], "result", "{event}");
        let copy = fs::metadata(bench.scratch.join("copy/sparse")).unwrap();
        assert_eq!((copy.size(), copy.blocks() < 8192), (size, true));
    }
}

#[test]
fn damage_is_found_and_mended_out_of_the_archive_needs_root() {
    needs_root!("damage_is_found_and_mended_out_of_the_archive_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new().file("a/b", "content").symlink("l", "a").end();
    unpack(&mut bench, "index", &tar, "erofs");
    let layer = bench.layer("index");
    let before = describe(&mounted(&layer));
    let flip = |name: &str, at: u64| {
        let file = OpenOptions::new().read(true).write(true).open(layer.join(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    assert_eq!(check(&mut bench, false), json!({"findings": [], "count": 0, "whole": true}));
    let damages: [(&str, &dyn Fn()); 5] = [
        ("erofs: is damaged", &|| flip("erofs", 4096 + 64 + 4)),
        ("erofs: is damaged", &|| fs::remove_file(layer.join("erofs")).unwrap()),
        ("layer.json: is damaged", &|| flip("layer.json", 2)),
        ("layer.json: is damaged", &|| fs::write(layer.join("layer.json"), "{}").unwrap()),
        ("stranger: does not belong beside tar", &|| fs::write(layer.join("stranger"), "").unwrap()),
    ];
    for (said, damage) in damages {
        damage();
        let found = check(&mut bench, false);
        assert_eq!((&found["findings"], &found["whole"]), (&json!([said]), &json!(false)));
        assert_eq!(check(&mut bench, true)["whole"], json!(true), "{said}");
        assert_eq!(check(&mut bench, false)["count"], json!(0), "{said}");
        assert_eq!(describe(&mounted(&layer)), before);
    }
    for at in [0, 600, tar.len() as u64 - 1] {
        flip("tar", at);
        let found = check(&mut bench, true);
        assert_eq!(found["whole"], json!(false));
        let said = found["findings"][0].as_str().unwrap();
        assert!(said.starts_with("tar: "), "{said}");
        flip("tar", at);
    }
    assert_eq!(check(&mut bench, false)["count"], json!(0));
}

#[test]
fn the_same_archive_gives_the_same_index_needs_root() {
    needs_root!("the_same_archive_gives_the_same_index_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new().file("b", "1").file("a", "2").file("b", "3").end();
    unpack(&mut bench, "one", &tar, "erofs");
    unpack(&mut bench, "two", &crate::support::gzip(&tar), "erofs");
    let read = |name: &str| fs::read(bench.layer(name).join("erofs")).unwrap();
    assert_eq!(read("one"), read("two"));
}

#[test]
fn layers_of_both_forms_are_stacked_and_merged_needs_root() {
    needs_root!("layers_of_both_forms_are_stacked_and_merged_needs_root");
    let mut bench = Bench::new();
    let lower =
        Tar::new().entry(b'5', "root", b"", |header| header.mode(0o700)).file("root/a", "1").file("x", "2").end();
    let upper = Tar::new().file("root/b", "3").file(".wh.x", "").end();
    for (name, forms) in
        [("first", ["erofs", "overlayfs"]), ("second", ["overlayfs", "erofs"]), ("third", ["erofs", "erofs"])]
    {
        let layers = [("lower", &lower, forms[0]), ("upper", &upper, forms[1])].map(|(which, tar, form)| {
            unpack(&mut bench, &format!("{name}-{which}"), tar, form);
            bench.scratch.path(&format!("layers/{name}-{which}"))
        });
        let dest = bench.scratch.path(&format!("{name}-stack"));
        let stacked = bench.worker.ask(json!({"do": "stack", "layers": layers, "dest": dest}));
        assert_eq!(stacked["needed"], json!(true), "{stacked}");
        let merged = bench.scratch.path(&format!("{name}-merged"));
        let event = bench.worker.ask(json!({"do": "merge", "layers": layers, "dest": merged}));
        assert_eq!(event["event"], "result", "{event}");
        assert_eq!(names(&bench.scratch.join(&format!("{name}-merged"))), ["root"]);
        assert_eq!(names(&bench.scratch.join(&format!("{name}-merged/root"))), ["a", "b"]);
        assert_eq!(fs::metadata(bench.scratch.join(&format!("{name}-stack/fs/root"))).unwrap().mode() & 0o777, 0o700);
    }
}

#[test]
fn who_has_no_privileges_is_refused_and_nothing_is_left() {
    let mut bench = Bench::new();
    bench.worker = Worker::run(Command::new("unshare").args(["-r", env!("CARGO_BIN_EXE_tsrun-image")]));
    let order = bench.order("refused", &Tar::new().file("a", "1").end());
    let request = json!({"do": "unpack", "source": bench.source(), "scratch": bench.scratch.path("."),
        "layers": [order], "snapshotter": "erofs"});
    let event = bench.worker.ask(request);
    bench.assert_refused(&event, "io", "Cannot keep layers as EROFS: that needs root");
}
