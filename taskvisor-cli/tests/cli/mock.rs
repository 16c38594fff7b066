//! A server that answers each request with what a closure says.

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request: its first line and its headers, in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
}

impl Request {
    /// The method and what stands behind `?`.
    pub(crate) fn asks(&self) -> (&str, &str) {
        let mut words = self.line.split(' ');
        let (method, uri) = (words.next().unwrap(), words.next().unwrap());
        (method, uri.split_once('?').map_or("", |(_, query)| query))
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|line| line == header)
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, a content type and a body.
    Page(u16, &'static str, String),
    /// These bytes, and then the end of the connection.
    Bytes(String),
    /// These bytes, and then nothing.
    Open(String),
}

impl Reply {
    pub(crate) fn json(body: impl Display) -> Self {
        Self::Page(200, "application/json", format!("{body}"))
    }

    pub(crate) fn error(status: u16, error: &str) -> Self {
        Self::Page(status, "application/json", serde_json::json!({ "error": error }).to_string())
    }
}

/// A running server, for as long as the process of the test.
pub(crate) struct Mock {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Mock {
    pub(crate) fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/console", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || serve(stream.try_clone().unwrap(), stream, &seen, &*answer));
            }
        });
        Self { url, requests }
    }

    pub(crate) fn at_socket(path: &Path, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream.try_clone().unwrap(), stream, &seen, &answer);
            }
        });
        Self { url: format!("unix:{}", path.display()), requests }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(input: impl Read, mut output: impl Write, seen: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    let lines = BufReader::new(input).lines().map_while(Result::ok);
    let mut lines = lines.take_while(|line| !line.is_empty());
    let Some(line) = lines.next() else { return };
    let request = Request { line, headers: lines.map(|line| line.to_ascii_lowercase()).collect() };
    seen.lock().unwrap().push(request.clone());
    // The other side may be gone.
    let _ = match answer(&request) {
        Reply::Page(status, kind, body) => write!(
            output,
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
        Reply::Bytes(bytes) => output.write_all(bytes.as_bytes()),
        Reply::Open(bytes) => {
            let _ = output.write_all(bytes.as_bytes());
            // Longer than the test.
            thread::sleep(Duration::from_secs(600));
            Ok(())
        }
    };
}
