//! Layers that were unpacked apart look right when they are stacked, as an overlay and as a copy.

use crate::support::tree::{assert_same, describe};
use crate::support::{Bench, Tar, names, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

/// Layers, lowest first, and what is asked for on top of them.
struct Stack {
    bench: Bench,
    layers: Vec<String>,
}

impl Stack {
    fn of(tars: Vec<Tar>) -> Self {
        let mut bench = Bench::new();
        let mut layers = Vec::new();
        for (number, tar) in tars.into_iter().enumerate() {
            let name = format!("l{number}");
            bench.unpack(&name, &tar.end());
            layers.push(bench.layer(&name).to_str().unwrap().to_owned());
        }
        Self { bench, layers }
    }

    /// Makes the extra layer; says whether it is needed.
    fn mend(&mut self) -> bool {
        let dest = self.bench.scratch.path("layers/top");
        let event = self.bench.worker.ask(json!({"do": "stack", "layers": self.layers, "dest": dest}));
        assert_eq!(event["event"], "result", "{event}");
        let needed = event["needed"] == json!(true);
        assert_eq!(Path::new(&dest).exists(), needed);
        if needed {
            self.layers.push(dest);
        }
        needed
    }

    fn merge(&mut self) -> Value {
        let dest = self.bench.scratch.path("flat");
        self.bench.worker.ask(json!({"do": "merge", "layers": self.layers, "dest": dest}))
    }

    /// The flat copy, after seeing that an overlay of the layers shows the same.
    fn merged(&mut self) -> std::path::PathBuf {
        let event = self.merge();
        assert_eq!(event["event"], "result", "{event}");
        let flat = self.bench.scratch.join("flat");
        assert_eq!(listing(&flat), self.overlay());
        flat
    }

    /// What an overlay of the layers shows, in a mount namespace that ends with the command.
    fn overlay(&self) -> BTreeSet<String> {
        let lower: Vec<_> = self.layers.iter().rev().map(|layer| format!("{layer}/fs")).collect();
        let empty = self.bench.scratch.path("empty");
        fs::create_dir_all(&empty).unwrap();
        let mount = self.bench.scratch.path("mount");
        fs::create_dir_all(&mount).unwrap();
        let script = format!(
            "mount -t overlay overlay -o ro,lowerdir={}:{empty} {mount} && cd {mount} && {FIND}",
            lower.join(":")
        );
        let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lines(&output.stdout)
    }
}

const FIND: &str = r"find . -printf '%p %y %m %U:%G %T@ %l\n'";

fn listing(dir: &Path) -> BTreeSet<String> {
    lines(&Command::new("sh").args(["-c", FIND]).current_dir(dir).output().unwrap().stdout)
}

fn lines(output: &[u8]) -> BTreeSet<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

fn dir(tar: Tar, name: &str, mode: u64, seconds: u64) -> Tar {
    tar.entry(b'5', name, b"", |header| header.mode(mode).owner(seconds, seconds).mtime(seconds))
}

fn look(path: &Path) -> (u32, u32, i64) {
    let stat = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (stat.mode() & 0o7777, stat.uid(), stat.mtime())
}

#[test]
fn a_directory_without_an_entry_looks_as_the_layers_below_say_needs_root() {
    needs_root!("a_directory_without_an_entry_looks_as_the_layers_below_say_needs_root");
    let root = Tar::new().pax(&[("mtime", b"7.000000009")]).entry(b'5', "root", b"", |header| header.mode(0o700));
    let base = dir(dir(root, "tmp", 0o1777, 11), "opt/app", 0o750, 12).pax(&[("SCHILY.xattr.user.a", b"b")]);
    let base = dir(base, "srv", 0o711, 13).file("root/old", "");
    let upper = Tar::new().file("root/.note", "").file("tmp/left", "").file("opt/app/x", "").file("srv/y", "");
    let mut stack = Stack::of(vec![base, upper]);
    assert!(stack.mend());
    let flat = stack.merged();
    assert_eq!(look(&flat.join("root")), (0o700, 0, 7));
    assert_eq!(fs::metadata(flat.join("root")).unwrap().mtime_nsec(), 9);
    assert_eq!(look(&flat.join("tmp")), (0o1777, 11, 11));
    assert_eq!(look(&flat.join("opt/app")), (0o750, 12, 12));
    assert_eq!(look(&flat.join("opt")), (0o755, 0, 0));
    assert_eq!(crate::support::xattr(&flat.join("srv"), "user.a").as_deref(), Some(&b"b"[..]));
    assert_eq!(names(&flat.join("root")), [".note", "old"]);
}

#[test]
fn nothing_is_made_where_nothing_is_to_mend_needs_root() {
    needs_root!("nothing_is_made_where_nothing_is_to_mend_needs_root");
    let base = dir(dir(Tar::new(), "./", 0o755, 5), "etc", 0o700, 6);
    let upper = dir(dir(Tar::new(), "./", 0o755, 8), "etc", 0o711, 9).file("etc/x", "").file("new/y", "");
    assert!(!Stack::of(vec![base.clone(), upper]).mend());
    assert!(!Stack::of(vec![base]).mend());
}

#[test]
fn the_nearest_entry_counts_and_a_higher_one_ends_the_matter_needs_root() {
    needs_root!("the_nearest_entry_counts_and_a_higher_one_ends_the_matter_needs_root");
    let far = dir(dir(Tar::new(), "a", 0o700, 1), "b", 0o700, 1);
    let near = dir(Tar::new(), "a", 0o711, 2);
    let gap = Tar::new().file("a/x", "").file("b/x", "");
    let above = dir(Tar::new(), "b", 0o750, 4);
    let mut stack = Stack::of(vec![far, near, gap, above]);
    assert!(stack.mend());
    let flat = stack.merged();
    assert_eq!((look(&flat.join("a")), look(&flat.join("b"))), ((0o711, 2, 2), (0o750, 4, 4)));
    assert_eq!(names(&stack.bench.scratch.join("layers/top/fs")), ["a"]);
}

#[test]
fn what_a_layer_in_between_removed_or_replaced_gives_no_attributes_needs_root() {
    needs_root!("what_a_layer_in_between_removed_or_replaced_gives_no_attributes_needs_root");
    let mut base = Tar::new();
    for name in ["white", "opaque", "opaque/in", "file", "link", "same"] {
        base = dir(base, name, 0o700, 1);
    }
    let between = Tar::new()
        .file(".wh.white", "")
        .dir("opaque")
        .file("opaque/.wh..wh..opq", "")
        .file("file", "")
        .symlink("link", "opaque");
    let upper = Tar::new().file("white/x", "").file("opaque/in/x", "").file("file/x", "").file("link/x", "");
    let upper = upper.file("same/.wh..wh..opq", "").file("same/x", "");
    let mut stack = Stack::of(vec![base, between, upper]);
    stack.mend();
    let flat = stack.merged();
    for name in ["white", "opaque/in", "file", "link"] {
        assert_eq!(look(&flat.join(name)), (0o755, 0, 0), "{name}");
    }
    // An opaque mark removes what is in the directory, not the directory.
    assert_eq!(look(&flat.join("same")), (0o700, 1, 1));
}

#[test]
fn a_directory_that_a_higher_layer_removed_is_not_brought_back_needs_root() {
    needs_root!("a_directory_that_a_higher_layer_removed_is_not_brought_back_needs_root");
    let base = dir(dir(dir(Tar::new(), "a", 0o700, 1), "a/b", 0o700, 2), "c", 0o700, 3);
    let middle = Tar::new().file("a/b/x", "").file("c/x", "").file("d/x", "");
    let upper = Tar::new().file("a/.wh.b", "").file("c", "a file").file(".wh.d", "");
    let mut stack = Stack::of(vec![base, middle, upper]);
    stack.mend();
    let flat = stack.merged();
    assert_eq!(names(&flat), ["a", "c"]);
    assert_eq!((names(&flat.join("a")), text(&flat.join("c"))), (vec![], "a file".to_owned()));
    assert_eq!(look(&flat.join("a")), (0o700, 1, 1));
}

#[test]
fn a_copy_is_the_tree_that_the_layers_make_together_needs_root() {
    needs_root!("a_copy_is_the_tree_that_the_layers_make_together_needs_root");
    let base = Tar::new()
        .dir("./")
        .dir("etc")
        .file("etc/passwd", "old")
        .file("etc/gone", "")
        .dir("all/sub")
        .file("all/sub/gone", "")
        .file("became-dir", "")
        .dir("became-file")
        .file("became-file/x", "")
        .entry(b'3', "null", b"", |header| header.device(1, 3));
    let upper = Tar::new()
        .dir("./")
        .pax(&[("SCHILY.xattr.trusted.x", b"y"), ("mtime", b"99.000000001")])
        .entry(b'0', "etc/passwd", b"new", |header| header.mode(0o4711).owner(3, 4))
        .file("etc/.wh.gone", "")
        .file("all/.wh..wh..opq", "")
        .file("all/kept", "")
        .dir("became-dir")
        .file("became-file", "")
        .hard_link("etc/passwd-", "etc/passwd")
        .pax(&[("SCHILY.xattr.trusted.x", b"z")])
        .symlink("link", "etc")
        .entry(b'6', "pipe", b"", |header| header.mode(0o620));
    let mut stack = Stack::of(vec![base, upper]);
    stack.mend();
    let flat = stack.merged();
    assert_eq!(names(&flat), ["all", "became-dir", "became-file", "etc", "link", "null", "pipe"]);
    assert_eq!(
        (names(&flat.join("etc")), names(&flat.join("all"))),
        (vec!["passwd".into(), "passwd-".into()], vec!["kept".to_owned()])
    );
    let tree = describe(&flat);
    assert!(
        tree["etc/passwd"].contains("4711 3:4 99.000000001, same as etc/passwd {\"trusted.x\": [121]}"),
        "{tree:?}"
    );
    assert!(tree["etc/passwd-"].contains("same as etc/passwd "), "{tree:?}");
    assert!(tree["link"].contains("{\"trusted.x\": [122]}"), "{tree:?}");
    assert_eq!(crate::support::xattr(&flat.join("all"), "trusted.overlay.opaque"), None);
}

#[test]
fn a_copy_of_one_layer_is_that_layer_with_its_holes_needs_root() {
    needs_root!("a_copy_of_one_layer_is_that_layer_with_its_holes_needs_root");
    let pieces: &[(&str, &[u8])] =
        &[("GNU.sparse.map", b"0,5,1048576,5"), ("GNU.sparse.size", b"3000000"), ("GNU.sparse.numblocks", b"2")];
    let tar = Tar::new().dir("./").pax(pieces).file("holes", "helloworld").file("dense", &"x".repeat(300_000));
    let mut stack = Stack::of(vec![tar]);
    let flat = stack.merged();
    assert_same(&flat, &stack.bench.fs("l0"));
    assert_eq!(fs::metadata(flat.join("holes")).unwrap().len(), 3_000_000);
    assert!(fs::metadata(flat.join("holes")).unwrap().blocks() <= 32);
}

#[test]
fn an_opaque_root_leaves_nothing_of_the_layers_below_needs_root() {
    needs_root!("an_opaque_root_leaves_nothing_of_the_layers_below_needs_root");
    let upper = Tar::new().file(".wh..wh..opq", "").file("only", "");
    let mut stack = Stack::of(vec![Tar::new().file("a/b", ""), upper]);
    assert_eq!(stack.merge()["event"], "result");
    assert_eq!(names(&stack.bench.scratch.join("flat")), ["only"]);
}

#[test]
fn a_copy_goes_to_an_empty_directory_and_to_no_other_needs_root() {
    needs_root!("a_copy_goes_to_an_empty_directory_and_to_no_other_needs_root");
    let mut stack = Stack::of(vec![dir(Tar::new(), "./", 0o700, 3).file("f", "x")]);
    let flat = stack.bench.scratch.join("flat");
    fs::create_dir(&flat).unwrap();
    assert_eq!(stack.merge()["event"], "result");
    assert_eq!((names(&flat), look(&flat)), (vec!["f".to_owned()], (0o700, 3, 3)));
    let event = stack.merge();
    assert!(event["message"].as_str().unwrap().contains("not empty"), "{event}");
    fs::remove_dir_all(&flat).unwrap();
    symlink("layers", &flat).unwrap();
    assert_eq!(stack.merge()["event"], "error");
}

#[test]
fn a_copy_that_fails_leaves_nothing_needs_root() {
    needs_root!("a_copy_that_fails_leaves_nothing_needs_root");
    let mut stack = Stack::of(vec![Tar::new().file("f", "x")]);
    stack.layers.push(stack.bench.scratch.path("nowhere"));
    let before = stack.bench.scratch.names();
    assert_eq!(stack.merge()["kind"], json!("io"));
    assert_eq!(stack.bench.scratch.names(), before);
    fs::create_dir(stack.bench.scratch.join("flat")).unwrap();
    assert_eq!(stack.merge()["kind"], json!("io"));
    assert_eq!(names(&stack.bench.scratch.join("flat")), Vec::<String>::new());
}
