//! Serves the console on a Unix socket.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::connections::serve;
use crate::Console;

impl Console {
    /// Serves the console on a Unix socket, which only this user can connect to: its mode is 0600. It never returns `Ok`:
    /// dropping the future closes all connections and removes the socket. In a task, wrap it as [`serve`](Self::serve).
    ///
    /// A stale socket, on which no process listens any more, such as that of a killed process, is replaced. Requests
    /// name the host `localhost`, as in `curl --unix-socket /run/app.sock http://localhost/`.
    ///
    /// # Errors
    /// [`AddrInUse`](ErrorKind::AddrInUse) if another process listens on it,
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if the path is a file other than a socket. The errors of
    /// [`UnixListener::bind`].
    ///
    /// # Cancel safety
    /// Dropping the future ends the service.
    pub async fn serve_unix(self, path: impl AsRef<Path>) -> io::Result<()> {
        let (listener, _socket) = bind(path.as_ref()).await?;
        serve(self, async || listener.accept().await.map(|(stream, _)| stream)).await
    }
}

/// The file of a socket, removed when this is dropped unless another one has taken its place.
struct Socket {
    path: PathBuf,
    /// The device and the inode.
    file: (u64, u64),
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            // If the file cannot be removed, the next process replaces it as stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Binds the socket in a folder that only this user can enter, and moves it to its path when its mode is set. So no
/// other user can connect at any time, and a stale socket is replaced in one step.
async fn bind(path: &Path) -> io::Result<(UnixListener, Socket)> {
    check(path).await?;
    let folder = path.with_extension(format!("{}.new", std::process::id()));
    DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = bind_in(&folder, path);
    let _ = fs::remove_dir_all(&folder);
    bound
}

fn bind_in(folder: &Path, path: &Path) -> io::Result<(UnixListener, Socket)> {
    let new = folder.join("s");
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    let file = identity(&new)?;
    fs::rename(&new, path)?;
    Ok((listener, Socket { path: path.to_owned(), file }))
}

/// Returns `Ok` if there is no file at the path, or a stale socket.
async fn check(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        let text = format!("{} is there, and is no socket", path.display());
        return Err(io::Error::new(ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, format!("another process serves {}", path.display()))),
        Err(error) => Err(error),
    }
}
