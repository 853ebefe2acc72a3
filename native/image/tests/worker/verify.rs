//! Nothing becomes visible unless it is what was promised.

use crate::support::{Bench, Tar, gzip, hex, names, sha256, text};
use serde_json::{Value, json};
use sha2::Digest;
use std::fs;

fn two_layers(bench: &Bench) -> (Vec<u8>, Value, Value) {
    let tar = Tar::new().file("f", "x").end();
    (tar.clone(), bench.order("a", &tar), bench.order("b", &gzip(&Tar::new().file("g", "y").end())))
}

#[test]
fn a_blob_with_another_digest_is_refused() {
    let mut bench = Bench::new();
    let (tar, mut order, _) = two_layers(&bench);
    order["digest"] = json!(sha256(b"something else"));
    let event = bench.unpack_orders(&json!([order]), &json!({}));
    bench.assert_refused(&event, "digest", &format!("the digest is {}, must be sha256:", sha256(&tar)));
}

#[test]
fn a_blob_of_another_size_is_refused() {
    let mut bench = Bench::new();
    let (tar, mut order, _) = two_layers(&bench);
    for size in [tar.len() - 1, tar.len() + 1, 0] {
        order["size"] = json!(size);
        let event = bench.unpack_orders(&json!([order]), &json!({}));
        bench.assert_refused(&event, "digest", "the size is");
    }
}

#[test]
fn an_archive_with_another_diff_id_is_refused() {
    let mut bench = Bench::new();
    let (_, _, mut order) = two_layers(&bench);
    order["diffId"] = order["digest"].clone();
    let event = bench.unpack_orders(&json!([order]), &json!({}));
    bench.assert_refused(&event, "digest", "the diff id is");
}

#[test]
fn the_diff_id_covers_what_follows_the_end_of_the_archive() {
    let mut bench = Bench::new();
    let mut tar = Tar::new().file("f", "x").end();
    tar.resize(tar.len() + 300_000, b'z');
    let record = bench.unpack("a", &gzip(&tar));
    assert_eq!(record["diffId"], json!(sha256(&tar)));
    assert_eq!(names(&bench.fs("a")), ["f"]);
}

#[test]
fn damage_is_told_as_a_wrong_digest_where_there_is_a_digest() {
    let mut bench = Bench::new();
    let tar = Tar::new().file("f", &"some text ".repeat(9000)).end();
    let mut blob = gzip(&tar);
    let mut order = bench.order("a", &blob);
    let middle = blob.len() / 2;
    blob[middle..middle + 20].fill(0xff);
    bench.scratch.write("source/a.blob", &blob);
    let event = bench.unpack_orders(&json!([order]), &json!({}));
    bench.assert_refused(&event, "digest", "the digest is");
    order["digest"] = Value::Null;
    let event = bench.unpack_orders(&json!([order]), &json!({}));
    bench.assert_refused(&event, "format", "damaged");
}

#[test]
fn gzip_of_several_members_and_zstd_of_several_frames_are_read_to_the_end() {
    let mut bench = Bench::new();
    let tar = Tar::new().file("f", &"text ".repeat(50_000)).file("g", "last").end();
    let parts: Vec<_> = tar.chunks(70_000).collect();
    let members: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
    let frames: Vec<u8> = parts.iter().flat_map(|part| zstd::encode_all(*part, 1).unwrap()).collect();
    // A frame to be passed over, as zstd:chunked puts its table of contents into.
    let skippable = [&frames[..], b"\x50\x2a\x4d\x18\x04\x00\x00\x00toc!"].concat();
    for (name, blob) in [("members", members), ("frames", frames), ("skippable", skippable)] {
        let record = bench.unpack(name, &blob);
        assert_eq!(record["diffId"], json!(sha256(&tar)), "{name}");
        assert_eq!(text(&bench.fs(name).join("g")), "last");
    }
    let garbage = [&gzip(&tar)[..], b"garbage"].concat();
    bench.scratch.write("layers/keep", b"");
    let event = bench.try_unpack("garbage", &garbage);
    assert_eq!((&event["event"], &event["kind"]), (&json!("error"), &json!("format")), "{event}");
}

#[test]
fn other_digests_of_the_specification_are_taken() {
    let mut bench = Bench::new();
    let (tar, mut order, _) = two_layers(&bench);
    order["digest"] = json!(format!("sha512:{}", hex(&sha2::Sha512::digest(&tar))));
    order["diffId"] = json!(sha256(&tar));
    let event = bench.unpack_orders(&json!([order]), &json!({}));
    assert_eq!(event["layers"][0]["digest"], order["digest"], "{event}");
    assert_eq!(event["layers"][0]["diffId"], order["diffId"]);
}

/// CVE-2024-3727.
#[test]
fn what_only_resembles_a_digest_is_refused_before_any_work() {
    let mut bench = Bench::new();
    let (_, order, _) = two_layers(&bench);
    for digest in ["sha256:../../../../etc/passwd", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:ABC", "", "sha256"]
    {
        let mut order = order.clone();
        order["diffId"] = json!(digest);
        let event = bench.unpack_orders(&json!([order]), &json!({}));
        bench.assert_refused(&event, "format", "is not a digest");
    }
}

#[test]
fn when_one_layer_fails_none_is_left() {
    let mut bench = Bench::new();
    let (_, good, mut bad) = two_layers(&bench);
    bad["diffId"] = json!(sha256(b"other"));
    let event = bench.unpack_orders(&json!([good, bad]), &json!({}));
    bench.assert_refused(&event, "digest", "b.blob");
}

#[test]
fn a_layer_that_somebody_else_was_quicker_with_stays_theirs() {
    let mut bench = Bench::new();
    let (_, a, b) = two_layers(&bench);
    fs::create_dir(bench.layer("a")).unwrap();
    let event = bench.unpack_orders(&json!([a, b, b]), &json!({}));
    let existed: Vec<_> = (0..3).map(|at| event["layers"][at]["existed"].clone()).collect();
    assert_eq!(existed, [json!(true), json!(false), json!(true)], "{event}");
    assert_eq!(names(&bench.scratch.join("layers")), ["a", "b"]);
    assert_eq!(names(&bench.layer("a")), Vec::<String>::new());
    assert_eq!(text(&bench.fs("b").join("g")), "y");
}

#[test]
fn many_layers_come_back_in_the_order_of_the_request() {
    let mut bench = Bench::new();
    let tars: Vec<_> = (0..9).map(|n: usize| Tar::new().file("f", &"x".repeat(n * 7919 % 5000)).end()).collect();
    let orders: Vec<_> = tars.iter().enumerate().map(|(n, tar)| bench.order(&format!("l{n}"), &gzip(tar))).collect();
    let event = bench.unpack_orders(&json!(orders), &json!({}));
    for (number, tar) in tars.iter().enumerate() {
        assert_eq!(event["layers"][number]["diffId"], json!(sha256(tar)));
        assert_eq!(text(&bench.fs(&format!("l{number}")).join("f")).len(), number * 7919 % 5000);
    }
}
