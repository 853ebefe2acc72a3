//! What the tests share: the worker and its protocol, directories, and archives made to measure.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot be prepared has failed")]

pub mod tar;
pub mod tree;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
pub use tar::{Header, Tar};

/// The program, running.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Worker {
    /// As root, or as the root of a user namespace.
    pub fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_tsrun-image");
        if rustix::process::geteuid().is_root() {
            return Self::run(&mut Command::new(program));
        }
        Self::run(Command::new("unshare").args(["-r", program]))
    }

    pub fn run(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the worker starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        Self { child, input, output, next: 1 }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line as it is.
    pub fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("input is open"), "{line}").expect("the worker reads");
    }

    /// The next event.
    pub fn event(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the worker writes");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not an event: {line:?}"))
    }

    /// Asks, and returns progress events and the last event.
    pub fn ask_all(&mut self, mut request: Value) -> (Vec<Value>, Value) {
        let id = self.next;
        self.next += 1;
        request["id"] = json!(id);
        self.send(&request.to_string());
        let mut progress = Vec::new();
        loop {
            let event = self.event();
            assert_eq!(event["id"], json!(id), "{event}");
            if event["event"] != "progress" {
                return (progress, event);
            }
            progress.push(event);
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "as a literal at every call")]
    pub fn ask(&mut self, request: Value) -> Value {
        self.ask_all(request).1
    }

    /// Closes its input and returns its exit code.
    pub fn finish(mut self) -> Option<i32> {
        self.input = None;
        self.child.wait().expect("it can be waited for").code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// A directory that goes with its owner.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = std::env::var_os("TSRUN_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("tsrun-image-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// A file in it.
    pub fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("its directory");
        fs::write(&path, content).expect("a file");
        self.path(name)
    }

    /// The names in it, sorted.
    pub fn names(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Numbers that do not compress to nothing.
pub fn noise(count: u64) -> String {
    (0..count).fold(String::new(), |text, number| text + &format!("{} ", number * 7919 % 1_000_003))
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A directory with a source of blobs and a place for layers.
pub struct Bench {
    pub scratch: Scratch,
    pub worker: Worker,
}

impl Bench {
    pub fn new() -> Self {
        let scratch = Scratch::new();
        fs::create_dir(scratch.join("layers")).expect("a directory");
        fs::create_dir(scratch.join("source")).expect("a directory");
        Self { scratch, worker: Worker::start() }
    }

    pub fn source(&self) -> Value {
        json!({"kind": "dir", "path": self.scratch.path("source")})
    }

    pub fn layer(&self, name: &str) -> PathBuf {
        self.scratch.join("layers").join(name)
    }

    /// The files of a layer, in whichever form it is.
    pub fn fs(&self, name: &str) -> PathBuf {
        if snapshotter() == "erofs" { mounted(&self.layer(name)) } else { self.layer(name).join("fs") }
    }

    /// Puts a blob into the source and orders it to be unpacked to layer `name`.
    pub fn order(&self, name: &str, blob: &[u8]) -> Value {
        self.scratch.write(&format!("source/{name}.blob"), blob);
        json!({"member": format!("{name}.blob"), "dest": self.layer(name).to_str(), "digest": sha256(blob),
               "size": blob.len()})
    }

    /// Unpacks one blob to layer `name`; the last event.
    pub fn try_unpack(&mut self, name: &str, blob: &[u8]) -> Value {
        let order = self.order(name, blob);
        self.unpack_orders(&json!([order]), &json!({}))
    }

    pub fn unpack_orders(&mut self, layers: &Value, limits: &Value) -> Value {
        let request = json!({"do": "unpack", "source": self.source(), "scratch": self.scratch.path("."), "threads": 2,
                   "layers": layers, "limits": limits, "snapshotter": snapshotter()});
        self.worker.ask(request)
    }

    /// Unpacks an archive that is right; its record.
    pub fn unpack(&mut self, name: &str, tar: &[u8]) -> Value {
        let event = self.try_unpack(name, tar);
        assert_eq!(event["event"], "result", "{event}");
        event["layers"][0].clone()
    }

    /// Sees that an archive is refused for such a reason, and that nothing is left of it.
    #[track_caller]
    pub fn refuse(&mut self, tar: &[u8], kind: &str, reason: &str) {
        let event = self.try_unpack("refused", tar);
        self.assert_refused(&event, kind, reason);
    }

    #[track_caller]
    pub fn assert_refused(&self, event: &Value, kind: &str, reason: &str) {
        assert_eq!((&event["event"], &event["kind"]), (&json!("error"), &json!(kind)), "{event}");
        let message = event["message"].as_str().expect("a message");
        assert!(message.contains(reason), "'{message}' does not say '{reason}'");
        assert!(!message.contains('\n'), "{message:?} is more than a line");
        assert_eq!(names(&self.scratch.join("layers")), Vec::<String>::new(), "something is left");
    }
}

/// The form of the layers that are tested: `TSRUN_TEST_SNAPSHOTTER`.
pub fn snapshotter() -> String {
    std::env::var("TSRUN_TEST_SNAPSHOTTER").unwrap_or_else(|_| "overlayfs".to_owned())
}

/// Mounts the index of a layer nowhere, until the test ends.
pub fn mounted(layer: &Path) -> PathBuf {
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
    use std::os::fd::IntoRawFd;
    let context = rustix::mount::fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC).expect("the kernel has EROFS");
    rustix::mount::fsconfig_set_string(&context, "source", layer.join("erofs")).expect("a source");
    rustix::mount::fsconfig_set_string(&context, "device", layer.join("tar")).expect("a device");
    rustix::mount::fsconfig_create(&context).expect("the index can be mounted");
    let root = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
    // With the dot the root itself is looked at, and not the link of procfs.
    PathBuf::from(format!("/proc/self/fd/{}/.", root.expect("a mount").into_raw_fd()))
}

/// Whether a path is a whiteout.
pub fn is_whiteout(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let metadata = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// The value of an extended attribute, of the very file and not of what it links to.
pub fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 4096];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

pub fn is_opaque(path: &Path) -> bool {
    xattr(path, "trusted.overlay.opaque").as_deref() == Some(b"y")
}

pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether this process may do what the test needs. A test that cannot run says so; under
/// `TSRUN_MUST_WORK=1` it fails.
pub fn has_root(name: &str) -> bool {
    // The root of a user namespace may make no devices.
    let whole = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.trim_end().ends_with(" 4294967295"));
    if whole && rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("TSRUN_MUST_WORK").is_none_or(|value| value != "1"), "{name} needs root");
    // Not by println, which is shown for tests that fail only.
    let _ = writeln!(std::io::stdout(), "skipped: {name} needs root");
    false
}

/// Leaves the test unless it runs as root.
#[macro_export]
macro_rules! needs_root {
    ($name:literal) => {
        if !$crate::support::has_root($name) {
            return;
        }
    };
}
