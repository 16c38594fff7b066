//! The access of a request, the hosts that it may name, and the site that it comes from.

use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::uri::Authority;

/// The access of a request. The function that [`Console::access`](crate::Console::access) takes returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// The request is refused: the answer is 403.
    Denied,
    /// The request may read.
    ReadOnly,
    /// The request may read and act: restart, run now, cancel, pause and resume. A shutdown also needs
    /// [`Console::allow_shutdown`](crate::Console::allow_shutdown).
    Full,
}

impl Access {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::ReadOnly => "read_only",
            Self::Full => "full",
        }
    }
}

/// The hosts that a request may name. They protect from DNS rebinding: a page of another site whose name resolves to
/// this address names that site, and is refused.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<Allowed>);

#[derive(Debug, Clone)]
struct Allowed {
    /// In lower case.
    name: String,
    /// `None` means any port.
    port: Option<u16>,
}

impl Hosts {
    /// The names of the loopback interface, with any port.
    pub(crate) fn loopback() -> Self {
        let allowed = |name: &str| Allowed { name: name.to_owned(), port: None };
        Self(vec![allowed("localhost"), allowed("127.0.0.1"), allowed("[::1]")])
    }

    pub(crate) fn allow(&mut self, host: &str) {
        let (name, port) = split(host);
        self.0.push(Allowed { name: name.to_ascii_lowercase(), port });
    }

    /// Returns the host that the request names.
    ///
    /// # Errors
    /// The text of the host that is not allowed; empty if it names none, or several.
    pub(crate) fn check(&self, request: &Parts) -> Result<String, String> {
        let named = host(request).ok_or_else(String::new)?;
        if self.allows(&named) { Ok(named) } else { Err(named) }
    }

    fn allows(&self, host: &str) -> bool {
        let (name, port) = split(host);
        self.0
            .iter()
            .any(|allowed| allowed.name.eq_ignore_ascii_case(name) && (allowed.port.is_none() || allowed.port == port))
    }
}

/// Splits a host into its name and port. An IPv6 address has its brackets.
fn split(host: &str) -> (&str, Option<u16>) {
    let Some((name, port)) = host.rsplit_once(':') else { return (host, None) };
    match port.parse() {
        Ok(port) if !name.is_empty() && (!name.contains(':') || name.ends_with(']')) => (name, Some(port)),
        _ => (host, None),
    }
}

/// Returns the one host that the request names: in its `Host` header, and in its URI. `None` if it names none, or two
/// that differ.
fn host(request: &Parts) -> Option<String> {
    let mut headers = request.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return None;
    }
    // A text that is not the authority of a URI, such as one with a path or spaces, is not a host.
    let authority = |text: &str| text.parse::<Authority>().ok().filter(|named| !named.as_str().contains('@'));
    let header = match header {
        Some(value) => Some(authority(value.to_str().ok()?)?),
        None => None,
    };
    match (header, request.uri.authority()) {
        (Some(header), Some(uri)) => (header == *uri).then(|| header.to_string()),
        (Some(named), None) => Some(named.to_string()),
        (None, Some(named)) => authority(named.as_str()).map(|named| named.to_string()),
        (None, None) => None,
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns `true` if no page of another site made the request. A browser sends the origin of the request, which no page
/// can change: by `Sec-Fetch-Site`, or if the browser is older, by `Origin`. A client without a page sends
/// `Sec-Fetch-Site: same-origin`, or an `Origin` with the host of the request.
pub(crate) fn is_same_site(request: &Parts, host: &str) -> bool {
    let one = |name: &HeaderName| {
        let mut values = request.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() { Some(None) } else { first.map(|value| value.to_str().ok()) }
    };
    match (one(&SEC_FETCH_SITE), one(&ORIGIN)) {
        (Some(site), _) => site == Some("same-origin"),
        (None, Some(Some(origin))) => {
            let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            named.is_some_and(|named| named.eq_ignore_ascii_case(host))
        }
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("the parts are valid").into_parts().0
    }

    fn named(host: &str) -> Parts {
        parts("/", &[("host", host)])
    }

    #[test]
    fn by_default_only_names_of_the_loopback_interface_are_hosts() {
        let hosts = Hosts::loopback();
        for host in ["localhost", "localhost:9000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:9000"] {
            assert_eq!(hosts.check(&named(host)), Ok(host.to_owned()));
        }
        let others = [
            "evil.example",
            "localhost.evil.example",
            "localhost:80.evil.example",
            "127.0.0.1.evil.example:80",
            "user@localhost",
            "localhost@evil.example",
            "localhost/",
            "localhost ",
            "localhost:70000",
            "localhost:",
            "::1",
            "10.0.0.1",
            "",
        ];
        for host in others {
            assert!(hosts.check(&named(host)).is_err(), "{host:?}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let hosts = Hosts::loopback();
        assert!(hosts.check(&parts("/", &[])).is_err(), "none");
        assert!(hosts.check(&parts("/", &[("host", "localhost"), ("host", "localhost")])).is_err(), "two");
        assert!(hosts.check(&parts("http://localhost/", &[])).is_ok(), "as with HTTP/2");
        assert!(hosts.check(&parts("http://evil.example/", &[("host", "localhost")])).is_err(), "two that differ");
        assert!(hosts.check(&parts("http://localhost/", &[("host", "evil.example")])).is_err(), "two that differ");
        assert!(hosts.check(&parts("http://localhost:1/", &[("host", "localhost:1")])).is_ok(), "the same twice");
    }

    #[test]
    fn a_host_is_allowed_with_any_port_or_with_its_own() {
        let mut hosts = Hosts::loopback();
        hosts.allow("Ops.example.com");
        hosts.allow("ops.example.org:8443");
        for host in ["ops.example.com", "ops.example.com:1", "ops.example.org:8443", "localhost"] {
            assert!(hosts.check(&named(host)).is_ok(), "{host}");
        }
        assert!(hosts.check(&named("ops.example.org")).is_err());
        assert!(hosts.check(&named("ops.example.org:1")).is_err());
    }

    #[test]
    fn a_request_to_act_comes_from_the_page_itself_or_names_its_host() {
        let same = |headers: &[(&str, &str)]| is_same_site(&parts("/", headers), "localhost:9000");
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("sec-fetch-site", "same-origin"), ("origin", "https://ops.example.com")]), "behind a proxy");
        assert!(same(&[("origin", "http://localhost:9000")]));
        assert!(same(&[("origin", "https://localhost:9000")]));
        let others: [&[(&str, &str)]; 12] = [
            &[],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:9000")],
            &[("origin", "null")],
            &[("origin", "http://localhost:9001")],
            &[("origin", "http://localhost:9000.evil.example")],
            &[("origin", "localhost:9000")],
            &[("referer", "http://localhost:9000/")],
        ];
        for headers in others {
            assert!(!same(headers), "{headers:?}");
        }
    }
}
