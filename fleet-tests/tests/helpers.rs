//! The helpers do what the tests of the stores rely on.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use fleet_tests::{Daemon, DaemonSpec, Link, Proxy, free_port, new_folder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Starts a server that answers each byte with it, and reports those that it gets.
async fn echo() -> (Proxy, mpsc::UnboundedReceiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await.unwrap();
    let (report, got) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let report = report.clone();
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    let _ = (report.send(byte), stream.write_u8(byte).await);
                }
            });
        }
    });
    (proxy, got)
}

/// Test programs that run side by side get different ports, also before a server listens there.
#[test]
fn a_free_port_is_claimed_as_long_as_the_program_runs() {
    let ports = [(); 3].map(|()| free_port());
    for port in ports {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        assert_eq!(claim.err().map(|error| error.kind()), Some(ErrorKind::AddrInUse), "{port} of {ports:?}");
    }
}

async fn is_mute(stream: &mut TcpStream) -> bool {
    timeout(Duration::from_millis(50), stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn an_open_link_passes_and_a_cut_closes() {
    let (proxy, _got) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_u8(1).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    proxy.cut().await;
    assert!(stream.read_u8().await.is_err());
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_u8(2).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), 2);
    proxy.set(Link::Cut);
    assert!(stream.read_u8().await.is_err());
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(refused.read_u8().await.is_err());
    assert_eq!(proxy.accepted(), 3);
}

#[tokio::test]
async fn what_is_held_comes_later() {
    let (proxy, mut got) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    proxy.set(Link::RepliesHeld);
    stream.write_u8(1).await.unwrap();
    assert_eq!(got.recv().await, Some(1));
    assert!(is_mute(&mut stream).await);
    proxy.set(Link::Open);
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    for link in [Link::Stalled, Link::RequestsHeld] {
        proxy.set(link);
        stream.write_u8(2).await.unwrap();
        assert!(is_mute(&mut stream).await);
        assert!(got.try_recv().is_err(), "{link:?}");
        proxy.set(Link::Open);
        assert_eq!((stream.read_u8().await.unwrap(), got.recv().await), (2, Some(2)));
    }
}

#[tokio::test]
async fn what_is_dropped_is_lost() {
    for (link, arrives) in [(Link::RepliesDropped, true), (Link::RequestsDropped, false)] {
        let (proxy, mut got) = echo().await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.set(link);
        stream.write_u8(1).await.unwrap();
        if arrives {
            assert_eq!(got.recv().await, Some(1), "{link:?}");
        }
        assert!(is_mute(&mut stream).await);
        assert!(got.try_recv().is_err(), "{link:?}");
        proxy.set(Link::Open);
        stream.write_u8(2).await.unwrap();
        assert!(is_mute(&mut stream).await, "{link:?}: that direction stays mute");
        let mut fresh = TcpStream::connect(proxy.address()).await.unwrap();
        fresh.write_u8(3).await.unwrap();
        assert_eq!(fresh.read_u8().await.unwrap(), 3);
    }
}

#[test]
fn a_daemon_ends_with_its_handle() {
    let folder = new_folder("fleet-tests");
    let log = folder.join("log");
    let script = "echo started $WORD; exec sleep 1000";
    let spec = DaemonSpec::new("/bin/sh", &log).args(["-c", script]).env("WORD", "it").remove(&folder);
    let daemon = Daemon::start(&spec);
    while !daemon.log().contains("started it") {
        std::thread::yield_now();
    }
    let process = format!("/proc/{}", daemon.id());
    daemon.signal("STOP");
    assert!(!cfg!(target_os = "linux") || Path::new(&process).exists());
    daemon.end_and_keep();
    assert!(!Path::new(&process).exists());
    assert!(folder.exists());
    drop(Daemon::start(&spec));
    assert!(!folder.exists());
}

#[test]
fn a_folder_that_a_killed_process_has_left_is_passed_over() {
    let first = new_folder("left");
    let (path, number) = first.to_str().unwrap().rsplit_once('-').unwrap();
    let next = format!("{path}-{}", number.parse::<u32>().unwrap() + 1);
    // It may be another test that gets the next number.
    let _ = std::fs::create_dir(&next);
    let second = new_folder("left");
    assert!(second != first && second.to_str() != Some(&next) && second.is_dir());
    for folder in [&first, &second, Path::new(&next)] {
        std::fs::remove_dir(folder).unwrap();
    }
}
