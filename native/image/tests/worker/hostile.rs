//! One test for each published way to get out of a layer, or into what overlayfs thinks of it.

use crate::support::{Bench, Tar, names, text, xattr};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// A file beside the layers that every attack here would like to reach.
fn with_victim() -> (Bench, String) {
    let bench = Bench::new();
    let victim = bench.scratch.write("victim/file", b"untouched");
    bench.scratch.write("victim/sub/deep/file", b"untouched");
    fs::set_permissions(&victim, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    (bench, victim)
}

fn assert_untouched(bench: &Bench, victim: &str) {
    assert_eq!(text(victim.as_ref()), "untouched");
    assert_eq!(fs::metadata(victim).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(victim).unwrap().nlink(), 1);
    for (dir, content) in [("victim", &["file", "sub"][..]), ("victim/sub", &["deep"]), ("victim/sub/deep", &["file"])]
    {
        assert_eq!(names(&bench.scratch.join(dir)), content);
    }
    assert_eq!(text(&bench.scratch.join("victim/sub/deep/file")), "untouched");
}

#[test]
fn a_name_with_a_parent_step_is_refused() {
    let mut bench = Bench::new();
    for name in ["../victim", "a/../../victim", "..", "a/.."] {
        bench.refuse(&Tar::new().file(name, "x").end(), "unsafe", "'..'");
    }
    bench.refuse(&Tar::new().pax(&[("path", b"../../victim")]).file("f", "x").end(), "unsafe", "'..'");
    bench.refuse(&Tar::new().gnu_long(b'L', "../../victim").file("f", "x").end(), "unsafe", "'..'");
}

/// CVE-2018-15664 and its kin.
#[test]
fn a_link_in_the_way_is_followed_inside_the_layer_only() {
    let (mut bench, victim) = with_victim();
    let outside = bench.scratch.path("victim");
    for target in [outside.as_str(), "../../../victim", "/", "/etc", "../../../../../../../../etc"] {
        let tar = Tar::new().symlink("way", target).file("way/file", "overwritten").end();
        let event = bench.try_unpack("out", &tar);
        if event["event"] == "error" {
            assert_eq!(event["kind"], json!("unsafe"), "{event}");
            continue;
        }
        // `/` and what goes up far enough are the layer's own root.
        assert_eq!(target, "/", "{event}");
        assert_eq!(text(&bench.fs("out").join("file")), "overwritten");
        fs::remove_dir_all(bench.layer("out")).unwrap();
    }
    assert_untouched(&bench, &victim);
}

#[test]
fn a_link_far_up_in_the_way_is_not_followed_either() {
    let (mut bench, victim) = with_victim();
    let outside = bench.scratch.path("victim");
    let start = || Tar::new().dir("a").symlink("a/way", &outside);
    let attacks = [
        start().file("a/way/sub/file", "x"),
        start().file("a/way/sub/deep/file", "x"),
        start().dir("a/way/sub/deep"),
        start().file("a/way/sub/.wh.deep", ""),
        start().file("a/way/sub/.wh..wh..opq", ""),
        start().hard_link("l", "a/way/sub/deep/file"),
        start().file("f", "x").hard_link("a/way/sub/l", "f"),
        start().symlink("a/way/sub/l", "f"),
        start().entry(b'6', "a/way/sub/pipe", b"", |header| header),
    ];
    for attack in attacks {
        bench.refuse(&attack.end(), "unsafe", "no directory of this layer");
    }
    assert_untouched(&bench, &victim);
}

#[test]
fn a_link_to_a_directory_of_the_layer_leads_there() {
    let mut bench = Bench::new();
    let tar = Tar::new()
        .dir("usr/lib")
        .symlink("lib", "usr/lib")
        .symlink("abs", "/usr/../usr/./lib/../lib")
        .symlink("usr/up", "../../../lib")
        .file("lib/a/1", "one")
        .file("abs/2", "two")
        .file("usr/up/3", "three")
        .entry(b'5', "lib/a", b"", |header| header.mode(0o700))
        .hard_link("lib/4", "abs/2")
        .end();
    let record = bench.unpack("a", &tar);
    let lib = bench.fs("a").join("usr/lib");
    assert_eq!(names(&lib), ["2", "3", "4", "a"]);
    assert_eq!(text(&lib.join("a/1")), "one");
    assert_eq!(fs::metadata(lib.join("a")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(record["implied"], json!([".", "usr"]));
}

#[test]
fn a_link_to_nothing_or_in_a_circle_is_no_directory() {
    let mut bench = Bench::new();
    let dangling = Tar::new().symlink("lib", "usr/lib").file("lib/f", "x").end();
    bench.refuse(&dangling, "unsafe", "no directory of this layer");
    let circle = Tar::new().symlink("a", "b").symlink("b", "a").file("a/f", "x").end();
    bench.refuse(&circle, "unsafe", "too many links");
    let through_file = Tar::new().file("a", "x").file("a/f", "x").end();
    bench.refuse(&through_file, "unsafe", "no directory of this layer");
}

/// CVE-2025-47290: a directory was checked, then replaced by a link in the middle of the archive.
#[test]
fn a_directory_replaced_by_a_link_is_looked_up_again() {
    let (mut bench, victim) = with_victim();
    let outside = bench.scratch.path("victim");
    let tar = Tar::new().dir("a/b").file("a/b/1", "x").symlink("a/b", &outside).file("a/b/file", "overwritten").end();
    bench.refuse(&tar, "unsafe", "no directory of this layer");
    let tar = Tar::new().dir("a/b").file("a/b/1", "x").symlink("a", &outside).file("a/b/2", "x").end();
    bench.refuse(&tar, "unsafe", "no directory of this layer");
    let tar = Tar::new().dir("a").dir("b").file("a/1", "x").symlink("a", "b").file("a/2", "x").end();
    bench.unpack("inside", &tar);
    assert_eq!(names(&bench.fs("inside").join("b")), ["2"]);
    assert_untouched(&bench, &victim);
}

/// CVE-2026-17106, CVE-2026-26960 and others.
#[test]
fn a_hard_link_joins_two_names_of_one_layer_and_nothing_else() {
    let (mut bench, victim) = with_victim();
    let outside = bench.scratch.path("victim");
    bench.refuse(&Tar::new().hard_link("l", "../../victim/file").end(), "unsafe", "'..'");
    bench.refuse(&Tar::new().hard_link("l", &victim).end(), "unsafe", "not in this layer");
    bench.refuse(&Tar::new().hard_link("l", "missing").end(), "unsafe", "not in this layer");
    bench.refuse(&Tar::new().hard_link("l", "/").end(), "unsafe", "it is the root");
    let through = Tar::new().symlink("way", &outside).hard_link("l", "way/file").end();
    bench.refuse(&through, "unsafe", "no directory of this layer");
    let chain = Tar::new().symlink("one", &outside).symlink("two", "one").hard_link("l", "two/file").end();
    bench.refuse(&chain, "unsafe", "no directory of this layer");
    assert_untouched(&bench, &victim);
}

#[test]
fn a_hard_link_to_a_directory_is_refused() {
    let mut bench = Bench::new();
    bench.refuse(&Tar::new().dir("d").hard_link("l", "d").end(), "unsafe", "it is a directory");
}

#[test]
fn a_hard_link_to_a_link_is_the_link_and_not_what_it_leads_to() {
    let (mut bench, victim) = with_victim();
    let tar = Tar::new().symlink("s", &victim).hard_link("l", "s").hard_link("m", "s").file("m", "overwritten").end();
    bench.unpack("a", &tar);
    let stat = |name: &str| fs::symlink_metadata(bench.fs("a").join(name)).unwrap();
    assert!(stat("l").is_symlink() && stat("l").ino() == stat("s").ino());
    assert_eq!(text(&bench.fs("a").join("m")), "overwritten");
    assert_untouched(&bench, &victim);
}

/// CVE-2021-32760, RUSTSEC-2026-0067.
#[test]
fn metadata_of_a_link_stay_with_the_link_needs_root() {
    needs_root!("metadata_of_a_link_stay_with_the_link_needs_root");
    let (mut bench, victim) = with_victim();
    let before = fs::metadata(&victim).unwrap();
    let tar = Tar::new()
        .pax(&[("SCHILY.xattr.user.mark", b"x")])
        .entry(b'2', "l", b"", |header| header.link(&victim).mode(0o777).owner(12, 34))
        .entry(b'5', "l", b"", |header| header.mode(0o777))
        .pax(&[("SCHILY.xattr.user.mark", b"x")])
        .entry(b'2', "m", b"", |header| header.link(&victim).mode(0o4777))
        .end();
    bench.unpack("a", &tar);
    let after = fs::metadata(&victim).unwrap();
    assert_eq!((after.mode(), after.uid(), after.mtime()), (before.mode(), before.uid(), before.mtime()));
    assert_eq!(xattr(victim.as_ref(), "user.mark"), None);
    assert!(bench.fs("a").join("l").is_dir());
    assert_untouched(&bench, &victim);
}

#[test]
fn a_file_is_not_written_through_a_link_of_its_name() {
    let (mut bench, victim) = with_victim();
    bench.unpack("a", &Tar::new().symlink("f", &victim).file("f", "overwritten").end());
    assert_eq!(text(&bench.fs("a").join("f")), "overwritten");
    assert_untouched(&bench, &victim);
}

/// CVE-2021-29136.
#[test]
fn the_root_stays_a_directory() {
    let mut bench = Bench::new();
    for name in ["/", "./", ".", "./."] {
        bench.refuse(&Tar::new().symlink(name, "/etc").end(), "unsafe", "root is not a directory");
        bench.refuse(&Tar::new().hard_link(name, "x").end(), "unsafe", "root is not a directory");
        bench.refuse(&Tar::new().entry(b'6', name, b"", |header| header).end(), "unsafe", "root is not a directory");
    }
    bench.refuse(&Tar::new().file(".", "x").end(), "unsafe", "root is not a directory");
}

/// containerd 384d46d8, umoci 635306a3.
#[test]
fn a_whiteout_that_names_no_file_is_refused() {
    let (mut bench, victim) = with_victim();
    for name in [".wh.", "a/.wh.", ".wh..", ".wh...", "a/.wh..."] {
        bench.refuse(&Tar::new().file(name, "").end(), "unsafe", "names no file");
    }
    let outside = bench.scratch.path("victim");
    let through = Tar::new().symlink("way", &outside).file("way/.wh.file", "").end();
    bench.refuse(&through, "unsafe", "no directory of this layer");
    let opaque = Tar::new().symlink("way", &outside).file("way/.wh..wh..opq", "").end();
    bench.refuse(&opaque, "unsafe", "no directory of this layer");
    bench.refuse(&Tar::new().file(".wh.dir/f", "").end(), "unsafe", "whiteout as a directory");
    assert_untouched(&bench, &victim);
}

/// storage 3543e368 and 30636358: overlayfs believes what it finds in a layer.
#[test]
fn attributes_of_overlayfs_are_dropped_needs_root() {
    needs_root!("attributes_of_overlayfs_are_dropped_needs_root");
    let mut bench = Bench::new();
    let hostile: [(&str, &[u8]); 5] = [
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.user.overlay.metacopy", b""),
        ("LIBARCHIVE.xattr.trusted%2Eoverlay%2Eopaque", b"eQ"),
        ("SCHILY.xattr.user.kept", b"x"),
    ];
    bench.unpack("a", &Tar::new().pax(&hostile).dir("d").pax(&hostile).file("f", "").end());
    for name in ["d", "f"] {
        let path = bench.fs("a").join(name);
        assert_eq!(rustix::fs::llistxattr(&path, &mut [0; 1000]).unwrap(), "user.kept\0".len());
    }
}

#[test]
fn the_device_that_overlayfs_takes_for_a_whiteout_is_refused() {
    let mut bench = Bench::new();
    bench.refuse(&Tar::new().entry(b'3', "etc", b"", |header| header.device(0, 0)).end(), "unsafe", "0:0");
    // The kernel has 12 bits for the first number: this one would be cut to 0:0.
    bench.refuse(&Tar::new().entry(b'3', "etc", b"", |header| header.device(4096, 0)).end(), "format", "out of range");
    bench.refuse(
        &Tar::new().entry(b'3', "etc", b"", |header| header.device(0, 1 << 20)).end(),
        "format",
        "out of range",
    );
    bench.refuse(&Tar::new().file(".wh.a", "").hard_link("etc", "a").end(), "unsafe", "this layer removes it");
}
