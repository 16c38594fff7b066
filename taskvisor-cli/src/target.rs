//! The address of a console.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use hyper::Uri;
use hyper::header::HeaderValue;

use crate::text::plain;

/// A valid address, for error messages.
const EXAMPLE: &str = "http://127.0.0.1:9000/console";

/// The address of the console, and the headers of requests.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// The value of the header `Host`.
    pub(crate) host: String,
    /// The path at which the console is mounted.
    pub(crate) path: String,
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

/// The address to connect to.
#[derive(Debug)]
pub(crate) enum Place {
    /// A host and port.
    Tcp(String, u16),
    /// A host and port, with TLS.
    #[cfg(feature = "rustls")]
    Tls(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Target {
    /// Reads the URL, with the name of its source, and the path of a socket.
    pub(crate) fn new(
        url: Option<(&str, &str)>,
        socket: Option<&OsStr>,
        token: Option<String>,
    ) -> Result<Self, String> {
        let mut target = match url {
            Some((from, url)) => Self::of_url(url)
                .map_err(|wrong| format!("{from} is `{}`: {wrong}, expected a URL such as {EXAMPLE}", plain(url)))?,
            None if socket.is_some() => Self::of_socket(PathBuf::new()),
            None => {
                return Err(format!(
                    "no console is named: give `--url {EXAMPLE}`, `--socket /run/app.sock`, or set TASKVISOR_URL"
                ));
            }
        };
        if let Some(socket) = socket {
            if socket.is_empty() {
                return Err("`--socket` is empty, expected the path of a Unix socket".to_owned());
            }
            target.place = Place::Unix(PathBuf::from(socket));
        }
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "TASKVISOR_TOKEN has characters that no header can have".to_owned())?;
            value.set_sensitive(true);
            target.authorization = Some(value);
        }
        Ok(target)
    }

    fn of_socket(path: PathBuf) -> Self {
        Self { place: Place::Unix(path), host: "localhost".to_owned(), path: "/".to_owned(), authorization: None }
    }

    fn of_url(url: &str) -> Result<Self, &'static str> {
        if let Some(socket) = url.strip_prefix("unix:") {
            let socket = socket.strip_prefix("//").unwrap_or(socket);
            return if socket.starts_with('/') {
                Ok(Self::of_socket(PathBuf::from(socket)))
            } else {
                Err("the path of the socket is not absolute")
            };
        }
        // The part behind `#` is for browsers.
        let url = url.split('#').next().unwrap_or_default();
        let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("it has no scheme or host");
        };
        if authority.as_str().contains('@') {
            return Err("a URL with a user is not supported");
        }
        if uri.query().is_some() {
            return Err("it has a query");
        }
        if authority.host().is_empty() {
            return Err("it has no scheme or host");
        }
        // The parser takes any text for a port.
        let behind_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !matches!(behind_host, "" | ":") && authority.port_u16().is_none() {
            return Err("its port is not a number up to 65535");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let place = match scheme {
            "http" => Place::Tcp(host, authority.port_u16().unwrap_or(80)),
            #[cfg(feature = "rustls")]
            "https" => Place::Tls(host, authority.port_u16().unwrap_or(443)),
            #[cfg(not(feature = "rustls"))]
            "https" => return Err("this program was built without the feature `rustls`"),
            _ => return Err("its scheme is not supported"),
        };
        Ok(Self { place, host: authority.as_str().to_owned(), path: uri.path().to_owned(), authorization: None })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(..) => write!(f, "http://{}{}", plain(&self.host), plain(&self.path)),
            #[cfg(feature = "rustls")]
            Place::Tls(..) => write!(f, "https://{}{}", plain(&self.host), plain(&self.path)),
            Place::Unix(socket) => {
                write!(f, "unix:{}", plain(&socket.to_string_lossy()))?;
                // The path is shown only if it was given.
                if self.path == "/" { Ok(()) } else { write!(f, " (path {})", plain(&self.path)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Target::new(Some(("`--url`", url)), None, None) {
            Ok(target) => format!("{target} {:?} {}", target.place, target.host),
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn a_url_says_place_host_and_path() {
        for (url, expected) in [
            ("http://127.0.0.1:9000/console", "http://127.0.0.1:9000/console Tcp(\"127.0.0.1\", 9000) 127.0.0.1:9000"),
            ("http://localhost", "http://localhost/ Tcp(\"localhost\", 80) localhost"),
            ("http://localhost:/", "http://localhost:/ Tcp(\"localhost\", 80) localhost:"),
            ("http://localhost:65535", "http://localhost:65535/ Tcp(\"localhost\", 65535) localhost:65535"),
            ("http://[::1]:7/a/#/store", "http://[::1]:7/a/ Tcp(\"::1\", 7) [::1]:7"),
            ("unix:/run/app.sock", "unix:/run/app.sock Unix(\"/run/app.sock\") localhost"),
            ("unix:///run/app.sock", "unix:/run/app.sock Unix(\"/run/app.sock\") localhost"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_wrong_url_is_named_with_what_would_be_right() {
        for (url, wrong) in [
            ("127.0.0.1:9000", "it has no scheme or host"),
            ("localhost/console", "it is not a URL"),
            ("http://", "it is not a URL"),
            ("http://:9000/", "it has no scheme or host"),
            ("http://localhost:70000/console", "its port is not a number up to 65535"),
            ("http://localhost:http/", "its port is not a number up to 65535"),
            ("http://[::1]:-1/", "its port is not a number up to 65535"),
            ("http://[::1]9000/", "its port is not a number up to 65535"),
            ("ftp://localhost/", "its scheme is not supported"),
            ("http://me:secret@localhost/", "a URL with a user is not supported"),
            ("http://localhost/console?tree", "it has a query"),
            ("unix:app.sock", "the path of the socket is not absolute"),
        ] {
            assert_eq!(
                shown(url),
                format!("`--url` is `{url}`: {wrong}, expected a URL such as http://127.0.0.1:9000/console")
            );
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn https_needs_its_feature() {
        assert!(shown("https://ops.example.com/").contains("built without the feature `rustls`"));
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn https_has_its_own_port() {
        assert!(shown("https://ops.example.com/").contains("Tls(\"ops.example.com\", 443)"));
    }

    #[test]
    fn a_socket_with_a_url_has_the_path_and_host_of_that() {
        let target = Target::new(Some(("`--url`", "http://ops/console")), Some(OsStr::new("/s")), None).unwrap();
        assert_eq!((target.to_string().as_str(), target.host.as_str()), ("unix:/s (path /console)", "ops"));
        assert!(matches!(target.place, Place::Unix(_)));
    }

    #[test]
    fn a_token_is_never_shown() {
        let target = Target::new(Some(("`--url`", "http://ops/")), None, Some("hush".to_owned())).unwrap();
        assert_eq!(target.authorization.as_ref().unwrap(), "Bearer hush");
        assert!(!format!("{target:?} {target}").contains("hush"));
    }
}
