//! Starts the order service, which is a package of its own, so that no other example has to build its database drivers:
//! `cargo run --example orders -- --load 200 --chaos 7` is `cargo run -p orders -- --load 200 --chaos 7`.

use std::env;
use std::io;
use std::path::Path;
use std::process::Command;

fn main() -> io::Result<()> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("orders/Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(manifest).arg("--").args(env::args_os().skip(1));
    become_it(cargo)
}

/// Replaces this process by the service, so that the service gets the signals.
#[cfg(unix)]
fn become_it(mut cargo: Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(cargo.exec())
}

#[cfg(not(unix))]
fn become_it(mut cargo: Command) -> io::Result<()> {
    let status = cargo.status()?;
    std::process::exit(status.code().unwrap_or(1))
}
