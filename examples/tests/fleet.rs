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

use fleet_tests::{PgBouncer, Postgres, Redis, faketime, skip};

/// Three seeds, which run one after another, because the tests of other engines run at the same time.
const SEEDS: [u64; 3] = [7, 11, 42];
const SECONDS: &str = "42";
/// The faults that must occur at least once in three seeds.
const OF_SERVERS: [&str; 12] = [
    "kill -9",
    "stopped",
    "shutdown",
    "line cut",
    "line stalled",
    "requests held",
    "replies held",
    "requests lost",
    "replies lost",
    "server killed",
    "clock set by +2 h",
    "clock set by -2 h",
];

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

/// Runs the example with three seeds, and shows the output of the failed runs.
fn all_is_well(engine: &str, args: &[&str], faults: &[&str]) {
    let mut struck = String::new();
    for seed in SEEDS {
        let output = run(seed, args);
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{engine}, seed {seed}: {}\n{told}\n{errors}", output.status);
        assert!(told.ends_with("\nall is well\n"), "{engine}, seed {seed}\n{told}");
        // The server that the program starts has a different clock.
        let is_off = told.lines().next().is_some_and(|line| line.contains("PostgreSQL, whose clock is +2.0 h off"));
        assert_eq!(is_off, engine == "PostgreSQL" && faketime().is_some(), "{told}");
        let checks: String =
            told.lines().skip_while(|line| *line != "faults").fold(String::new(), |text, line| text + line + "\n");
        println!("{engine}, seed {seed}\n{checks}");
        struck += &checks;
    }
    for fault in faults {
        let strikes = struck.lines().filter(|line| line.ends_with(fault)).count();
        assert!(strikes > 0, "{engine}: nothing was struck by {fault:?}\n{struck}");
    }
}

/// Runs all engines at once, because they mostly wait.
#[test]
fn one_owner_whatever_fails() {
    let has_clocks = faketime().is_some();
    if !has_clocks {
        skip("replicas whose clocks are set", "faketime");
    }
    let of_servers = if has_clocks { &OF_SERVERS[..] } else { &OF_SERVERS[..OF_SERVERS.len() - 2] };
    let mut of_postgres = of_servers.to_vec();
    of_postgres.extend(PgBouncer::is_installed().then_some("through PgBouncer"));
    thread::scope(|scope| {
        scope.spawn(|| all_is_well("a store in memory", &[], &[]));
        if Postgres::is_installed() {
            scope.spawn(|| all_is_well("PostgreSQL", &["--postgres", "own"], &of_postgres));
        }
        if Redis::is_installed() {
            scope.spawn(|| all_is_well("Redis", &["--redis", "own"], of_servers));
        }
    });
}
