//! Registries that fall silent: nobody waits for them longer than was said.

use crate::support::{Scratch, Worker, noise, sha256};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::spawn;
use std::time::{Duration, Instant};

/// The head of a request.
fn head(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        text.push(char::from(byte[0]));
    }
    text.to_ascii_lowercase()
}

/// Gives `blob`, falls silent after `first` bytes of the first answer, and gives the rest to whoever asks again. Its port.
fn silent_after(blob: Vec<u8>, first: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = head(&mut stream);
            let all = blob.len();
            let from = head.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok());
            if let Some(from) = from {
                let range = format!("content-range: bytes {from}-{}/{all}", all - 1);
                let answer = format!("HTTP/1.1 206 x\r\n{range}\r\ncontent-length: {}\r\n\r\n", all - from);
                stream.write_all(answer.as_bytes()).unwrap();
                stream.write_all(&blob[from..]).unwrap();
            } else {
                write!(stream, "HTTP/1.1 200 x\r\ncontent-length: {all}\r\n\r\n").unwrap();
                stream.write_all(&blob[..first]).unwrap();
            }
            open.push(stream);
        }
    });
    port
}

fn network() -> Value {
    json!({"verify": false, "roots": [], "identities": [], "proxies": {"no": []}, "patience": 1})
}

/// All events of the next request, and how long they took.
fn ask(worker: &mut Worker, mut request: Value) -> (Vec<Value>, Duration) {
    request["id"] = json!(1);
    let begun = Instant::now();
    worker.send(&request.to_string());
    let mut events = Vec::new();
    loop {
        events.push(worker.event());
        if matches!(events.last().unwrap()["event"].as_str(), Some("result" | "error")) {
            return (events, begun.elapsed());
        }
    }
}

#[test]
fn a_blob_whose_registry_falls_silent_is_asked_for_again_and_goes_on_where_it_was() {
    let scratch = Scratch::new();
    let blob = noise(50_000).into_bytes();
    let port = silent_after(blob.clone(), 70_000);
    let from = json!({"kind": "registry", "network": network(), "scratch": scratch.path("."),
                      "url": format!("http://127.0.0.1:{port}/v2/x/blobs/y")});
    let order = json!({"digest": sha256(&blob), "size": blob.len(), "from": from, "dest": scratch.path("blob")});
    let request = json!({"do": "gather", "ask": {"threads": 1, "blobs": [order]}});
    let (events, took) = ask(&mut Worker::start(), request);
    assert_eq!(events.last().unwrap()["event"], "result", "{events:?}");
    let retries: Vec<_> = events.iter().filter(|event| event["what"] == "retry").collect();
    assert_eq!(retries.len(), 1, "{events:?}");
    assert!(retries[0]["reason"].as_str().unwrap().ends_with(&format!("127.0.0.1:{port} was silent for 1 s")));
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    assert!(fs::read(scratch.join("blob")).unwrap() == blob);
    assert_eq!(scratch.names(), ["blob"]);
}

#[test]
fn a_document_whose_registry_falls_silent_is_given_up() {
    let mut worker = Worker::start();
    for (first, what) in [(0, "nothing of it has come"), (100, "a part has come")] {
        let port = silent_after(vec![b' '; 1000], first);
        let order = json!({"url": format!("http://127.0.0.1:{port}/v2/"), "limit": 5000, "attempts": 1});
        let (events, took) = ask(&mut worker, json!({"do": "fetch", "network": network(), "ask": order}));
        let error = events.last().unwrap();
        assert_eq!(error["kind"], "network", "{what}: {error}");
        assert!(error["message"].as_str().unwrap().ends_with("was silent for 1 s"), "{what}: {error}");
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
    }
}
