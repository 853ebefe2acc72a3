//! What GNU tar wrote, unpacked here and by GNU tar: the same trees.

use crate::support::tree::assert_same;
use crate::support::{Bench, gzip, snapshotter};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

/// A tree with one of everything.
fn plant(root: &Path) {
    let long = root.join("long".repeat(30)).join("name".repeat(40));
    for dir in [root.join("usr/lib"), root.join("empty"), root.join("tmp"), long.clone()] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(root.join("usr/lib/small"), "content").unwrap();
    fs::write(root.join("usr/lib/nothing"), "").unwrap();
    fs::write(root.join("usr/lib/block"), [7; 512]).unwrap();
    fs::write(root.join("usr/lib/large"), vec![9; 1_000_001]).unwrap();
    fs::write(long.join("file"), "far away").unwrap();
    fs::write(root.join("usr/naïve\nname"), "odd").unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("x/".repeat(90), root.join("dangling")).unwrap();
    fs::hard_link(root.join("usr/lib/small"), root.join("usr/linked")).unwrap();
    fs::hard_link(long.join("file"), root.join("linked-far")).unwrap();
    for (name, mode) in [("tmp", 0o1777), ("usr/lib/small", 0o4750), ("empty", 0o700), ("usr/lib/block", 0)] {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    std::os::unix::fs::lchown(root.join("usr/lib/large"), Some(1234), Some(2_000_000)).unwrap();
    std::os::unix::fs::lchown(root.join("lib"), Some(5), Some(6)).unwrap();
    fs::set_permissions(root.join("usr/lib/small"), fs::Permissions::from_mode(0o4750)).unwrap();
    let node = |name: &str, kind, device| {
        rustix::fs::mknodat(rustix::fs::CWD, root.join(name), kind, rustix::fs::Mode::from_raw_mode(0o640), device)
            .unwrap();
    };
    node("null", rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    node("disk", rustix::fs::FileType::BlockDevice, rustix::fs::makedev(8, 300));
    node("pipe", rustix::fs::FileType::Fifo, 0);
}

fn plant_xattrs(root: &Path) {
    let none = rustix::fs::XattrFlags::empty();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::fs::lsetxattr(root.join("usr/lib/large"), "security.capability", &capability, none).unwrap();
    rustix::fs::lsetxattr(root.join("usr/lib/large"), "user.binary", b"\0=\n\xff", none).unwrap();
    rustix::fs::lsetxattr(root.join("empty"), "trusted.dir", b"x", none).unwrap();
}

fn tar(arguments: &[&str], dir: &Path) {
    let output = Command::new("tar").args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Packs the tree, unpacks it with both, and compares.
fn compare(options: &[&str], plant: impl FnOnce(&Path)) -> Bench {
    let mut bench = Bench::new();
    let (tree, theirs) = (bench.scratch.join("tree"), bench.scratch.join("theirs"));
    fs::create_dir(&tree).unwrap();
    fs::create_dir(&theirs).unwrap();
    plant(&tree);
    tar(&[options, &["-cf", "../tree.tar", "."]].concat(), &tree);
    tar(&["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "../tree.tar"], &theirs);
    let archive = fs::read(bench.scratch.join("tree.tar")).unwrap();
    bench.unpack("ours", &archive);
    assert_same(&bench.fs("ours"), &theirs);
    bench.unpack("gzipped", &gzip(&archive));
    assert_same(&bench.fs("gzipped"), &theirs);
    bench
}

#[test]
fn every_format_of_gnu_tar_gives_gnu_tars_tree_needs_root() {
    needs_root!("every_format_of_gnu_tar_gives_gnu_tars_tree_needs_root");
    for format in ["--format=gnu", "--format=oldgnu", "--format=posix"] {
        compare(&[format], plant);
    }
}

#[test]
fn attributes_written_by_gnu_tar_are_the_same_needs_root() {
    needs_root!("attributes_written_by_gnu_tar_are_the_same_needs_root");
    compare(&["--format=posix", "--xattrs", "--xattrs-include=*"], |root| {
        plant(root);
        plant_xattrs(root);
    });
}

#[test]
fn formats_without_long_names_are_the_same_needs_root() {
    needs_root!("formats_without_long_names_are_the_same_needs_root");
    for format in ["--format=ustar", "--format=v7"] {
        compare(&[format], |root| {
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::write(root.join("a/b/f"), "content").unwrap();
            symlink("f", root.join("a/b/l")).unwrap();
        });
    }
}

#[test]
fn sparse_files_of_every_format_keep_their_holes_needs_root() {
    needs_root!("sparse_files_of_every_format_keep_their_holes_needs_root");
    let plant = |root: &Path| {
        let file = |name: &str, pieces: &[u64], size| {
            let file = File::create(root.join(name)).unwrap();
            for (number, &at) in pieces.iter().enumerate() {
                file.write_at(format!("piece {number} at {at}").as_bytes(), at).unwrap();
            }
            file.set_len(size).unwrap();
        };
        let many: Vec<u64> = (0..60).map(|number| number * 32_768 + 100).collect();
        file("few", &[0, 1 << 20, 5 << 20], 8 << 20);
        file("many", &many, 3 << 20);
        file("hole", &[], 4 << 20);
        file("end", &[(2 << 20) - 10], 2 << 20);
        fs::write(root.join("after"), "not sparse").unwrap();
    };
    let formats: [&[&str]; 5] = [
        &["--format=gnu"],
        &["--format=oldgnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ];
    for format in formats {
        let bench = compare(&[format, &["--sparse"]].concat(), plant);
        for (name, most) in [("few", 200), ("hole", 0), ("end", 32), ("many", 2000)] {
            let blocks = fs::metadata(bench.fs("ours").join(name)).unwrap().blocks();
            // EROFS counts holes too: there it is the index that must not have them.
            assert!(blocks <= most || snapshotter() == "erofs", "{name} of {format:?} takes {blocks} blocks");
        }
        if snapshotter() == "erofs" {
            let blocks = fs::metadata(bench.layer("ours").join("erofs")).unwrap().blocks();
            assert!(blocks <= 2300, "the index of {format:?} takes {blocks} blocks");
        }
    }
}
