//! Proxies, asked by CONNECT: which one stands before which host. The words are those of the variables `http_proxy`,
//! `https_proxy` and `no_proxy`, as Go reads them (golang.org/x/net/http/httpproxy), because other engines are Go's.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::net::IpAddr;
use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

/// What was found in the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// For plain HTTP.
    pub http: Option<String>,
    /// For HTTPS.
    pub https: Option<String>,
    /// Hosts that are asked directly.
    pub no: Vec<String>,
}

impl Proxies {
    /// The proxy before `uri`, if there is one.
    pub fn of(&self, uri: &Uri) -> Option<&str> {
        let proxy = if uri.scheme_str() == Some("https") { &self.https } else { &self.http };
        let proxy = proxy.as_deref().filter(|text| !text.is_empty())?;
        let host = bare(uri.host()?);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let direct = is_loopback(&host) || self.no.iter().any(|entry| matches(entry, &host, port));
        (!direct).then_some(proxy)
    }
}

/// The proxy as ureq wants it.
pub fn parse(text: &str) -> Result<Proxy> {
    // The text may hold a password.
    let proxy = Proxy::new(text).map_err(|_| Error::format("the proxy variable holds no URL of an HTTP proxy"))?;
    if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(Error::format("the proxy variable holds the URL of a proxy that is not asked by HTTP (SOCKS?)"));
    }
    Ok(proxy)
}

fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn matches(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        return in_network(network, bits, host).unwrap_or(false);
    }
    let (name, only) = split_port(&entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    let name = bare(name);
    if let (Ok(entry), Ok(host)) = (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        return entry == host;
    }
    let name = if name.starts_with("*.") { name.trim_start_matches('*') } else { &name };
    let (dotted, plain) = (name.strip_prefix('.'), !name.starts_with('.'));
    let domain = dotted.unwrap_or(name);
    if domain.is_empty() {
        return false;
    }
    (plain && host == domain) || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'))
}

/// A colon in an IPv6 address begins no port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    match entry.rsplit_once(':') {
        Some((name, port)) if name.ends_with(']') || !name.contains(':') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn in_network(network: &str, bits: &str, host: &str) -> Option<bool> {
    let (network, host): (IpAddr, IpAddr) = (network.parse().ok()?, host.parse().ok()?);
    let bits: u32 = bits.parse().ok()?;
    match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            Some(network.to_bits() & mask == host.to_bits() & mask)
        }
        (IpAddr::V6(network), IpAddr::V6(host)) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            Some(network.to_bits() & mask == host.to_bits() & mask)
        }
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(no: &str, uri: &str) -> bool {
        let no = no.split(',').map(str::to_owned).collect();
        let proxies = Proxies { http: None, https: Some("http://proxy:3128".to_owned()), no };
        proxies.of(&uri.parse().unwrap()).is_some()
    }

    #[test]
    fn each_scheme_has_its_own_proxy() {
        assert!(proxied("", "https://example.com/v2/"));
        assert!(!proxied("", "http://example.com/v2/"));
    }

    #[test]
    fn loopback_is_always_asked_directly() {
        for uri in ["https://localhost:5000/", "https://127.0.0.9/", "https://[::1]:5000/"] {
            assert!(!proxied("", uri), "{uri}");
        }
    }

    #[test]
    fn a_name_covers_what_is_below_it_and_a_dot_only_that() {
        assert!(!proxied("example.com", "https://example.com/"));
        assert!(!proxied("example.com", "https://a.Example.com/"));
        assert!(proxied("example.com", "https://notexample.com/"));
        assert!(proxied(".example.com", "https://example.com/"));
        assert!(!proxied("x, *.example.com", "https://a.example.com/"));
        assert!(!proxied("*", "https://example.com/"));
    }

    #[test]
    fn an_address_is_one_address_however_it_is_written() {
        assert!(!proxied("fd00:0::1", "https://[fd00::1]/"));
        assert!(!proxied("[fd00::1]:5000", "https://[fd00::1]:5000/"));
        assert!(proxied("[fd00::1]:5000", "https://[fd00::1]/"));
        assert!(!proxied(" 192.0.2.1 ", "https://192.0.2.1/"));
        assert!(proxied("*example.com", "https://example.com/"));
    }

    #[test]
    fn a_proxy_that_cannot_be_asked_is_not_passed_by() {
        assert!(parse("socks5://proxy:1080").is_err());
        assert!(parse("http://proxy:3128").is_ok());
        assert!(parse("proxy:3128").is_ok());
    }

    #[test]
    fn a_port_and_a_network_narrow_it() {
        assert!(proxied("example.com:8443", "https://example.com/"));
        assert!(!proxied("example.com:8443", "https://example.com:8443/"));
        assert!(!proxied("10.0.0.0/8", "https://10.9.8.7:5000/"));
        assert!(proxied("10.0.0.0/8", "https://11.9.8.7:5000/"));
        assert!(!proxied("fd00::/8", "https://[fd12::1]/"));
        assert!(!proxied("0.0.0.0/0", "https://192.0.2.1/"));
    }
}
