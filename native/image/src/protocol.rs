//! Requests and events: one JSON object a line, on standard input and output.

use crate::convert;
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};
use crate::limits::Limits;
use crate::net::{Network, fetch, gather, pull, push};
use crate::pack;
use crate::save;
use crate::source::Source;
use crate::transfer;
use crate::unpack::layer::{Order, Snapshotter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{Write, stdout};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the worker can be asked to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// A text of the image: index, manifest, configuration.
    Read {
        /// Where.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
        /// Which.
        member: String,
        /// Bytes at most.
        limit: Option<u64>,
        /// What it must be.
        digest: Option<Digest>,
    },
    /// The names of an archive's members.
    List {
        /// Where.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
    },
    /// Layers into directories.
    Unpack {
        /// Where from.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
        /// A directory for layers in the making.
        staging: Option<String>,
        /// Layers at a time.
        threads: Option<usize>,
        /// Which, and where to.
        layers: Vec<Order>,
        /// How much each may ask for.
        #[serde(default)]
        limits: Limits,
        /// In which form they are kept.
        #[serde(default)]
        snapshotter: Snapshotter,
    },
    /// The attributes of directories that layers took for granted.
    Stack {
        /// Directories of layers, lowest first.
        layers: Vec<String>,
        /// Where the extra layer goes.
        dest: String,
        /// A directory for what is in the making.
        staging: Option<String>,
    },
    /// Layers against the lists of their files.
    Check {
        /// Directories of layers.
        layers: Vec<String>,
        /// Layers at a time.
        threads: Option<usize>,
        /// Whether to mend what can be mended.
        repair: bool,
    },
    /// Stored layers as blobs.
    Pack {
        /// Which, and where to.
        layers: Vec<pack::request::Order>,
        /// Layers at a time.
        threads: Option<usize>,
    },
    /// Layers of an archive as blobs, which are kept for later requests.
    Convert {
        /// Which.
        ask: convert::Order,
    },
    /// Files as a directory or an archive.
    Write {
        /// Where to.
        dest: save::Dest,
        /// Which.
        members: Vec<save::Member>,
    },
    /// A flat copy of the stacked layers.
    Merge {
        /// Directories of layers, lowest first.
        layers: Vec<String>,
        /// Where it goes.
        dest: String,
    },
    /// One answer of a registry or token service.
    Fetch {
        /// How it is reached.
        network: Network,
        /// What is asked.
        ask: fetch::Order,
    },
    /// Layers from a registry into directories.
    Pull {
        /// How it is reached.
        network: Network,
        /// Which.
        ask: pull::Order,
    },
    /// The digest of a text.
    Digest {
        /// The text.
        text: String,
    },
    /// Blobs into files.
    Gather {
        /// Which.
        ask: gather::Order,
    },
    /// Blobs into a registry.
    Push {
        /// How it is reached.
        network: Network,
        /// Which.
        ask: push::Order,
    },
    /// How much room the layers of a pull would take.
    Weigh {
        /// How it is reached.
        network: Network,
        /// Which.
        ask: pull::Order,
    },
    /// A text in TOML as what it says.
    Toml {
        /// The text.
        text: String,
    },
    /// A copy of a directory.
    Copy {
        /// Which.
        from: String,
        /// An empty one.
        to: String,
    },
    /// How much room layers would take.
    Measure {
        /// Where from.
        source: Source,
        /// For a compressed archive.
        scratch: Option<String>,
        /// Which.
        members: Vec<String>,
        /// A directory on the file system that they are for.
        path: String,
        /// In which form they are to be kept.
        #[serde(default)]
        snapshotter: Snapshotter,
    },
    /// How much of the disk directories take.
    Usage {
        /// Which.
        paths: Vec<String>,
    },
    /// What a container has changed.
    Diff {
        /// The upper directory of its overlay.
        upper: String,
        /// Its image's files.
        lower: String,
    },
    /// A copy between a container and the host, or a stream.
    Transfer {
        /// Which.
        ask: transfer::Order,
    },
    /// Removes a directory.
    Remove {
        /// Which.
        path: String,
    },
}

/// Takes a line apart: the number of the request as far as there is one, and the request.
pub fn parse(line: &[u8]) -> (Value, Result<Request>) {
    let malformed = |why: String| Error::format(format!("Cannot read the request: {why}"));
    let mut fields = match serde_json::from_slice(line) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return (Value::Null, Err(malformed("it is not an object".to_owned()))),
        Err(error) => return (Value::Null, Err(malformed(error.to_string()))),
    };
    let id = fields.remove("id").unwrap_or(Value::Null);
    let request = serde_json::from_value(Value::Object(fields)).map_err(|error| malformed(error.to_string()));
    (id, request)
}

#[derive(Serialize)]
struct Event<'a, T> {
    id: &'a Value,
    #[serde(rename = "event")]
    kind: &'static str,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
    kind: Kind,
}

#[derive(Serialize)]
struct Note<'a> {
    layer: usize,
    what: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Progress {
    layer: usize,
    bytes: u64,
    total: u64,
}

/// How many bytes, and when.
type Told = Option<(u64, Instant)>;

/// Tells the parent about one request.
#[derive(Clone)]
pub struct Reporter {
    id: Value,
    /// What was last told about each layer, and when.
    told: Arc<Mutex<Vec<Told>>>,
}

impl Reporter {
    const PAUSE: Duration = Duration::from_millis(100);

    /// For the request with this number.
    pub fn new(id: Value) -> Self {
        Self { id, told: Arc::default() }
    }

    /// So much of a layer's blob has been read. Told ten times a second at most, but the end always.
    pub fn progress(&self, layer: usize, bytes: u64, total: u64) {
        let Ok(mut told) = self.told.lock() else { return };
        if told.len() <= layer {
            told.resize(layer + 1, None);
        }
        let Some(last) = told.get_mut(layer) else { return };
        let now = Instant::now();
        let due = |(told, at)| told != bytes && (bytes == total || now.duration_since(at) >= Self::PAUSE);
        if last.is_none_or(due) {
            *last = Some((bytes, now));
            // Whether the parent still listens shows when the request ends.
            let _ = self.send("progress", Progress { layer, bytes, total });
        }
    }

    /// Something about a layer that is worth a word: "retry", "waiting".
    pub fn note(&self, layer: usize, what: &'static str, reason: &str) {
        let _ = self.send("note", Note { layer, what, reason });
    }

    /// Gives what tells such a thing later.
    pub fn noting(&self, layer: usize, what: &'static str) -> Box<dyn Fn(&str) + Send> {
        let reporter = self.clone();
        Box::new(move |reason| reporter.note(layer, what, reason))
    }

    /// Ends the request.
    pub fn end<T: Serialize>(&self, outcome: Result<T>) -> std::io::Result<()> {
        match outcome {
            Ok(answer) => self.send("result", answer),
            Err(error) => self.send("error", Failure { message: &error.message, kind: error.kind }),
        }
    }

    fn send<T: Serialize>(&self, kind: &'static str, body: T) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&Event { id: &self.id, kind, body })?;
        line.push(b'\n');
        let mut out = stdout().lock();
        out.write_all(&line)?;
        out.flush()
    }
}
