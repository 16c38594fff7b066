//! A page in another process: it reads the stream of the console, as a browser does, and shows nothing.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

/// Reads the stream until its end or until the process is ended, and opens it again.
pub(crate) fn read(addr: SocketAddr) -> ! {
    loop {
        let _ = read_once(addr);
        thread::sleep(Duration::from_secs(1));
    }
}

fn read_once(addr: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    write!(stream, "GET /?events HTTP/1.1\r\nHost: {addr}\r\nAccept: text/event-stream\r\n\r\n")?;
    let mut part = vec![0; 1 << 16];
    while stream.read(&mut part)? > 0 {}
    Ok(())
}

/// An open page, which is closed on drop.
pub(crate) struct Page(Child);

impl Page {
    pub(crate) fn open(addr: SocketAddr) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        let child = command.args(["--read", &addr.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
