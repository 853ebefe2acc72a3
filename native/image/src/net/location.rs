//! Where a redirect leads (RFC 9110, 10.2.2), and whether that is still the same place.

use crate::error::{Error, Result};
use crate::name::show;
use ureq::http::Uri;

/// The address that `location` means at `base`.
pub fn follow(base: &Uri, location: &[u8]) -> Result<Uri> {
    let refuse = |why: &str| Error::hostile(format!("a redirect to '{}' is not followed: {why}", show(location)));
    let text = std::str::from_utf8(location).map_err(|_| refuse("it is no address"))?;
    let text = text.split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str().unwrap_or_default(), base.authority().map_or("", |it| it.as_str()));
    let absolute = if text.contains("://") && !text.starts_with('/') {
        text.to_owned()
    } else if text.starts_with("//") {
        format!("{scheme}:{text}")
    } else if text.starts_with('/') {
        format!("{scheme}://{authority}{text}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{text}")
    };
    let uri: Uri = absolute.parse().map_err(|_| refuse("it is no address"))?;
    check(&uri).map_err(refuse)?;
    // CVE-2014-5277: what was asked for in secret is not answered in the open.
    if scheme == "https" && uri.scheme_str() != Some("https") {
        return Err(refuse("it leads from https to http"));
    }
    Ok(uri)
}

/// An address that a request may go to.
pub fn parse(text: &str) -> Result<Uri> {
    let refuse = |why: &str| Error::format(format!("'{}' cannot be asked: {why}", show(text.as_bytes())));
    let uri: Uri = text.parse().map_err(|_| refuse("it is no address"))?;
    check(&uri).map_err(refuse)?;
    Ok(uri)
}

fn check(uri: &Uri) -> std::result::Result<(), &'static str> {
    if !matches!(uri.scheme_str(), Some("https" | "http")) {
        return Err("it is neither https nor http");
    }
    // https://registry@evil/ is meant to be misread.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("it has a user in it");
    }
    if uri.host().is_none_or(str::is_empty) { Err("it has no host") } else { Ok(()) }
}

/// Whether scheme, host and port are the same: only then are credentials sent again (GHSA-vh4v-2xq2-g5cg).
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(location: &str) -> Result<String> {
        follow(&"https://a.example/v2/x/blobs/y?q=1".parse().unwrap(), location.as_bytes()).map(|uri| uri.to_string())
    }

    #[test]
    fn a_location_may_be_relative() {
        assert_eq!(to("https://b.example/z").unwrap(), "https://b.example/z");
        assert_eq!(to("//b.example/z").unwrap(), "https://b.example/z");
        assert_eq!(to("/z?a=b#c").unwrap(), "https://a.example/z?a=b");
        assert_eq!(to("z").unwrap(), "https://a.example/v2/x/blobs/z");
        assert_eq!(to("/z?next=https://c/").unwrap(), "https://a.example/z?next=https://c/");
    }

    #[test]
    fn a_redirect_never_leads_out_of_https_nor_to_what_can_be_misread() {
        for location in ["http://a.example/z", "ftp://a/", "file:///etc/passwd", "https://a.example@evil/", "https://"]
        {
            assert!(to(location).is_err(), "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://A/x", "https://a:443/y"));
        assert!(!same("https://a/", "https://a:8443/"));
        assert!(!same("http://a/", "https://a/"));
        assert!(!same("https://a/", "https://a.b/"));
    }
}
