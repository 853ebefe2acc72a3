//! A blob on its way into a repository: the distribution specification, "Pushing Blobs". What is there is not sent again, and
//! an upload that breaks goes on where it was.

use super::client::{Ask, about};
use super::download::Session;
use super::fetch::{asked_pause, is_busy};
use super::location::{follow, parse, same_origin};
use super::patience::Patience;
use crate::digest::{Digest, Hasher};
use crate::error::{Error, Kind, Result};
use crate::name::show;
use crate::stream::blob::Supply;
use std::io::{self, Read};
use std::sync::Arc;
use std::thread::sleep;
use ureq::Body;
use ureq::http::header::{LOCATION, RANGE};
use ureq::http::{Response, Uri};

/// What a registry says of a refusal is read so far.
const LONGEST_REFUSAL: u64 = 64 << 10;

/// A repository that blobs go to.
pub struct Repository {
    /// Who asks.
    pub session: Arc<Session>,
    /// "https://HOST/v2/NAME/".
    pub base: String,
}

/// What is sent, and who hears of it.
pub struct Sending<'a> {
    /// What its bytes are.
    pub digest: &'a Digest,
    /// How many there are.
    pub size: u64,
    /// So many have gone.
    pub moved: &'a dyn Fn(u64),
    /// Why it begins again.
    pub told: &'a dyn Fn(&str),
}

/// An upload that has begun: where it goes on.
pub struct Begun(Uri);

impl Repository {
    /// Whether the blob is there.
    pub fn has(&self, digest: &Digest) -> Result<bool> {
        let uri = parse(&format!("{}blobs/{digest}", self.base))?;
        let response = self.patiently("HEAD", &uri)?;
        match response.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(refused("HEAD", &uri, response)),
        }
    }

    /// Takes the blob over from another repository of the registry; nothing where that is not done, or perhaps an upload that
    /// has begun in its place.
    pub fn mount(&self, digest: &Digest, from: &str) -> Result<std::result::Result<(), Option<Begun>>> {
        let uri = parse(&format!("{}blobs/uploads/?mount={digest}&from={from}", self.base))?;
        let response = self.patiently("POST", &uri)?;
        match response.status().as_u16() {
            201 => Ok(Ok(())),
            202 => Ok(Err(Some(begun(&uri, &response)?))),
            // Who may not read there may still write here.
            _ => Ok(Err(None)),
        }
    }

    /// Sends the blob; `begun` is an upload to go on with. The last piece goes only when all of them are what they must be.
    pub fn send(&self, supply: &mut dyn Supply, begun: Option<Begun>, sending: &Sending<'_>) -> Result<()> {
        let mut piece = Piece::new(supply, sending);
        let mut place = begun.map(|Begun(uri)| (uri, 0));
        let mut patience = Patience::default();
        loop {
            let before = piece.hashed;
            let outcome = self.attempt(&mut place, &mut piece);
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(error) => piece.failure.take().unwrap_or(error),
            };
            if piece.hashed > before {
                patience.moved();
            }
            if !patience.again(&error, sending.told, &self.session.stop) {
                self.abandon(place, &error);
                return Err(error);
            }
            place = match place {
                None => None,
                Some((uri, _)) => self.look(&uri, piece.hashed)?,
            };
            if place.is_none() && self.has(sending.digest)? {
                return Ok(()); // Only the answer was lost.
            }
        }
    }

    fn attempt(&self, place: &mut Option<(Uri, u64)>, piece: &mut Piece<'_>) -> Result<()> {
        if place.is_none() {
            let uri = parse(&format!("{}blobs/uploads/", self.base))?;
            let response = self.ask("POST", &uri)?;
            if response.status().as_u16() != 202 {
                return Err(refused("POST", &uri, response));
            }
            *place = Some((begun(&uri, &response)?.0, 0));
        }
        let Some((uri, at)) = place.clone() else { return Err(Error::io("unreachable")) };
        let separator = if uri.query().is_some() { '&' } else { '?' };
        let last = parse(&format!("{uri}{separator}digest={}", piece.sending.digest))?;
        let response = self.put(&last, at, piece)?;
        match response.status().as_u16() {
            201 => Ok(()),
            // It has forgotten the upload, or stands elsewhere than it said.
            404 | 416 => {
                *place = None;
                Err(Error::new(Kind::Network, refused("PUT", &last, response).message))
            }
            _ => Err(refused("PUT", &last, response)),
        }
    }

    fn put(&self, uri: &Uri, at: u64, piece: &mut Piece<'_>) -> Result<Response<Body>> {
        let size = piece.sending.size;
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/octet-stream".to_owned()),
            ("Content-Length".to_owned(), (size - at).to_string()),
        ];
        if at > 0 && at < size {
            headers.push(("Content-Range".to_owned(), format!("{at}-{}", size - 1)));
        }
        let piece = std::cell::RefCell::new(piece);
        self.authorized(uri, |authorization| {
            let ask =
                Ask { method: "PUT".to_owned(), uri: uri.clone(), headers: headers.clone(), authorization, body: None };
            let mut piece = piece.borrow_mut();
            piece.at = at;
            self.session.client.send(&ask, &mut **piece)
        })
    }

    /// Where an upload stands that has broken: distribution-spec, "Resuming an upload". Nothing where it must begin anew.
    fn look(&self, uri: &Uri, sent: u64) -> Result<Option<(Uri, u64)>> {
        let response = self.patiently("GET", uri)?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let range = response.headers().get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let last = range.trim_start_matches("bytes=").strip_prefix("0-").and_then(|last| last.parse::<u64>().ok());
        // "0-0" is said of one byte, and by many of none; and nobody can have more than was sent.
        let Some(at) = last.filter(|&last| last > 0).map(|last| last + 1).filter(|&at| at <= sent) else {
            return Ok(None);
        };
        let next = if response.headers().contains_key(LOCATION) { begun(uri, &response)?.0 } else { uri.clone() };
        Ok(Some((next, at)))
    }

    /// Tells the registry that no more comes. It forgets in time by itself.
    fn abandon(&self, place: Option<(Uri, u64)>, error: &Error) {
        if error.kind != Kind::Network
            && let Some((uri, _)) = place
        {
            let _ = self.ask("DELETE", &uri);
        }
    }

    /// Asks until there is an answer of a registry that is well, or there was none too often.
    fn patiently(&self, method: &str, uri: &Uri) -> Result<Response<Body>> {
        let mut patience = Patience::default();
        loop {
            match self.ask(method, uri) {
                Err(error) if patience.again(&error, &|_| (), &self.session.stop) => {}
                done => return done,
            }
        }
    }

    fn ask(&self, method: &str, uri: &Uri) -> Result<Response<Body>> {
        // Without a body there is a length to be told all the same.
        let body = (method == "POST").then(String::new);
        let ask = Ask { method: method.to_owned(), uri: uri.clone(), headers: Vec::new(), authorization: None, body };
        let response =
            self.authorized(uri, |authorization| self.session.client.ask(&Ask { authorization, ..ask.clone() }))?;
        if is_busy(response.status().as_u16()) {
            sleep(asked_pause(&response));
            return Err(Error::new(Kind::Network, refused(method, uri, response).message));
        }
        Ok(response)
    }

    /// Only the registry itself is shown who asks: an upload's address may lead anywhere (GHSA-vh4v-2xq2-g5cg).
    fn authorized(&self, uri: &Uri, ask: impl Fn(Option<String>) -> Result<Response<Body>>) -> Result<Response<Body>> {
        if same_origin(uri, &parse(&self.base)?) { self.session.authorized(ask) } else { ask(None) }
    }
}

fn begun(base: &Uri, response: &Response<Body>) -> Result<Begun> {
    let location = response.headers().get(LOCATION).map(ureq::http::HeaderValue::as_bytes);
    let location =
        location.ok_or_else(|| Error::new(Kind::Refused, "the registry does not say where to send a blob"))?;
    follow(base, location).map(Begun)
}

/// The answer's number, and the first message of the distribution specification's errors.
fn refused(method: &str, uri: &Uri, response: Response<Body>) -> Error {
    let (method, status) = (method.to_owned(), response.status().as_u16());
    let mut bytes = Vec::new();
    let body = response.into_body().into_with_config().limit(u64::MAX).reader();
    // What cannot be read says nothing.
    let _ = body.take(LONGEST_REFUSAL).read_to_end(&mut bytes);
    let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let said = said.pointer("/errors/0/message").and_then(serde_json::Value::as_str).unwrap_or_default();
    let said = if said.is_empty() { String::new() } else { format!(": {}", show(said.as_bytes())) };
    let kind = if is_busy(status) { Kind::Network } else { Kind::Refused };
    let ask = Ask { method, uri: uri.clone(), headers: Vec::new(), authorization: None, body: None };
    Error::new(kind, format!("{}: the registry answers {status}{said}", about(&ask)))
}

/// What is left of a blob, as the body of a request.
struct Piece<'a> {
    supply: &'a mut dyn Supply,
    sending: &'a Sending<'a>,
    /// What comes next.
    at: u64,
    hasher: Option<Hasher>,
    /// So many bytes have been hashed: what is sent again is not hashed again.
    hashed: u64,
    failure: Option<Error>,
}

impl<'a> Piece<'a> {
    fn new(supply: &'a mut dyn Supply, sending: &'a Sending<'a>) -> Self {
        let hasher = Some(Hasher::new(sending.digest.algorithm));
        Self { supply, sending, at: 0, hasher, hashed: 0, failure: None }
    }

    fn take(&mut self, room: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.sending.size - self.at).unwrap_or(usize::MAX);
        let most = left.min(room.len());
        let room = room.get_mut(..most).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let count = self.supply.read(room, self.at)?;
        let end = self.at + count as u64;
        if end > self.hashed {
            let known = usize::try_from(self.hashed - self.at).unwrap_or(0);
            if let (Some(hasher), Some(bytes)) = (&mut self.hasher, room.get(known..count)) {
                hasher.update(bytes);
            }
            self.hashed = end;
        }
        if end == self.sending.size
            && let Some(hasher) = self.hasher.take()
        {
            self.sending.digest.check(&hasher.finish(), "the digest")?;
        }
        self.at = end;
        (self.sending.moved)(end);
        Ok(count)
    }
}

impl Read for Piece<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.take(room).map_err(|error| {
            let told = io::Error::other(error.message.clone());
            self.failure = Some(error);
            told
        })
    }
}
