//! One request a line, events in answer, and a process that holds on to no more than it needs.

use crate::support::{Bench, Scratch, Tar, Worker, gzip, names, noise};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_version_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_tsrun-image")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("tsrun-image {}\n", env!("CARGO_PKG_VERSION")));
    let output = Command::new(env!("CARGO_BIN_EXE_tsrun-image")).arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_end_of_the_input_is_the_end_of_the_work() {
    assert_eq!(Worker::start().finish(), Some(0));
}

#[test]
fn a_request_that_is_none_is_answered_and_the_next_one_too() {
    let mut worker = Worker::start();
    let cases = [
        ("nonsense", Value::Null),
        ("[1]", Value::Null),
        ("{}", Value::Null),
        (r#"{"id":7}"#, json!(7)),
        (r#"{"id":7,"do":"dance"}"#, json!(7)),
        (r#"{"id":"x","do":"remove"}"#, json!("x")),
        (r#"{"id":7,"do":"remove","path":"/x/y","unknown":1}"#, json!(7)),
        (r#"{"id":7,"do":"read","source":{"kind":"ftp","path":"/"},"member":"x"}"#, json!(7)),
        (r#"{"id":7,"do":"unpack","source":{"kind":"dir","path":"/"},"layers":[{}]}"#, json!(7)),
    ];
    for (line, id) in cases {
        worker.send(line);
        let event = worker.event();
        assert_eq!((&event["id"], &event["event"], &event["kind"]), (&id, &json!("error"), &json!("format")), "{line}");
        assert!(event["message"].as_str().unwrap().starts_with("Cannot read the request: "), "{event}");
    }
    worker.send(r#"{"id":8,"do":"remove","path":"/nowhere/at/all"}"#);
    assert_eq!(worker.event(), json!({"id": 8, "event": "result"}));
}

#[test]
fn progress_is_told_for_each_layer_up_to_its_end() {
    let mut bench = Bench::new();
    let noise = noise(200_000);
    let (a, b) = (gzip(&Tar::new().file("f", &noise).end()), gzip(&Tar::new().file("g", "x").end()));
    let layers = json!([bench.order("a", &a), bench.order("b", &b)]);
    let request = json!({"do": "unpack", "source": bench.source(), "threads": 2, "layers": layers});
    let (progress, last) = bench.worker.ask_all(request);
    assert_eq!(last["event"], "result", "{last}");
    for (layer, blob) in [(0, &a), (1, &b)] {
        let of_layer: Vec<_> = progress.iter().filter(|event| event["layer"] == json!(layer)).collect();
        let bytes: Vec<_> = of_layer.iter().map(|event| event["bytes"].as_u64().unwrap()).collect();
        assert!(bytes.is_sorted() && bytes.last() == Some(&(blob.len() as u64)), "{bytes:?}");
        assert!(of_layer.iter().all(|event| event["total"] == json!(blob.len())));
    }
}

#[test]
fn the_worker_gives_up_what_it_does_not_need_needs_root() {
    needs_root!("the_worker_gives_up_what_it_does_not_need_needs_root");
    let mut worker = Worker::start();
    worker.send(r#"{"id":1,"do":"remove","path":"/nowhere/at/all"}"#);
    worker.event();
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().to_owned()
    };
    // chown, dac_override, dac_read_search, fowner, fsetid, sys_admin, mknod, setfcap.
    let needed = format!("{:016x}", 0b1_1111_u64 | 1 << 21 | 1 << 27 | 1 << 31);
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(field(name), needed, "{name}");
    }
    assert_eq!((field("CapInh"), field("CapAmb")), ("0".repeat(16), "0".repeat(16)));
    assert_eq!((field("NoNewPrivs"), field("Umask")), ("1".to_owned(), "0000".to_owned()));
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    assert_ne!(namespace(&worker.pid().to_string()), namespace("self"));
}

#[test]
fn a_worker_whose_parent_dies_dies_too() {
    let scratch = Scratch::new();
    let fifo = scratch.path("fifo");
    // The worker holds both ends of its input, so the end of that cannot be what ends it.
    let worker = format!("{} <>{fifo} >{fifo}", env!("CARGO_BIN_EXE_tsrun-image"));
    let script = format!("mkfifo {fifo}; {worker} & echo $!; sleep 0.2; kill -9 $$");
    let output = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output().unwrap();
    let pid = String::from_utf8(output.stdout).unwrap();
    for _ in 0..40 {
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let orphan = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(orphan, rustix::process::Signal::KILL).unwrap();
    panic!("the worker goes on");
}

#[test]
fn a_worker_that_was_killed_leaves_only_a_name_that_is_swept() {
    let mut bench = Bench::new();
    let tar = Tar::new().entry(b'0', "f", &vec![1; 30 << 20], |header| header).end();
    let order = bench.order("a", &tar);
    let request = json!({"id": 1, "do": "unpack", "source": bench.source(), "layers": [order]});
    bench.worker.send(&request.to_string());
    bench.worker.event();
    let killed = rustix::process::Pid::from_raw(i32::try_from(bench.worker.pid()).unwrap()).unwrap();
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    for name in names(&bench.scratch.join("layers")) {
        assert!(name.starts_with(".tmp-") || bench.layer(&name).join("layer.json").is_file(), "{name}");
    }
}
