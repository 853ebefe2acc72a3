//! A layer is what was unpacked, down to the last bit, or it is told what differs.

use crate::support::{Bench, Tar, is_opaque, is_whiteout};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, makedev, mknodat, setxattr, utimensat,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;

/// Of every kind that there is.
fn layer() -> Vec<u8> {
    Tar::new()
        .dir("etc/")
        .file("etc/passwd", "root:x:0:0\n")
        .file("etc/empty", "")
        .entry(b'0', "su", b"data", |header| header.mode(0o4755).owner(5, 6))
        .symlink("link", "etc/passwd")
        .file("one", "linked")
        .hard_link("two", "one")
        .entry(b'6', "pipe", b"", |header| header)
        .entry(b'3', "null", b"", |header| header.device(1, 3))
        .file("etc/.wh.gone", "")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/x", "x")
        .pax(&[("SCHILY.xattr.user.note", b"a note")])
        .file("noted", "n")
        .end()
}

fn check(bench: &mut Bench, names: &[&str], repair: bool) -> Vec<Value> {
    let layers: Vec<_> = names.iter().map(|name| bench.layer(name)).collect();
    let answer = bench.worker.ask(json!({"do": "check", "layers": layers, "repair": repair, "threads": 2}));
    answer["layers"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

fn findings(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().unwrap().iter().map(|finding| finding.as_str().unwrap()).collect()
}

#[test]
fn a_layer_as_it_was_unpacked_is_whole_needs_root() {
    needs_root!("a_layer_as_it_was_unpacked_is_whole_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &layer());
    // Something is replaced, and with it a name of a file that has two.
    let replaced = Tar::new().file("a", "1").hard_link("b", "a").file("a", "2").symlink("c", "a").file("c", "3").end();
    bench.unpack("b", &replaced);
    for verdict in check(&mut bench, &["a", "b"], false) {
        assert_eq!(verdict, json!({"findings": [], "count": 0, "whole": true}));
    }
}

/// What is done to the tree, and what is said of it.
type Damage = (fn(&Path), &'static [&'static str]);

fn clock(path: &Path) {
    let time = Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Times of directories that change with what is in them are left out.
const DAMAGES: &[Damage] = &[
    (
        |fs| fs::File::options().write(true).open(fs.join("one")).unwrap().write_all_at(b"L", 0).unwrap(),
        &["one: content differs"],
    ),
    (
        |fs| fs::File::options().write(true).open(fs.join("etc/passwd")).unwrap().set_len(3).unwrap(),
        &["etc/passwd: size is 3, not 11"],
    ),
    (
        |fs| fs::set_permissions(fs.join("su"), fs::Permissions::from_mode(0o755)).unwrap(),
        &["su: mode is 0755, not 4755"],
    ),
    (|fs| chown(fs.join("etc"), Some(7), Some(8)).unwrap(), &["etc: owner is 7:8, not 0:0"]),
    (|fs| clock(&fs.join("link")), &["link: time differs"]),
    (
        |fs| setxattr(fs.join("noted"), "user.note", b"b note", XattrFlags::empty()).unwrap(),
        &["noted: extended attributes differ"],
    ),
    (
        |fs| setxattr(fs.join("etc/empty"), "user.more", b"", XattrFlags::empty()).unwrap(),
        &["etc/empty: extended attributes differ"],
    ),
    (
        |fs| rustix::fs::removexattr(fs.join("opaque"), "trusted.overlay.opaque").unwrap(),
        &["opaque: extended attributes differ"],
    ),
    (|fs| fs::remove_file(fs.join("etc/passwd")).unwrap(), &["etc/passwd: is missing"]),
    (|fs| fs::remove_file(fs.join("etc/gone")).unwrap(), &["etc/gone: is missing"]),
    (|fs| fs::remove_dir_all(fs.join("opaque")).unwrap(), &["opaque: is missing", "opaque/x: is missing"]),
    (|fs| fs::write(fs.join("etc/more"), "").unwrap(), &["etc/more: does not belong there"]),
    (|fs| fs::create_dir_all(fs.join("deep/er/still")).unwrap(), &["deep: does not belong there"]),
    (
        |fs| {
            fs::remove_file(fs.join("link")).unwrap();
            symlink("etc/shadow", fs.join("link")).unwrap();
        },
        &["link: content differs"],
    ),
    (
        |fs| {
            fs::remove_file(fs.join("null")).unwrap();
            mknodat(CWD, fs.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o644), makedev(1, 5))
                .unwrap();
        },
        &["null: content differs"],
    ),
    (
        |fs| {
            fs::remove_file(fs.join("pipe")).unwrap();
            fs::create_dir(fs.join("pipe")).unwrap();
        },
        &["pipe: is another kind of file"],
    ),
    (|fs| fs::write(fs.join("../layer.json"), "{}").unwrap(), &["layer.json: is damaged"]),
    (|fs| fs::remove_file(fs.join("../layer.json")).unwrap(), &["layer.json: is damaged"]),
    (|fs| fs::write(fs.join("../more"), "").unwrap(), &["more: does not belong beside fs"]),
    (|fs| fs::write(fs.join("../tree"), "d 755").unwrap(), &["tree: the list of files is damaged"]),
];

#[test]
fn damage_of_every_kind_is_found_and_mended_with_what_another_layer_has_needs_root() {
    needs_root!("damage_of_every_kind_is_found_and_mended_with_what_another_layer_has_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &layer());
    bench.unpack("other", &Tar::new().file("elsewhere", "root:x:0:0\n").file("x", "x").file("y", "linked").end());
    for (number, (damage, said)) in DAMAGES.iter().enumerate() {
        damage(&bench.fs("a"));
        let verdicts = check(&mut bench, &["a", "other"], false);
        let found = findings(&verdicts[0]);
        assert!(said.iter().all(|wanted| found.iter().any(|text| text.starts_with(wanted))), "{number}: {found:?}");
        assert!(verdicts[1]["whole"] == true, "{number}");
        assert!(check(&mut bench, &["a", "other"], true)[0]["whole"] == true, "{number} {said:?} is mended");
        assert!(check(&mut bench, &["a"], false)[0]["whole"] == true, "{number} {said:?} stays mended");
    }
    assert!(is_opaque(&bench.fs("a").join("opaque")) && is_whiteout(&bench.fs("a").join("etc/gone")));
    assert_eq!(fs::read(bench.fs("a").join("two")).unwrap(), b"linked");
}

#[test]
fn a_content_that_no_layer_has_is_not_made_up_needs_root() {
    needs_root!("a_content_that_no_layer_has_is_not_made_up_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &layer());
    fs::write(bench.fs("a").join("etc/passwd"), "root:x:0:1\n").unwrap();
    assert!(check(&mut bench, &["a"], true)[0]["whole"] == false);
    assert_eq!(fs::read(bench.fs("a").join("etc/passwd")).unwrap(), b"root:x:0:1\n");
}

#[test]
fn a_recipe_that_is_damaged_is_found_and_not_made_up() {
    let change = |file: &Path| fs::File::options().write(true).open(file).unwrap().write_all_at(b"!", 9).unwrap();
    let remove = |file: &Path| fs::remove_file(file).unwrap();
    for (name, damage) in [("recipe", change as fn(&Path)), ("recipe", remove), ("kept", remove)] {
        let mut bench = Bench::new();
        bench.unpack("a", &Tar::new().file("twice", "first").file("twice", "second").end());
        damage(&bench.layer("a").join(name));
        for repair in [false, true] {
            let verdict = check(&mut bench, &["a"], repair)[0].clone();
            assert_eq!(findings(&verdict), [format!("{name}: is missing or damaged")]);
            assert!(verdict["whole"] == false);
        }
    }
}

#[test]
fn a_list_is_not_renewed_from_files_that_have_changed_needs_root() {
    needs_root!("a_list_is_not_renewed_from_files_that_have_changed_needs_root");
    let mut bench = Bench::new();
    bench.unpack("a", &layer());
    fs::remove_file(bench.layer("a").join("tree")).unwrap();
    fs::set_permissions(bench.fs("a").join("su"), fs::Permissions::from_mode(0o777)).unwrap();
    for _ in 0..2 {
        assert!(check(&mut bench, &["a"], true)[0]["whole"] == false);
    }
}

#[test]
fn a_sparse_file_is_known_by_its_data_whatever_becomes_of_its_holes() {
    let mut bench = Bench::new();
    let map = b"1\n1048576\n512\n";
    let mut data = map.to_vec();
    data.resize(512, 0);
    data.extend([b'x'; 512]);
    let keys: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"holes"),
        ("GNU.sparse.realsize", b"4194304"),
    ];
    bench.unpack("a", &Tar::new().pax(&keys).entry(b'0', "x", &data, |header| header).end());
    let file = fs::File::options().write(true).open(bench.fs("a").join("holes")).unwrap();
    let time = fs::metadata(bench.fs("a").join("holes")).unwrap().modified().unwrap();
    file.write_all_at(&vec![0; 65536], 0).unwrap();
    file.set_modified(time).unwrap();
    assert!(check(&mut bench, &["a"], false)[0]["whole"] == true);
    file.write_all_at(b"y", 5).unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(findings(&check(&mut bench, &["a"], false)[0]), ["holes: content differs"]);
}
