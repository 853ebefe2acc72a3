//! OCI image-spec, layer.md, "Whiteouts", in the form in which overlayfs reads them.

use crate::support::{Bench, Tar, Worker, is_opaque, is_whiteout, names, text};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn a_whiteout_becomes_the_device_0_0_needs_root() {
    needs_root!("a_whiteout_becomes_the_device_0_0_needs_root");
    let mut bench = Bench::new();
    let record = bench.unpack("a", &Tar::new().file("etc/.wh.passwd", "").file(".wh.root", "").end());
    assert_eq!(names(&bench.fs("a")), ["etc", "root"]);
    assert!(is_whiteout(&bench.fs("a").join("root")));
    assert!(is_whiteout(&bench.fs("a").join("etc/passwd")));
    assert_eq!(record["implied"], json!([".", "etc"]));
}

#[test]
fn an_opaque_mark_becomes_an_attribute_wherever_it_stands_needs_root() {
    needs_root!("an_opaque_mark_becomes_an_attribute_wherever_it_stands_needs_root");
    let mut bench = Bench::new();
    let first = Tar::new().dir("a").file("a/.wh..wh..opq", "").dir("a/b").file("a/b/foo", "x").end();
    let last = Tar::new().dir("a").dir("a/b").file("a/b/foo", "x").file("a/.wh..wh..opq", "").end();
    for (name, tar) in [("first", first), ("last", last)] {
        let record = bench.unpack(name, &tar);
        assert!(is_opaque(&bench.fs(name).join("a")) && !is_opaque(&bench.fs(name).join("a/b")));
        assert_eq!(names(&bench.fs(name).join("a")), ["b"]);
        assert_eq!(text(&bench.fs(name).join("a/b/foo")), "x");
        assert_eq!(record["opaqueRoot"], json!(false));
    }
}

#[test]
fn an_entry_of_the_same_layer_survives_its_whiteout_needs_root() {
    needs_root!("an_entry_of_the_same_layer_survives_its_whiteout_needs_root");
    let mut bench = Bench::new();
    let before = Tar::new().file(".wh.x", "").file("x", "here").end();
    let after = Tar::new().file("x", "here").file(".wh.x", "").end();
    let link = Tar::new().file(".wh.x", "").file("y", "here").hard_link("x", "y").end();
    for (name, tar) in [("before", before), ("after", after), ("link", link)] {
        bench.unpack(name, &tar);
        assert_eq!(text(&bench.fs(name).join("x")), "here", "{name}");
    }
}

#[test]
fn a_whiteout_of_a_directory_of_the_same_layer_makes_it_opaque_needs_root() {
    needs_root!("a_whiteout_of_a_directory_of_the_same_layer_makes_it_opaque_needs_root");
    let mut bench = Bench::new();
    let before = Tar::new().file(".wh.x", "").dir("x").file("x/f", "here").end();
    let after = Tar::new().dir("x").file("x/f", "here").file(".wh.x", "").end();
    for (name, tar) in [("before", before), ("after", after)] {
        bench.unpack(name, &tar);
        assert!(is_opaque(&bench.fs(name).join("x")), "{name}");
        assert_eq!(text(&bench.fs(name).join("x/f")), "here", "{name}");
    }
}

#[test]
fn a_directory_without_an_entry_is_not_implied_where_a_whiteout_removed_the_old_one_needs_root() {
    needs_root!("a_directory_without_an_entry_is_not_implied_where_a_whiteout_removed_the_old_one_needs_root");
    let mut bench = Bench::new();
    let before = Tar::new().file("a/.wh.x", "").file("a/x/y/f", "here").end();
    let after = Tar::new().file("a/x/y/f", "here").file("a/.wh.x", "").end();
    for (name, tar) in [("before", before), ("after", after)] {
        let record = bench.unpack(name, &tar);
        let x = bench.fs(name).join("a/x");
        assert!(is_opaque(&x), "{name}");
        assert_eq!((text(&x.join("y/f")).as_str(), fs::metadata(&x).unwrap().mode() & 0o7777), ("here", 0o755));
        assert_eq!(record["implied"], json!([".", "a", "a/x/y"]), "{name}");
    }
}

#[test]
fn a_directory_that_replaces_a_file_does_not_merge_with_lower_layers_needs_root() {
    needs_root!("a_directory_that_replaces_a_file_does_not_merge_with_lower_layers_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &Tar::new().file("x", "").dir("x").file("x/f", "").dir("y").file("y", "").end());
    assert!(is_opaque(&bench.fs("a").join("x")));
    assert!(bench.fs("a").join("y").is_file());
}

#[test]
fn metadata_of_aufs_are_no_files() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .file(".wh..wh.aufs", "x")
        .dir(".wh..wh.plnk")
        .file(".wh..wh.plnk/12.34", "x")
        .file("a/.wh..wh.orph", "x")
        .file("b", "x")
        .end();
    bench.unpack("a", &tar);
    assert_eq!(names(&bench.fs("a")), ["b"]);
}

#[test]
fn an_opaque_root_is_told_for_overlayfs_would_not_see_it_needs_root() {
    needs_root!("an_opaque_root_is_told_for_overlayfs_would_not_see_it_needs_root");
    let mut bench = Bench::new();
    let record = bench.unpack("a", &Tar::new().file(".wh..wh..opq", "").file("f", "x").end());
    assert!(is_opaque(&bench.fs("a")));
    assert_eq!((&record["opaqueRoot"], names(&bench.fs("a"))), (&json!(true), vec!["f".to_owned()]));
}

#[test]
fn the_data_of_a_whiteout_are_passed_over_needs_root() {
    needs_root!("the_data_of_a_whiteout_are_passed_over_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &Tar::new().file(".wh.x", &"x".repeat(5000)).file("f", "after").end());
    assert!(is_whiteout(&bench.fs("a").join("x")));
    assert_eq!(text(&bench.fs("a").join("f")), "after");
}

#[test]
fn in_a_user_namespace_the_mark_is_that_of_userxattr_needs_root() {
    needs_root!("in_a_user_namespace_the_mark_is_that_of_userxattr_needs_root");
    let mut bench = Bench::new();
    bench.worker = Worker::run(Command::new("unshare").args(["-r", env!("CARGO_BIN_EXE_tsrun-image")]));
    bench.unpack("a", &Tar::new().dir("d").file("d/.wh..wh..opq", "").file("d/f", "").file(".wh.w", "").end());
    assert_eq!(crate::support::xattr(&bench.fs("a").join("d"), "user.overlay.opaque").as_deref(), Some(&b"y"[..]));
    assert!(is_whiteout(&bench.fs("a").join("w")));
}
