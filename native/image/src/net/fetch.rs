//! The request `fetch`: one answer of a registry or token service, whole and small.

use super::client::{Ask, Client, about};
use super::location;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::RETRY_AFTER;

/// A text that comes drop by drop is not waited for.
const LONGEST: Duration = Duration::from_mins(2);
/// What a server may ask to wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// An answer that is no success is read for its words only.
const LONGEST_REFUSAL: u64 = 64 << 10;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// GET where nothing is said.
    #[serde(default = "get")]
    pub method: String,
    /// Whole.
    pub url: String,
    /// But for the authorization.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Not sent along with a redirect to another origin.
    pub authorization: Option<String>,
    /// For POST.
    pub body: Option<String>,
    /// Bytes at most.
    pub limit: u64,
    /// What it must be.
    pub digest: Option<Digest>,
    /// How often it is tried when the other side cannot be reached or is too busy.
    #[serde(default = "one")]
    pub attempts: u32,
}

fn get() -> String {
    "GET".to_owned()
}

fn one() -> u32 {
    1
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// 200 and so on.
    pub status: u16,
    /// By their names in lower case; what has several values has them in several entries.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
    /// Of the body.
    pub digest: String,
    /// Of the body.
    pub size: u64,
}

/// Asks, and reads the whole answer.
pub fn run(client: &Client, order: &Order) -> Result<Answer> {
    let ask = Ask {
        method: order.method.clone(),
        uri: location::parse(&order.url)?,
        headers: order.headers.clone().into_iter().collect(),
        authorization: order.authorization.clone(),
        body: order.body.clone(),
    };
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let last = attempt >= order.attempts;
        match client.ask(&ask) {
            Ok(response) if !last && is_busy(response.status().as_u16()) => sleep(asked_pause(&response).max(pause)),
            Ok(response) => match read(client, &ask, response, order) {
                Err(error) if !last && error.kind == Kind::Network => sleep(pause),
                done => return done,
            },
            Err(error) if !last && error.kind == Kind::Network => sleep(pause),
            Err(error) => return Err(error),
        }
        pause *= 2;
    }
    Err(Error::io("no attempt was asked for"))
}

/// Too many requests, or a server that is not well: it may be better soon.
pub fn is_busy(status: u16) -> bool {
    status == 429 || (500..600).contains(&status)
}

/// RFC 9110, 10.2.3, in seconds; a date is not worth a calendar.
pub fn asked_pause(response: &Response<Body>) -> Duration {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(asked.unwrap_or(0)).min(LONGEST_PAUSE)
}

fn read(client: &Client, ask: &Ask, response: Response<Body>, order: &Order) -> Result<Answer> {
    let status = response.status();
    let names = response.headers().iter();
    let headers =
        names.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let limit = if status.is_success() { order.limit } else { LONGEST_REFUSAL };
    let bytes = read_bytes(client, ask, response.into_body(), limit, status.is_success())?;
    let algorithm = order.digest.as_ref().map_or(Algorithm::Sha256, |digest| digest.algorithm);
    let mut hasher = Hasher::new(algorithm);
    hasher.update(&bytes);
    let digest = hasher.finish();
    if let Some(wanted) = order.digest.as_ref().filter(|_| status.is_success()) {
        wanted.check(&digest, "the digest").map_err(|error| error.within(about(ask)))?;
    }
    let size = bytes.len() as u64;
    let text = if status.is_success() {
        String::from_utf8(bytes).map_err(|_| Error::format(format!("{}: it is not UTF-8 text", about(ask))))?
    } else {
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Answer { status: status.as_u16(), headers, text, digest: digest.to_string(), size })
}

/// Stops at the first byte beyond the limit, whatever the headers promised.
fn read_bytes(client: &Client, ask: &Ask, body: Body, limit: u64, whole: bool) -> Result<Vec<u8>> {
    let started = Instant::now();
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = reader.read(&mut buffer);
        let count = count.map_err(|error| client.explain(&ureq::Error::from(error), &ask.uri).within(about(ask)))?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else { return Ok(bytes) };
        bytes.extend_from_slice(piece);
        if bytes.len() as u64 > limit {
            if !whole {
                return Ok(bytes);
            }
            return Err(Error::limit(format!("{}: it has more than {limit} bytes", about(ask))));
        }
        if started.elapsed() > LONGEST {
            let message = format!("{}: not done after {} s", about(ask), LONGEST.as_secs());
            return Err(Error::new(Kind::Network, message));
        }
    }
}
