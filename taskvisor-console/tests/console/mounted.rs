//! The console in servers: in axum, in hyper, and on a port or socket of its own.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use crate::common::*;
use axum::Router;
use taskvisor::{TaskContext, TaskFn};
use taskvisor_console::{Access, Console};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(60);

/// Sends the head of a request, and returns the stream of the answer.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, head: &str) -> S {
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    stream
}

/// Returns what comes up to a text, or to the end.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(end) {
            if stream.read_buf(&mut text).await.expect("it is read") == 0 {
                break;
            }
        }
    };
    timeout(LONG, read).await.expect("it comes");
    String::from_utf8(text).expect("text")
}

async fn whole(stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> String {
    read_until(&mut send(stream, head).await, "nothing says this").await
}

fn get_head(addr: SocketAddr, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")
}

async fn at(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.expect("it listens")
}

#[tokio::test]
async fn axum_serves_it_as_a_route_and_nested_and_beside_others() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let app = Router::new()
        .route("/", axum::routing::get(|| async { "the service" }))
        .route_service("/console", console.clone())
        .nest_service("/ops", console.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    for target in ["/console?tree", "/ops?tree", "/ops/?tree"] {
        let answer = whole(at(addr).await, &get_head(addr, target)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"path\":\"web\""), "{target}: {answer}");
    }
    let page = whole(at(addr).await, &get_head(addr, "/console")).await;
    assert!(page.contains("text/html") && page.contains("href=\"?style.css\""), "{page}");
    let head = format!("HEAD /console?tree HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = whole(at(addr).await, &head).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\n"), "{answer}");
    server.abort();
}

#[tokio::test]
async fn an_open_page_does_not_hold_a_graceful_shutdown_of_axum_up() {
    let bound = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = bound.local_addr().expect("an address");
    let bound = std::sync::Mutex::new(Some(bound));
    let serve = TaskFn::arc("serve", move |ctx: TaskContext| {
        let listener = bound.lock().expect("no panic").take();
        async move {
            let listener = listener.expect("it starts once");
            let app = Router::new().route_service("/console", Console::new(ctx.supervisor()));
            let served = axum::serve(listener, app).with_graceful_shutdown(ctx.token().cancelled_owned()).await;
            served.map_err(|error| taskvisor::TaskError::Fail { reason: error.to_string() })
        }
    });
    let tree = started(builder().task(serve)).await;
    let head = format!("GET /console?events HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    let mut page = send(at(addr).await, &head).await;
    read_until(&mut page, "event: snapshot").await;
    // Within the grace: a stream that stayed open would be an error here.
    tree.shutdown().await.expect("every task stops in time");
    let rest = read_until(&mut page, "nothing says this").await;
    assert!(rest.contains("event: bye") && rest.ends_with("0\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn a_client_that_goes_is_forgotten() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let server = tokio::spawn(console.clone().serve_on(listener));
    let head = format!("GET /?events HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    let mut page = send(at(addr).await, &head).await;
    read_until(&mut page, "event: snapshot").await;
    assert_eq!(console.streams(), 1);
    drop(page);
    let gone = async {
        while console.streams() > 0 {
            // Something has to be sent to find that it is gone.
            tree.child("web").pause();
            tree.child("web").resume();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, gone).await.expect("it is found");
    server.abort();
}

#[tokio::test]
async fn what_is_not_a_request_does_no_harm() {
    let tree = started(builder().task(runs("web"))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let server = tokio::spawn(console(&tree).allow_actions().serve_on(listener));
    let cases = [
        ("\u{0}\u{1}\u{2}\r\n\r\n", "HTTP/1.1 400"),
        ("GET /?tree HTTP/1.1\r\n\r\n", "HTTP/1.1 421"),
        ("GET /?tree HTTP/1.0\r\n\r\n", "HTTP/1.0 421"),
        ("GET /?tree HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 421"),
        ("GET http://evil.example/?tree HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 421"),
        ("POST /?pause=web HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 403"),
        (
            "POST /?pause=web HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200",
        ),
    ];
    for (head, status) in cases {
        let mut stream = send(at(addr).await, head).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with(status), "{head}: {answer}");
    }
    assert!(tree.child("web").is_paused(), "the body is not waited for");
    server.abort();
}

#[tokio::test]
async fn it_is_not_served_beyond_loopback_without_a_decision_on_access() {
    let tree = started(builder()).await;
    for addr in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        let refused = timeout(LONG, console(&tree).allow_actions().serve(addr)).await.expect("it returns");
        let error = refused.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{addr}: {error}");
        assert!(error.to_string().contains("Console::access"), "{error}");
    }
    let decided = console(&tree).access(|_| Access::ReadOnly).serve("0.0.0.0:0");
    assert!(timeout(Duration::from_millis(50), decided).await.is_err(), "it serves");
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let refused = timeout(LONG, console(&tree).serve_on(listener)).await.expect("it returns");
    assert_eq!(refused.expect_err("it is refused").kind(), ErrorKind::InvalidInput);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_for_its_user_only_and_a_stale_one_is_replaced() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    use std::os::unix::net::UnixListener;

    use tokio::net::UnixStream;

    let tree = started(builder().task(runs("web"))).await;
    let folder = std::env::temp_dir().join(format!("taskvisor-console-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("app.sock");

    // Closed, but not removed.
    drop(UnixListener::bind(&path).expect("a socket"));
    let server = tokio::spawn(console(&tree).serve_unix(path.clone()));
    let connected = async {
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let stream = timeout(LONG, connected).await.expect("it listens");
    let answer = whole(stream, "GET /?tree HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"path\":\"web\""), "{answer}");
    let found = std::fs::metadata(&path).expect("it is there");
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 1, "nothing else is left");

    let second = timeout(LONG, console(&tree).serve_unix(&path)).await.expect("it returns");
    assert_eq!(second.expect_err("it is in use").kind(), ErrorKind::AddrInUse);
    server.abort();
    let _ = server.await;
    assert!(!path.exists(), "it is removed at the end");

    std::fs::write(&path, "a file").expect("it is written");
    let refused = timeout(LONG, console(&tree).serve_unix(&path)).await.expect("it returns");
    assert_eq!(refused.expect_err("it is a file").kind(), ErrorKind::AlreadyExists);
    std::fs::remove_dir_all(&folder).expect("it is removed");
}
