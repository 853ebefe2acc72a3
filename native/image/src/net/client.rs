//! One request and its answer, with redirects followed by our own rules: ureq is never let follow one by itself.

use super::location::{follow, same_origin};
use super::tls::TlsConnector;
use super::{Network, proxy, trust};
use crate::error::{Error, Kind, Result};
use crate::name::show;
use rustls::CertificateError;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, LOCATION};
use ureq::http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};
use ureq::{Agent, AsSendBody, Body, SendBody};

/// What distribution's own client follows, and browsers about twice.
const MOST_REDIRECTS: usize = 10;
/// Whoever has got a large blob hashes it, and may copy it to another store, before the answer to its last byte.
const PATIENCE_AFTER_BLOB: Duration = Duration::from_mins(10);

/// Who asks.
pub struct Client {
    direct: Agent,
    through: Vec<(String, Agent)>,
    network: Network,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// GET and so on.
    pub method: String,
    /// Of whom.
    pub uri: Uri,
    /// But for the authorization.
    pub headers: Vec<(String, String)>,
    /// Given to the origin of `uri` only.
    pub authorization: Option<String>,
    /// What is sent along.
    pub body: Option<String>,
}

/// Clients whose connections may still be open: those of the last two networks, where something comes from and where it goes.
#[derive(Default)]
pub struct Clients(Vec<Arc<Client>>);

impl Clients {
    /// The client for a network.
    pub fn of(&mut self, network: &Network) -> Result<Arc<Client>> {
        if let Some(client) = self.0.iter().find(|client| client.is_of(network)) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Client::new(network)?);
        self.0.truncate(1);
        self.0.insert(0, Arc::clone(&client));
        Ok(client)
    }
}

impl Client {
    /// A client of this network.
    pub fn new(network: &Network) -> Result<Self> {
        let tls = trust::policy(network)?;
        let patience = Some(network.patience());
        let agent = |proxy| {
            let config = Agent::config_builder()
                .proxy(proxy)
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                // A body that arrives compressed once more would be another one.
                .accept_encoding("identity")
                .user_agent(concat!("tsrun/", env!("CARGO_PKG_VERSION")))
                .timeout_resolve(patience)
                .timeout_connect(patience)
                .timeout_recv_response(patience)
                .timeout_per_read(patience)
                .timeout_per_write(patience);
            let connector = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
            let connector = connector.chain(TlsConnector(Arc::clone(&tls)));
            Agent::with_parts(config.build(), connector, DefaultResolver::default())
        };
        let mut through = Vec::new();
        for text in [&network.proxies.http, &network.proxies.https].into_iter().flatten().filter(|it| !it.is_empty()) {
            through.push((text.clone(), agent(Some(proxy::parse(text)?))));
        }
        Ok(Self { direct: agent(None), through, network: network.clone() })
    }

    /// Whether it is the client of this network.
    pub fn is_of(&self, network: &Network) -> bool {
        self.network == *network
    }

    /// Asks, and follows redirects of what only reads.
    pub fn ask(&self, ask: &Ask) -> Result<Response<Body>> {
        let mut at = ask.uri.clone();
        let mut authorization = ask.authorization.as_deref();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask_once(ask, &at, authorization)?;
            let reads = matches!(ask.method.as_str(), "GET" | "HEAD");
            let Some(location) = response.headers().get(LOCATION).filter(|_| reads && redirects(response.status()))
            else {
                return Ok(response);
            };
            let next = follow(&at, location.as_bytes()).map_err(|error| error.within(about(ask)))?;
            // Once dropped it stays dropped, also on the way back.
            authorization = authorization.filter(|_| same_origin(&at, &next));
            at = next;
        }
        let message = format!("{}: more than {MOST_REDIRECTS} redirects", about(ask));
        Err(Error::hostile(message))
    }

    /// Asks once, with the bytes of `body`, and follows nothing: what writes is not sent anywhere else.
    pub fn send(&self, ask: &Ask, body: &mut dyn Read) -> Result<Response<Body>> {
        let request = request(ask, &ask.uri, ask.authorization.as_deref())?;
        let request = request.body(SendBody::from_reader(body)).map_err(|error| wrong(ask, &error))?;
        let agent = self.agent(&ask.uri);
        let request = agent.configure_request(request).timeout_recv_response(Some(PATIENCE_AFTER_BLOB)).build();
        agent.run(request).map_err(|error| self.explain(&error, &ask.uri).within(about(ask)))
    }

    fn ask_once(&self, ask: &Ask, at: &Uri, authorization: Option<&str>) -> Result<Response<Body>> {
        let request = request(ask, at, authorization)?;
        match &ask.body {
            None => self.run(ask, at, request.body(())),
            Some(body) => self.run(ask, at, request.body(body.clone())),
        }
    }

    fn run<B: AsSendBody>(
        &self,
        ask: &Ask,
        at: &Uri,
        request: ureq::http::Result<Request<B>>,
    ) -> Result<Response<Body>> {
        let request = request.map_err(|error| wrong(ask, &error))?;
        self.agent(at).run(request).map_err(|error| self.explain(&error, at).within(about(ask)))
    }

    /// Why there is no answer, in one sentence, and of which kind that is.
    pub fn explain(&self, error: &ureq::Error, at: &Uri) -> Error {
        explain(error, at, self.network.patience)
    }

    fn agent(&self, uri: &Uri) -> &Agent {
        let proxy = self.network.proxies.of(uri);
        let through = proxy.and_then(|proxy| self.through.iter().find(|(text, _)| text == proxy));
        through.map_or(&self.direct, |(_, agent)| agent)
    }
}

fn request(ask: &Ask, at: &Uri, authorization: Option<&str>) -> Result<ureq::http::request::Builder> {
    let mut request = Request::builder().method(ask.method.as_str()).uri(at.clone());
    for (name, value) in &ask.headers {
        request = request.header(header_name(name)?, header_value(value)?);
    }
    if let Some(authorization) = authorization {
        let mut value = header_value(authorization)?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    Ok(request)
}

fn wrong(ask: &Ask, error: &ureq::http::Error) -> Error {
    Error::format(format!("{}: {error}", about(ask)))
}

/// What a failure to do it is said of; queries may hold signatures.
pub fn about(ask: &Ask) -> String {
    let uri = &ask.uri;
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |it| it.as_str()));
    format!("Cannot {} {scheme}://{authority}{}", ask.method.to_ascii_lowercase(), show(uri.path().as_bytes()))
}

fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn header_name(name: &str) -> Result<HeaderName> {
    name.parse().map_err(|_| Error::format(format!("'{}' is no header", show(name.as_bytes()))))
}

fn header_value(value: &str) -> Result<HeaderValue> {
    // The value may be a secret.
    HeaderValue::from_str(value).map_err(|_| Error::format("a header has characters that no header has"))
}

fn explain(error: &ureq::Error, at: &Uri, patience: u64) -> Error {
    let host = at.authority().map_or("", |authority| authority.as_str());
    match error {
        ureq::Error::HostNotFound => Error::new(Kind::Network, format!("there is no host of the name {host}")),
        ureq::Error::Timeout(_) => Error::new(Kind::Network, format!("{host} was silent for {patience} s")),
        ureq::Error::Rustls(error) => explain_tls(error, host),
        ureq::Error::Io(error) => explain_io(error, host, patience),
        ureq::Error::ConnectProxyFailed(why) => Error::new(Kind::Network, format!("the proxy does not let us: {why}")),
        ureq::Error::LargeResponseHeader(..) => Error::limit(format!("{host} answers with too many headers")),
        other => Error::new(Kind::Network, format!("{host}: {other}")),
    }
}

fn explain_io(error: &io::Error, host: &str, patience: u64) -> Error {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return explain_tls(error, host);
    }
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return explain(error, &host.parse().unwrap_or_default(), patience);
    }
    let why = error.to_string();
    let why = why.split(" (os error").next().unwrap_or_default();
    // getaddrinfo's own words are of no use: musl's are "Name does not resolve" for all that can be wrong.
    if why.starts_with("failed to lookup address") {
        return Error::new(Kind::Network, format!("the name {host} does not resolve"));
    }
    Error::new(Kind::Network, format!("{host}: {}", lower_first(why)))
}

fn explain_tls(error: &rustls::Error, host: &str) -> Error {
    match error {
        rustls::Error::InvalidMessage(_) => Error::new(Kind::Plain, format!("{host} does not speak TLS")),
        rustls::Error::InvalidCertificate(why) => {
            let why = explain_certificate(error, why);
            Error::new(Kind::Certificate, format!("the certificate of {host} is not trusted: {why}"))
        }
        other => Error::new(Kind::Certificate, format!("{host}: {other}")),
    }
}

fn explain_certificate(error: &rustls::Error, why: &CertificateError) -> String {
    match why {
        // webpki has no sentence for what `openssl req -x509` makes unless it is told otherwise: RFC 5280, 4.2.1.9.
        _ if trust::is_authority(error) => {
            "it is one for signing others (CA:TRUE), and not itself among those that are trusted here".to_owned()
        }
        CertificateError::UnknownIssuer => "nobody who is trusted here has signed it".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired, or the clock is wrong".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, or the clock is wrong".to_owned()
        }
        _ => why.to_string(),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_lowercase().chain(characters).collect())
}
