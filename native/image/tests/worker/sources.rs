//! Reading members of image directories and of archives.

use crate::support::{Scratch, Tar, Worker, gzip, sha256};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

const INDEX: &str = r#"{"schemaVersion":2}"#;

fn archive() -> Tar {
    Tar::new()
        .dir("blobs")
        .file("./index.json", INDEX)
        .file("one/layer.tar", "layer one")
        .symlink("two/layer.tar", "../one/layer.tar")
        .hard_link("three/layer.tar", "one/layer.tar")
        .symlink("evil", "../../../etc/passwd")
}

fn read(worker: &mut Worker, source: &Value, member: &str) -> Value {
    worker.ask(json!({"do": "read", "source": source, "member": member}))
}

#[test]
fn a_text_is_read_with_its_digest_and_size() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("image/index.json", INDEX.as_bytes());
    let tar = scratch.write("image.tar", &archive().end());
    for source in [json!({"kind": "dir", "path": scratch.path("image")}), json!({"kind": "archive", "path": tar})] {
        let event = read(&mut worker, &source, "index.json");
        let expected = json!({"id": event["id"], "event": "result", "text": INDEX, "digest": sha256(INDEX.as_bytes()),
            "size": INDEX.len()});
        assert_eq!(event, expected);
    }
}

#[test]
fn a_compressed_archive_is_decompressed_once_into_a_file_without_a_name() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let zstd = zstd::encode_all(&archive().end()[..], 3).unwrap();
    for (name, bytes) in [("image.tar.gz", gzip(&archive().end())), ("image.tar.zst", zstd)] {
        let source = json!({"kind": "archive", "path": scratch.write(name, &bytes)});
        let without = read(&mut worker, &source, "index.json");
        assert_eq!(without["kind"], json!("io"), "{without}");
        let request = json!({"do": "read", "source": source, "member": "index.json", "scratch": scratch.path(".")});
        assert_eq!(worker.ask(request)["text"], json!(INDEX));
        // By now it is known, and no scratch directory is needed.
        assert_eq!(read(&mut worker, &source, "one/layer.tar")["text"], json!("layer one"));
    }
    assert_eq!(scratch.names(), ["image.tar.gz", "image.tar.zst"]);
}

#[test]
fn an_archive_that_changed_is_read_again() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let source = json!({"kind": "archive", "path": scratch.write("image.tar", &archive().end())});
    assert_eq!(read(&mut worker, &source, "new")["kind"], json!("not-found"));
    scratch.write("image.tar", &archive().file("new", "x").end());
    assert_eq!(read(&mut worker, &source, "new")["text"], json!("x"));
}

#[test]
fn links_of_docker_save_are_followed_inside_the_archive_only() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let source = json!({"kind": "archive", "path": scratch.write("image.tar", &archive().end())});
    for member in ["two/layer.tar", "three/layer.tar"] {
        assert_eq!(read(&mut worker, &source, member)["text"], json!("layer one"));
    }
    assert_eq!(read(&mut worker, &source, "evil")["kind"], json!("unsafe"));
}

#[test]
fn a_member_is_never_looked_for_outside() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("secret", b"secret");
    scratch.write("image/index.json", INDEX.as_bytes());
    scratch.write("image/blobs/real", b"inside");
    symlink("../secret", scratch.join("image/link")).unwrap();
    symlink(scratch.join("secret"), scratch.join("image/absolute")).unwrap();
    symlink("blobs/real", scratch.join("image/inside")).unwrap();
    let dir = json!({"kind": "dir", "path": scratch.path("image")});
    let tar = json!({"kind": "archive", "path": scratch.write("image.tar", &archive().end())});
    for member in ["../secret", "/etc/passwd", "blobs/../../secret", "./index.json", ""] {
        for source in [&dir, &tar] {
            assert_eq!(read(&mut worker, source, member)["kind"], json!("unsafe"), "{member}");
        }
    }
    for member in ["link", "absolute"] {
        assert_eq!(read(&mut worker, &dir, member)["kind"], json!("unsafe"), "{member}");
    }
    assert_eq!(read(&mut worker, &dir, "inside")["text"], json!("inside"));
}

#[test]
fn what_is_missing_is_told_from_what_is_broken() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("image/large", &[b'x'; 5000]);
    scratch.write("image/binary", b"\xff\xfe");
    let dir = json!({"kind": "dir", "path": scratch.path("image")});
    assert_eq!(read(&mut worker, &dir, "gone")["kind"], json!("not-found"));
    assert_eq!(read(&mut worker, &dir, "large/gone")["kind"], json!("not-found"));
    assert_eq!(read(&mut worker, &dir, "binary")["kind"], json!("format"));
    assert_eq!(read(&mut worker, &json!({"kind": "dir", "path": "/nowhere"}), "x")["kind"], json!("io"));
    assert_eq!(read(&mut worker, &json!({"kind": "archive", "path": "/nowhere"}), "x")["kind"], json!("io"));
    let mut request = json!({"do": "read", "source": dir, "member": "large", "limit": 4999});
    let event = worker.ask(request.clone());
    assert_eq!((&event["kind"], &event["event"]), (&json!("limit"), &json!("error")), "{event}");
    request["limit"] = json!(5000);
    assert_eq!(worker.ask(request.clone())["size"], json!(5000));
    request["digest"] = json!(sha256(b"other"));
    assert_eq!(worker.ask(request)["kind"], json!("digest"));
}

#[test]
fn a_pipe_in_an_image_directory_blocks_nobody() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    scratch.write("image/x", b"");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, scratch.join("image/pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let event = read(&mut worker, &json!({"kind": "dir", "path": scratch.path("image")}), "pipe");
    assert_eq!(event["kind"], json!("format"), "{event}");
    let event = read(&mut worker, &json!({"kind": "archive", "path": scratch.path("image/pipe")}), "x");
    assert_eq!(event["kind"], json!("format"), "{event}");
}

#[test]
fn the_members_of_an_archive_are_listed() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let source = json!({"kind": "archive", "path": scratch.write("image.tar", &archive().end())});
    let event = worker.ask(json!({"do": "list", "source": source}));
    let expected = json!(["evil", "index.json", "one/layer.tar", "three/layer.tar", "two/layer.tar"]);
    assert_eq!(event["members"], expected);
}

#[test]
fn a_broken_archive_is_refused() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let whole = archive().end();
    let climbing = Tar::new().file("../index.json", INDEX).end();
    let cases = [(&whole[..1800], "format"), (&b"garbage"[..], "format"), (&climbing, "unsafe")];
    for (bytes, kind) in cases {
        let source = json!({"kind": "archive", "path": scratch.write("image.tar", bytes)});
        let event = read(&mut worker, &source, "index.json");
        assert_eq!(event["kind"], json!(kind), "{event}");
    }
}

#[test]
fn layers_are_unpacked_out_of_an_archive() {
    let (scratch, mut worker) = (Scratch::new(), Worker::start());
    let layer = gzip(&Tar::new().file("f", "from an archive").end());
    let image = Tar::new().entry(b'0', "blobs/layer", &layer, |header| header).symlink("again", "blobs/layer").end();
    let path = scratch.write("image.tar.gz", &gzip(&image));
    let order = |member, name| json!({"member": member, "digest": sha256(&layer), "dest": scratch.path(name)});
    let event = worker.ask(json!({"do": "unpack", "source": {"kind": "archive", "path": path},
        "scratch": scratch.path("."), "threads": 2, "layers": [order("blobs/layer", "a"), order("again", "b")]}));
    assert_eq!(event["event"], json!("result"), "{event}");
    for name in ["a/fs/f", "b/fs/f"] {
        assert_eq!(crate::support::text(&scratch.join(name)), "from an archive");
    }
}
