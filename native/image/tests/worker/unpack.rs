//! An ordinary layer becomes the tree that it describes.

use crate::support::{Bench, Tar, gzip, names, sha256, snapshotter, text, xattr};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

#[test]
fn files_directories_and_links_get_content_mode_and_time_needs_root() {
    needs_root!("files_directories_and_links_get_content_mode_and_time_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new()
        .entry(b'5', "./etc/", b"", |header| header.mode(0o750).owner(7, 8).mtime(1_000_000_000))
        .entry(b'0', "./etc/passwd", b"root\n", |header| header.mode(0o640).owner(1, 2).mtime(1_100_000_000))
        .symlink("etc/link", "passwd")
        .hard_link("etc/again", "./etc/passwd")
        .end();
    let record = bench.unpack("a", &tar);
    let root = bench.fs("a");
    assert_eq!(names(&root.join("etc")), ["again", "link", "passwd"]);
    let file = fs::metadata(root.join("etc/passwd")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.gid(), file.mtime()), (0o640, 1, 2, 1_100_000_000));
    assert_eq!(file.ino(), fs::metadata(root.join("etc/again")).unwrap().ino());
    let dir = fs::metadata(root.join("etc")).unwrap();
    assert_eq!((dir.mode() & 0o7777, dir.uid(), dir.gid(), dir.mtime()), (0o750, 7, 8, 1_000_000_000));
    assert_eq!(fs::read_link(root.join("etc/link")).unwrap().to_str(), Some("passwd"));
    assert_eq!(fs::symlink_metadata(root.join("etc/link")).unwrap().mtime(), 1_700_000_000);
    assert_eq!(text(&root.join("etc/again")), "root\n");
    assert_eq!((&record["entries"], &record["bytes"], &record["existed"]), (&json!(4), &json!(5), &json!(false)));
    assert_eq!(record["diffId"], json!(sha256(&tar)));
    assert_eq!(record["implied"], json!(["."]));
}

#[test]
fn a_layer_lies_in_a_directory_with_its_record() {
    let mut bench = Bench::new();
    let tar = Tar::new().file("a/b", "x").end();
    let blob = gzip(&tar);
    let record = bench.unpack("a", &blob);
    assert_eq!(names(&bench.scratch.join("layers")), ["a"]);
    let is_index = snapshotter() == "erofs";
    let files: &[&str] =
        if is_index { &["erofs", "layer.json", "tar"] } else { &["fs", "layer.json", "recipe", "tree"] };
    assert_eq!(names(&bench.layer("a")), files);
    assert_eq!(fs::metadata(bench.layer("a")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(bench.fs("a")).unwrap().mode() & 0o7777, 0o755);
    let mut written: serde_json::Value = serde_json::from_str(&text(&bench.layer("a").join("layer.json"))).unwrap();
    let expected = json!({"diffId": sha256(&tar), "digest": sha256(&blob), "size": blob.len(), "entries": 2,
        "bytes": 1, "implied": [".", "a"], "opaqueRoot": false, "archiveSize": tar.len(),
        "snapshotter": snapshotter()});
    let list = written.as_object_mut().unwrap().remove("tree");
    assert_eq!(list.map(|list| list.as_str().unwrap().len()), (!is_index).then_some(64));
    let beside = written.as_object_mut().unwrap().remove("beside").unwrap();
    assert_eq!(beside["recipe"].as_str().map(str::len), (!is_index).then_some(32));
    if is_index {
        assert_eq!(fs::read(bench.layer("a").join("tar")).unwrap(), tar);
    }
    assert_eq!(written, expected);
    written["beside"] = beside;
    written["existed"] = json!(false);
    assert_eq!(written, record);
}

#[test]
fn set_id_bits_survive_the_change_of_owner_needs_root() {
    needs_root!("set_id_bits_survive_the_change_of_owner_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new()
        .entry(b'0', "su", b"data", |header| header.mode(0o4755).owner(5, 6))
        .entry(b'5', "tmp", b"", |header| header.mode(0o1777))
        .entry(b'6', "fifo", b"", |header| header.mode(0o2620).owner(5, 6))
        .end();
    bench.unpack("a", &tar);
    for (name, mode) in [("su", 0o4755), ("tmp", 0o1777), ("fifo", 0o2620)] {
        assert_eq!(fs::metadata(bench.fs("a").join(name)).unwrap().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn devices_and_pipes_are_made_needs_root() {
    needs_root!("devices_and_pipes_are_made_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new()
        .entry(b'3', "null", b"", |header| header.device(1, 3).mode(0o666))
        .entry(b'4', "disk", b"", |header| header.device(259, 70000))
        .entry(b'6', "pipe", b"", |header| header)
        .end();
    bench.unpack("a", &tar);
    let stat = |name: &str| fs::metadata(bench.fs("a").join(name)).unwrap();
    assert!(stat("null").file_type().is_char_device() && stat("null").rdev() == rustix::fs::makedev(1, 3));
    assert_eq!((stat("null").mode() & 0o7777, stat("null").mtime()), (0o666, 1_700_000_000));
    assert!(stat("disk").file_type().is_block_device() && stat("disk").rdev() == rustix::fs::makedev(259, 70000));
    assert!(stat("pipe").file_type().is_fifo());
}

#[test]
fn times_are_exact_to_the_nanosecond() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .pax(&[("mtime", b"1234567890.123456789")])
        .file("f", "x")
        .pax(&[("mtime", b"-1.5")])
        .dir("d")
        .file("d/f", "x")
        .end();
    bench.unpack("a", &tar);
    let times = |name: &str| {
        let stat = fs::metadata(bench.fs("a").join(name)).unwrap();
        (stat.mtime(), stat.mtime_nsec())
    };
    assert_eq!(times("f"), (1_234_567_890, 123_456_789));
    assert_eq!(times("d"), (-2, 500_000_000));
}

#[test]
fn long_names_of_both_formats_are_read() {
    let mut bench = Bench::new();
    let (pax, gnu) = ("p/".repeat(80) + "pax", "g/".repeat(80) + "gnu");
    let prefixed = crate::support::Header::new(b'0', "name").field(345, b"some/prefix");
    let tar = Tar::new()
        .pax(&[("path", pax.as_bytes())])
        .file("short", "1")
        .gnu_long(b'L', &gnu)
        .file("short", "2")
        .gnu_long(b'K', &gnu)
        .symlink("link", "short")
        .pax(&[("linkpath", pax.as_bytes())])
        .symlink("link2", "short")
        .raw(prefixed, b"")
        .end();
    bench.unpack("a", &tar);
    let root = bench.fs("a");
    assert_eq!((text(&root.join(&pax)), text(&root.join(&gnu))), ("1".to_owned(), "2".to_owned()));
    assert_eq!(fs::read_link(root.join("link")).unwrap().to_str(), Some(gnu.as_str()));
    assert_eq!(fs::read_link(root.join("link2")).unwrap().to_str(), Some(pax.as_str()));
    assert!(root.join("some/prefix/name").is_file());
}

#[test]
fn a_global_header_holds_until_an_own_one_says_otherwise_needs_root() {
    needs_root!("a_global_header_holds_until_an_own_one_says_otherwise_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new()
        .extended(b'g', &[("uid", b"3000000"), ("comment", b"x")])
        .file("a", "")
        .pax(&[("uid", b"9")])
        .file("b", "")
        .file("c", "")
        .end();
    bench.unpack("a", &tar);
    let owners = ["a", "b", "c"].map(|name| fs::metadata(bench.fs("a").join(name)).unwrap().uid());
    assert_eq!(owners, [3_000_000, 9, 3_000_000]);
}

#[test]
fn extended_attributes_are_set_with_any_bytes_needs_root() {
    needs_root!("extended_attributes_are_set_with_any_bytes_needs_root");
    let mut bench = Bench::new();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.security.capability", &capability), ("SCHILY.xattr.user.bin", b"\0\n=\xff")])
        .entry(b'0', "ping", b"data", |header| header.owner(1, 1).mode(0o755))
        .pax(&[("LIBARCHIVE.xattr.user.a%20b", b"AAEC"), ("SCHILY.xattr.trusted.note", b"on a directory")])
        .dir("d")
        .pax(&[("SCHILY.xattr.trusted.note", b"on a link"), ("SCHILY.xattr.user.no", b"x")])
        .symlink("l", "d")
        .pax(&[("SCHILY.xattr.trusted.note", b"on a pipe")])
        .entry(b'6', "p", b"", |header| header)
        .end();
    bench.unpack("a", &tar);
    let root = bench.fs("a");
    assert_eq!(xattr(&root.join("ping"), "security.capability").as_deref(), Some(&capability[..]));
    assert_eq!(xattr(&root.join("ping"), "user.bin").as_deref(), Some(&b"\0\n=\xff"[..]));
    assert_eq!(xattr(&root.join("d"), "user.a b").as_deref(), Some(&b"\0\x01\x02"[..]));
    for (name, value) in [("d", "on a directory"), ("l", "on a link"), ("p", "on a pipe")] {
        assert_eq!(xattr(&root.join(name), "trusted.note").as_deref(), Some(value.as_bytes()), "{name}");
    }
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .file("file", "old")
        .file("file", "new")
        .file("to-dir", "x")
        .dir("to-dir")
        .file("to-dir/f", "in it")
        .dir("to-file/deep/deeper")
        .file("to-file/deep/f", "x")
        .file("to-file", "now a file")
        .file("kept/f", "stays")
        .entry(b'5', "kept", b"", |header| header.mode(0o711))
        .end();
    bench.unpack("a", &tar);
    let root = bench.fs("a");
    assert_eq!(text(&root.join("file")), "new");
    assert_eq!(text(&root.join("to-dir/f")), "in it");
    assert_eq!(text(&root.join("to-file")), "now a file");
    assert_eq!(text(&root.join("kept/f")), "stays");
    assert_eq!(fs::metadata(root.join("kept")).unwrap().mode() & 0o777, 0o711);
}

#[test]
fn a_replaced_file_does_not_write_through_its_hard_link() {
    let mut bench = Bench::new();
    let tar = Tar::new().file("a", "first").hard_link("b", "a").file("a", "second").hard_link("b", "b").end();
    bench.unpack("a", &tar);
    assert_eq!(text(&bench.fs("a").join("a")), "second");
    assert_eq!(text(&bench.fs("a").join("b")), "first");
}

#[test]
fn the_root_gets_its_entrys_attributes_needs_root() {
    needs_root!("the_root_gets_its_entrys_attributes_needs_root");
    let mut bench = Bench::new();
    let tar = Tar::new().entry(b'5', "./", b"", |header| header.mode(0o700).owner(3, 4).mtime(5)).file("f", "").end();
    let record = bench.unpack("a", &tar);
    let root = fs::metadata(bench.fs("a")).unwrap();
    assert_eq!((root.mode() & 0o7777, root.uid(), root.gid(), root.mtime()), (0o700, 3, 4, 5));
    assert_eq!(record["implied"], json!([]));
}

#[test]
fn a_directory_may_be_closed_before_it_is_filled() {
    let mut bench = Bench::new();
    let tar = Tar::new().entry(b'5', "d", b"", |header| header.mode(0)).file("d/e/f", "x").end();
    bench.unpack("a", &tar);
    assert_eq!(fs::metadata(bench.fs("a").join("d")).unwrap().mode() & 0o7777, 0);
}

#[test]
fn an_empty_layer_and_a_layer_without_an_end_are_layers() {
    let mut bench = Bench::new();
    bench.unpack("empty", &Tar::new().end());
    bench.unpack("nothing", b"");
    bench.unpack("unended", &Tar::new().file("f", "x").unended());
    assert_eq!(text(&bench.fs("unended").join("f")), "x");
}
