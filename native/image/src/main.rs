//! `tsrun-image`: moves the bytes of images for `tsrun`, which decides. See `protocol` for what it is told.

#![forbid(unsafe_code)]

mod attributes;
mod beneath;
mod confine;
mod convert;
mod copy;
mod diff;
mod digest;
mod erofs;
mod error;
mod fingerprint;
mod inspect;
mod limits;
mod merge;
mod mounts;
mod name;
mod net;
mod pack;
mod protocol;
mod read;
mod remove;
mod save;
mod source;
mod stack;
mod stage;
mod stream;
mod tar;
mod transfer;
mod unpack;
mod usage;

use error::{Error, Result};
use protocol::{Reporter, Request};
use serde_json::{Value, json};
use source::Library;
use std::io::{BufRead, Read, stdin};
use std::process::ExitCode;
use unpack::layer;

/// A request for an image of a thousand layers is far below.
const LONGEST_LINE: u64 = 16 << 20;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--version"] => {
            println!("tsrun-image {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        [] => work(None),
        ["--as", uid, gid] => match (uid.parse(), gid.parse()) {
            (Ok(uid), Ok(gid)) => work(Some((uid, gid))),
            _ => misused(),
        },
        _ => misused(),
    }
}

fn misused() -> ExitCode {
    eprintln!("tsrun-image: takes requests on standard input and no arguments but --as UID GID and --version");
    ExitCode::from(2)
}

/// Serves, as the user that makes files where the worker's own id is not mapped.
fn work(identity: Option<(u32, u32)>) -> ExitCode {
    match confine::confine(identity).and_then(|()| serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tsrun-image: {}", error.message);
            ExitCode::FAILURE
        }
    }
}

/// Answers one request after another, until there are no more.
fn serve() -> Result<()> {
    let mut library = Library::default();
    let mut input = stdin().lock();
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| Error::io(format!("Cannot read a request: {error}")))? {
            0 => return Ok(()),
            _ if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") => {
                return Err(Error::limit(format!("a request is longer than {LONGEST_LINE} bytes")));
            }
            _ => {}
        }
        let (id, request) = protocol::parse(&line);
        let reporter = Reporter::new(id);
        let outcome = request.and_then(|request| answer(request, &mut library, &reporter));
        reporter.end(outcome).map_err(|error| Error::io(format!("Cannot answer: {error}")))?;
    }
}

fn answer(request: Request, library: &mut Library, reporter: &Reporter) -> Result<Value> {
    match request {
        Request::Read { source, scratch, member, limit, digest } => {
            let source = library.open(&source, scratch.as_deref())?;
            told(read::run(&source, &member, limit.unwrap_or(read::DEFAULT_LIMIT), digest.as_ref())?)
        }
        Request::List { source, scratch } => {
            Ok(json!({ "members": library.open(&source, scratch.as_deref())?.members()? }))
        }
        Request::Unpack { source, scratch, staging, threads, layers, limits, snapshotter } => {
            let source = library.open(&source, scratch.as_deref())?;
            let how = layer::How { limits: &limits, staging: staging.as_deref(), snapshotter };
            told(unpack::run(&source, &layers, threads.unwrap_or(1), &how, reporter)?)
        }
        Request::Fetch { network, ask } => told(net::fetch::run(&*library.clients.of(&network)?, &ask)?),
        Request::Pull { network, ask } => told(net::pull::run(library.clients.of(&network)?, ask, reporter)?),
        Request::Digest { text } => {
            let mut hasher = digest::Hasher::new(digest::Algorithm::Sha256);
            hasher.update(text.as_bytes());
            Ok(json!({ "digest": hasher.finish().to_string(), "size": text.len() }))
        }
        Request::Gather { ask } => net::gather::run(ask, library, reporter).map(|()| json!({})),
        Request::Push { network, ask } => told(net::push::run(library.clients.of(&network)?, ask, library, reporter)?),
        Request::Weigh { network, ask } => told(net::weigh::run(library.clients.of(&network)?, ask, reporter)?),
        Request::Toml { text } => {
            let value: toml::Table = text.parse().map_err(|error: toml::de::Error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                Error::format(format!("Line {}: {}", before.matches('\n').count() + 1, error.message()))
            })?;
            Ok(json!({ "value": value }))
        }
        Request::Remove { path } => remove::directory(&path).map(|()| json!({})),
        Request::Copy { from, to } => merge::copy(&from, &to).map(|()| json!({})),
        Request::Measure { source, scratch, members, path, snapshotter } => {
            let source = library.open(&source, scratch.as_deref())?;
            told(unpack::measure::run(&source, &members, &path, snapshotter)?)
        }
        Request::Usage { paths } => Ok(json!({ "bytes": usage::run(&paths)? })),
        Request::Stack { layers, dest, staging } => told(stack::run(&layers, &dest, staging.as_deref())?),
        Request::Check { layers, threads, repair } => {
            told(fingerprint::request::run(&layers, threads.unwrap_or(1), repair)?)
        }
        Request::Pack { layers, threads } => told(pack::request::run(&layers, threads.unwrap_or(1), reporter)?),
        Request::Convert { ask } => told(convert::run(ask, library, reporter)?),
        Request::Write { dest, members } => save::run(&dest, members, library, reporter).map(|()| json!({})),
        Request::Diff { upper, lower } => Ok(json!({ "changes": diff::run(&upper, &lower)? })),
        Request::Transfer { ask } => transfer::run(&ask).map(|()| json!({})),
        Request::Merge { layers, dest } => merge::run(&layers, &dest).map(|()| json!({})),
    }
}

fn told(answer: impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(answer).map_err(|error| Error::io(format!("Cannot answer: {error}")))
}
