//! Serves the console on a Unix socket.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if the path is a file other than a socket,
    /// [`InvalidInput`](ErrorKind::InvalidInput) if it is too long: 80 bytes always fit. The errors of
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
    let folder = folder_beside(path);
    let create = || DirBuilder::new().mode(0o700).create(&folder);
    create().or_else(|error| {
        if error.kind() != ErrorKind::AlreadyExists {
            return Err(error);
        }
        // Left by a process that was killed here. In a container, each has the same id.
        fs::remove_dir_all(&folder)?;
        create()
    })?;
    let bound = bind_in(&folder, path);
    let _ = fs::remove_dir_all(&folder);
    bound
}

/// Returns a folder beside the path that nothing else in this process uses. Its name is short, as a path of a socket
/// has about a hundred bytes.
fn folder_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{:x}.{count:x}", std::process::id()))
}

fn bind_in(folder: &Path, path: &Path) -> io::Result<(UnixListener, Socket)> {
    let new = folder.join("s");
    let listener = UnixListener::bind(&new).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => {
            let text = format!("{} is too long for the path of a socket: one of 80 bytes fits", path.display());
            io::Error::new(ErrorKind::InvalidInput, text)
        }
        _ => error,
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("taskvisor-unix-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn what_a_killed_process_with_this_id_left_is_in_nobodys_way() {
        let folder = in_folder("left");
        let path = folder.join("app.sock");
        // Other tests of this process may count on.
        for count in 0..16 {
            let left = folder.join(format!(".{:x}.{count:x}", std::process::id()));
            fs::create_dir(&left).unwrap();
            fs::write(left.join("s"), "").unwrap();
        }
        let (_listener, socket) = bind(&path).await.unwrap();
        assert!(path.exists());
        drop(socket);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_path_of_80_bytes_fits_and_one_that_is_too_long_is_named() {
        let folder = in_folder("long");
        let left = 79_usize.checked_sub(folder.as_os_str().len()).unwrap();
        let fits = folder.join("n".repeat(left));
        assert_eq!(fits.as_os_str().len(), 80);
        drop(bind(&fits).await.unwrap());
        let long = folder.join("d".repeat(90)).join("app.sock");
        fs::create_dir(long.parent().unwrap()).unwrap();
        let refused = bind(&long).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(refused.to_string().starts_with(&*long.to_string_lossy()), "{refused}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
