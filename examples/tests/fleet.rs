//! Runs the example `fleet` under its faults: with supervisors in one process, and with processes and real servers.
//!
//! `cargo test -p examples --features fleet-servers` builds the example first; with `--test fleet` alone it does not.

#[path = "../fleet/checks.rs"]
mod checks;
#[path = "../fleet/history.rs"]
#[expect(dead_code, reason = "its checks are tested here")]
mod history;
#[path = "../fleet/log.rs"]
#[expect(dead_code, reason = "its checks are tested here")]
mod log;
#[path = "../fleet/plan.rs"]
#[expect(dead_code, reason = "its checks are tested here")]
mod plan;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;

use fleet_tests::{Postgres, Redis};

/// The faults of three seeds, one after another: the machine has other engines to run at the same time.
const SEEDS: [u64; 3] = [7, 11, 42];
const SECONDS: &str = "32";

/// Returns the example, which `cargo test` builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("it is in `deps`");
    folder.join("examples").join(format!("fleet{}", std::env::consts::EXE_SUFFIX))
}

fn run(seed: u64, args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(["--chaos", &seed.to_string(), "--seconds", SECONDS]).args(args);
    command.output().expect("the example is built: `cargo test -p examples --features fleet-servers`")
}

/// Runs it with three seeds, and shows what those that fail have told.
fn all_is_well(engine: &str, args: &[&str]) {
    for seed in SEEDS {
        let output = run(seed, args);
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{engine}, seed {seed}: {}\n{told}\n{errors}", output.status);
        assert!(told.ends_with("\nall is well\n"), "{engine}, seed {seed}\n{told}");
        let checks: String = told
            .lines()
            .skip_while(|line| !line.starts_with("checks"))
            .fold(String::new(), |text, line| text + line + "\n");
        println!("{engine}, seed {seed}\n{checks}");
    }
}

/// All engines at once: they mostly wait.
#[test]
fn one_owner_whatever_fails() {
    let (postgres, redis) = (Postgres::start(&[]), Redis::start());
    let postgres = postgres.as_ref().map(Postgres::url);
    let redis = redis.as_ref().map(Redis::url);
    let engines = [
        ("a store in memory", Some(vec![])),
        ("PostgreSQL", postgres.as_deref().map(|url| vec!["--postgres", url])),
        ("Redis", redis.as_deref().map(|url| vec!["--redis", url])),
    ];
    thread::scope(|scope| {
        for (engine, args) in engines {
            let Some(args) = args else { continue };
            scope.spawn(move || all_is_well(engine, &args));
        }
    });
}
