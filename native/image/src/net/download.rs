//! A blob of a registry as a supply of bytes: first those of its spool, then those that arrive. A connection that breaks
//! is made again, and the blob goes on where it was.

use super::Network;
use super::client::{Ask, Client, about};
use super::fetch::{self, asked_pause, is_busy};
use super::patience::Patience;
use super::spool::Spool;
use crate::error::{Error, Kind, Result};
use crate::stream::blob::Supply;
use serde::Deserialize;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName};
use ureq::http::{Response, Uri};
use ureq::{Body, BodyReader};

/// What a token is got anew with when the old one has expired in the middle of a blob: the request that got it, and the way
/// to whom it goes, which is often another host than the registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    network: Network,
    ask: fetch::Order,
}

/// What all downloads of an image share.
pub struct Session {
    /// Who asks.
    pub client: Arc<Client>,
    /// The authorization, and how often it was renewed.
    pub authorization: Mutex<(Option<String>, u32)>,
    /// How it is renewed.
    pub renewal: Option<Renewal>,
    /// Set when there is no use in going on.
    pub stop: Arc<AtomicBool>,
}

/// A blob that arrives.
pub struct Download {
    session: Arc<Session>,
    uri: Uri,
    size: u64,
    spool: Arc<Mutex<Spool>>,
    body: Option<BodyReader<'static>>,
    patience: Patience,
    /// Whether what arrives is kept.
    keeps: bool,
    told: Box<dyn Fn(&str) + Send>,
}

impl Download {
    /// The blob of `size` bytes at `uri`; `told` hears of what makes it begin again.
    pub fn new(
        session: Arc<Session>,
        uri: Uri,
        size: u64,
        spool: Arc<Mutex<Spool>>,
        told: Box<dyn Fn(&str) + Send>,
    ) -> Self {
        Self { session, uri, size, spool, body: None, patience: Patience::default(), keeps: true, told }
    }

    /// The same, which keeps nothing of what arrives.
    pub fn forgetful(self) -> Self {
        Self { keeps: false, ..self }
    }

    fn receive(&mut self, room: &mut [u8], at: u64) -> Result<usize> {
        if self.body.is_none() {
            self.body = Some(self.connect(at)?);
        }
        let Some(body) = &mut self.body else { return Ok(0) };
        match body.read(room) {
            Ok(0) => Err(Error::new(Kind::Network, format!("the connection ended after {at} of {} bytes", self.size))),
            Ok(count) => Ok(count),
            Err(error) => Err(self.session.client.explain(&ureq::Error::from(error), &self.uri)),
        }
    }

    /// Asks for what comes from `at` on.
    fn connect(&self, at: u64) -> Result<BodyReader<'static>> {
        let (response, ask) = self.authorized(at)?;
        let status = response.status().as_u16();
        if is_busy(status) {
            sleep(asked_pause(&response));
            return Err(Error::new(Kind::Network, format!("{}: the registry answers {status}", about(&ask))));
        }
        let skip = match status {
            206 if at > 0 => self.check_range(&response, at).map(|()| 0),
            // The range was not asked for, or is not heeded: RFC 9110, 14.2.
            200 => Ok(at),
            _ => Err(Error::new(Kind::Refused, format!("the registry answers {status}{}", meaning(status)))),
        };
        let skip = skip.map_err(|error| error.within(about(&ask)))?;
        if let Some(length) = number(&response, &CONTENT_LENGTH)
            && length != self.size - at + skip
        {
            let message = format!("{}: it has {} bytes, must have {}", about(&ask), length + at - skip, self.size);
            return Err(Error::new(Kind::Digest, message));
        }
        let mut body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let skipped = std::io::copy(&mut body.by_ref().take(skip), &mut std::io::sink());
        match skipped {
            Ok(count) if count == skip => Ok(body),
            _ => Err(Error::new(Kind::Network, "the connection ended early")),
        }
    }

    fn authorized(&self, at: u64) -> Result<(Response<Body>, Ask)> {
        let headers = if at > 0 { vec![("Range".to_owned(), format!("bytes={at}-"))] } else { Vec::new() };
        let ask = Ask { method: "GET".to_owned(), uri: self.uri.clone(), headers, authorization: None, body: None };
        let response =
            self.session.authorized(|authorization| self.session.client.ask(&Ask { authorization, ..ask.clone() }))?;
        Ok((response, ask))
    }

    /// RFC 9110, 14.4: `bytes FIRST-LAST/SIZE`.
    fn check_range(&self, response: &Response<Body>, at: u64) -> Result<()> {
        let text = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let parts = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/'));
        let first = parts.and_then(|(range, _)| range.split_once('-')?.0.parse().ok());
        let size = parts.map_or("", |(_, size)| size);
        if first != Some(at) || (size != "*" && size.parse() != Ok(self.size)) {
            let shown = crate::name::show(text.as_bytes());
            let message = format!("asked for what follows byte {at} of {}, it sends '{shown}'", self.size);
            return Err(Error::new(Kind::Refused, message));
        }
        Ok(())
    }

    /// After the last byte there is none: a body without a length may be endless.
    fn check_end(&mut self) -> Result<()> {
        let Some(body) = &mut self.body else { return Ok(()) };
        match body.read(&mut [0]) {
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => {
                Err(Error::new(Kind::Digest, format!("it has more than the {} bytes that it must have", self.size)))
            }
        }
    }
}

impl Supply for Download {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, room: &mut [u8], at: u64) -> Result<usize> {
        {
            let spool = self.spool.lock().map_err(|_| Error::io("a thread ended early"))?;
            if at < spool.length() {
                return spool.read(room, at);
            }
        }
        loop {
            if self.session.stop.load(Ordering::Relaxed) {
                return Err(Error::io("stopped"));
            }
            match self.receive(room, at) {
                Ok(count) => {
                    if self.keeps {
                        let mut spool = self.spool.lock().map_err(|_| Error::io("a thread ended early"))?;
                        spool.append(room.get(..count).unwrap_or_default())?;
                    }
                    self.patience.moved();
                    if at + count as u64 == self.size {
                        self.check_end()?;
                    }
                    return Ok(count);
                }
                Err(error) => {
                    self.body = None;
                    if !self.patience.again(&error, &*self.told, &self.session.stop) {
                        return Err(error);
                    }
                }
            }
        }
    }
}

impl Session {
    /// A session that nothing has stopped.
    pub fn new(client: Arc<Client>, authorization: Option<String>, renewal: Option<Renewal>) -> Self {
        Self { client, authorization: Mutex::new((authorization, 0)), renewal, stop: Arc::default() }
    }

    /// What `ask` gets for the authorization; asked once more where that has expired and there is a new one.
    pub fn authorized(&self, ask: impl Fn(Option<String>) -> Result<Response<Body>>) -> Result<Response<Body>> {
        let (authorization, age) = self.authorization();
        let response = ask(authorization)?;
        if response.status().as_u16() == 401 && self.renew(age)? {
            return ask(self.authorization().0);
        }
        Ok(response)
    }

    fn authorization(&self) -> (Option<String>, u32) {
        self.authorization.lock().map(|held| held.clone()).unwrap_or_default()
    }

    /// Gets a new token unless another thread has got one since `age`; says whether there is one now.
    fn renew(&self, age: u32) -> Result<bool> {
        let Some(Renewal { network, ask }) = &self.renewal else { return Ok(false) };
        let mut held = self.authorization.lock().map_err(|_| Error::io("a thread ended early"))?;
        if held.1 != age {
            return Ok(true);
        }
        let answer = if self.client.is_of(network) {
            fetch::run(&self.client, ask)?
        } else {
            fetch::run(&Client::new(network)?, ask)?
        };
        let fields: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| fields.get(key)?.as_str());
        let Some(token) = token.filter(|_| answer.status == 200) else { return Ok(false) };
        *held = (Some(format!("Bearer {token}")), age + 1);
        Ok(true)
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => " (it does not give it to us)",
        404 => " (it has not got it)",
        _ => "",
    }
}

fn number(response: &Response<Body>, name: &HeaderName) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}
