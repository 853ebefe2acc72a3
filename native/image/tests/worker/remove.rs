//! Removal takes a tree, all of it, and nothing else.

use crate::support::{Scratch, Worker, names};
use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

fn remove(worker: &mut Worker, path: &str) -> Value {
    worker.ask(json!({"do": "remove", "path": path}))
}

#[test]
fn a_tree_is_removed_and_what_its_links_lead_to_is_not() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("kept/file", b"");
    scratch.write("tree/a/b/c", b"");
    symlink("../kept", scratch.join("tree/link")).unwrap();
    symlink("../../kept/file", scratch.join("tree/a/link")).unwrap();
    let event = remove(&mut worker, &scratch.path("tree"));
    assert_eq!(event["event"], "result", "{event}");
    assert_eq!(scratch.names(), ["kept"]);
    assert_eq!(names(&scratch.join("kept")), ["file"]);
}

#[test]
fn what_is_missing_is_removed_already() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    for name in ["gone", "gone/deeper"] {
        assert_eq!(remove(&mut worker, &scratch.path(name))["event"], "result");
    }
}

#[test]
fn only_a_directory_at_an_absolute_path_is_removed() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("tree/file", b"");
    symlink("tree", scratch.join("link")).unwrap();
    for path in [scratch.path("tree/file"), scratch.path("link")] {
        let event = remove(&mut worker, &path);
        assert!(event["message"].as_str().unwrap().contains("not a directory"), "{event}");
    }
    for path in ["", "/", "tree", "/tmp/..", "/tmp/."] {
        assert_eq!(remove(&mut worker, path)["kind"], json!("format"), "{path}");
    }
    assert_eq!(scratch.names(), ["link", "tree"]);
}

#[test]
fn a_tree_deeper_than_any_path_is_removed() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    fs::create_dir(scratch.join("tree")).unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut dir = open(scratch.join("tree"), flags, Mode::empty()).unwrap();
    for _ in 0..3000 {
        for name in ["deeper", "beside"] {
            mkdirat(&dir, name, Mode::RWXU).unwrap();
        }
        dir = openat(&dir, "deeper", flags, Mode::empty()).unwrap();
    }
    let event = remove(&mut worker, &scratch.path("tree"));
    assert_eq!(event["event"], "result", "{event}");
    assert_eq!(scratch.names(), Vec::<String>::new());
}

#[test]
fn a_directory_of_many_names_is_removed() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    for number in 0..5000 {
        scratch.write(&format!("tree/some/file-with-a-name-of-its-own-{number}"), b"");
    }
    assert_eq!(remove(&mut worker, &scratch.path("tree"))["event"], "result");
    assert_eq!(scratch.names(), Vec::<String>::new());
}

#[test]
fn what_is_mounted_in_a_tree_is_not_emptied_needs_root() {
    needs_root!("what_is_mounted_in_a_tree_is_not_emptied_needs_root");
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.join("tree/mount")).unwrap();
    scratch.write("kept/file", b"");
    // The worker's mounts are a copy of those at its start.
    let request = json!({"id": 1, "do": "remove", "path": scratch.path("tree")});
    let script = format!(
        "mount --bind {0}/kept {0}/tree/mount && echo '{request}' | {1}; ls {0}/tree/mount",
        scratch.0.display(),
        env!("CARGO_BIN_EXE_tsrun-image")
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.contains("mount is a mount point") && output.ends_with("file\n"), "{output}");
}
