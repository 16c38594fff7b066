//! Certificates for servers that speak TLS.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::postgres::user;
use crate::{find, new_folder, skip};

/// An authority that nobody knows, and what it has signed: a certificate and a key for `localhost` and 127.0.0.1, in
/// files that servers can read. They are removed when this is dropped.
#[derive(Debug)]
pub struct Certificate {
    folder: PathBuf,
}

const SCRIPT: &str = "
set -e
new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj /CN=nobody
openssl req $new -keyout key.pem -out request.pem -subj /CN=localhost
echo 'subjectAltName = DNS:localhost, IP:127.0.0.1' > names
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem
chmod 600 key.pem
";

impl Certificate {
    /// Makes one. `None`: openssl was not found, and the test is skipped.
    ///
    /// # Panics
    /// If openssl fails.
    pub fn make() -> Option<Self> {
        if find("openssl", &[]).is_none() {
            skip("a server that speaks TLS", "openssl");
            return None;
        }
        let folder = new_folder("certificate");
        let made = Command::new("/bin/sh").args(["-c", SCRIPT]).current_dir(&folder).stdin(Stdio::null()).output();
        let made = made.expect("a shell starts");
        assert!(made.status.success(), "no certificate: {}", String::from_utf8_lossy(&made.stderr));
        if let Some(user) = user() {
            let owned = Command::new("chown").args(["-R", user]).arg(&folder).status();
            assert!(owned.is_ok_and(|status| status.success()), "the folder is given to {user}");
        }
        Some(Self { folder })
    }

    /// Returns the certificate of the authority, as PEM and as DER.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn authority(&self) -> (Vec<u8>, Vec<u8>) {
        let pem = std::fs::read(self.folder.join("ca.pem")).expect("it is there");
        let mut der = Command::new("openssl");
        let der = der.args(["x509", "-outform", "der", "-in"]).arg(self.folder.join("ca.pem")).output();
        let der = der.expect("openssl starts").stdout;
        (pem, der)
    }

    /// Returns the file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// Returns the file of the key.
    pub fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
