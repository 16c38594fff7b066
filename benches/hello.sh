#!/usr/bin/env bash
# What a program that says hello pays for being supervised: the time of a cold build, and its size.
#
# Six programs: Tokio alone; a flat supervisor without default features; macros and a flat tree; macros and a group; macros and a
# calendar schedule (the feature `cron`, which has no bar); and a peer, task-supervisor, which has no macros. What they depend on
# is downloaded before; each build is cold, dependencies included. Each round builds all, one after the other, and compares
# them with Tokio alone of the same round.
#
#     benches/hello.sh [rounds]        default: 3 rounds
#
# Fails if taskvisor adds more, by the median of the rounds, than a bar allows: a number for macros; what the peer adds for the
# flat supervisor, and half as much again for a group. On a machine that does something else as well the clock says little, and
# the CPU time more.
set -euo pipefail

workspace=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-3}
bar_debug=1.0   # seconds on the clock
bar_release=1.5 # seconds on the clock
bar_size=150    # KiB of the stripped release build
crates=$(mktemp -d)
trap 'rm -rf "$crates"' EXIT
export CARGO_TERM_COLOR=never
unset CARGO_TARGET_DIR CARGO_INCREMENTAL RUSTFLAGS

bare() {
    echo '#[tokio::main]
async fn main() {
    println!("hello");
}'
}

taskvisor() {
    echo 'use taskvisor::prelude::*;

#[task(restart = "never")]
async fn hello() {
    println!("hello");
}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    supervise!(tasks = [hello {}]).run().await
}'
}

flat() {
    echo 'use std::sync::Arc;
use taskvisor::{RuntimeError, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec};

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    let hello = TaskFn::new("hello", |_: TaskContext| async {
        println!("hello");
        Ok::<(), TaskError>(())
    });
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    supervisor.run(vec![TaskSpec::inherit(Arc::new(hello))]).await
}'
}

group() {
    taskvisor | sed 's/tasks = \[hello {}\]/tasks = [greeters = group(strategy = "one_for_all", tasks = [hello {}])]/'
}

cron() {
    echo 'use taskvisor::prelude::*;

#[task(restart = "always", cron = "30 2 * * *", zone = "Europe/Berlin")]
async fn nightly() {}

#[tokio::main]
async fn main() -> Result<(), RuntimeError> {
    let tree = supervise!(tasks = [nightly {}]);
    tree.run_until(async { println!("hello") }).await
}'
}

task_supervisor() {
    echo 'use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};

#[derive(Clone)]
struct Hello;

impl SupervisedTask for Hello {
    async fn run(self, _: CancellationToken) -> TaskResult {
        println!("hello");
        Ok(())
    }
}

#[tokio::main]
async fn main() {
    let handle = SupervisorBuilder::new().with_task("hello", Hello).spawn();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    handle.shutdown().await.unwrap();
}'
}

dependency_of() {
    case $1 in
    bare) ;;
    flat) echo "taskvisor = { path = \"$workspace/taskvisor\", default-features = false }" ;;
    taskvisor | group) echo "taskvisor = { path = \"$workspace/taskvisor\" }" ;;
    cron) echo "taskvisor = { path = \"$workspace/taskvisor\", features = [\"cron\"] }" ;;
    task_supervisor) echo 'task-supervisor = "0.5"' ;;
    esac
}

make() { # name
    mkdir -p "$crates/$1/src"
    echo "[package]
name = \"hello\"
edition = \"2024\"

[dependencies]
tokio = { version = \"1\", features = [\"full\"] }
$(dependency_of "$1")

# As those from a registry are built, of which taskvisor would be one.
[profile.dev.package.\"*\"]
incremental = false

[workspace]" >"$crates/$1/Cargo.toml"
    "$1" >"$crates/$1/src/main.rs"
    cargo fetch --quiet --manifest-path "$crates/$1/Cargo.toml"
}

# The bytes of that program, stripped. It must say what it is to say.
size_of() { # name, program
    if [ "$("$2")" != hello ]; then
        echo "$1 did not say hello" >&2
        exit 1
    fi
    strip -o "$2.stripped" "$2"
    wc -c <"$2.stripped"
}

# Adds to `samples`: name, profile, seconds on the clock, seconds of CPU time; of a release build, its size as well.
build() { # name, profile
    local target=$crates/target TIMEFORMAT='%3R %3U %3S'
    rm -rf "$target"
    { time cargo build --quiet --offline --profile "$2" --manifest-path "$crates/$1/Cargo.toml" \
        --target-dir "$target" >&3 2>&3; } 3>&2 2>&1 |
        awk -v name="$1" -v profile="$2" '{ print name, profile, $1, $2 + $3 }' >>"$crates/samples"
    if [ "$2" = release ]; then
        local size
        size=$(size_of "$1" "$target/release/hello")
        echo "$1 size $size" >>"$crates/samples"
    fi
}

contenders='bare flat taskvisor group cron task_supervisor'
for name in $contenders; do make "$name"; done
build bare dev # The first reads the disk.
: >"$crates/samples"
for ((round = 0; round < rounds; round++)); do
    for profile in dev release; do
        for name in $contenders; do build "$name" "$profile"; done
    done
done

echo "median of $rounds cold builds, over bare Tokio"
awk -v rounds="$rounds" -v bar_debug="$bar_debug" -v bar_release="$bar_release" -v bar_size="$bar_size" '
function median(name, row, over,    i, j, swap, sorted) {
    for (i = 1; i <= rounds; i++) sorted[i] = sample[name, row, i] - (over ? sample["bare", row, i] : 0)
    for (i = 2; i <= rounds; i++)
        for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) {
            swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
        }
    return (sorted[int((rounds + 1) / 2)] + sorted[int(rounds / 2) + 1]) / 2
}
function verdict(ours, bar) {
    if (bar == "") return ""
    missed += ours > bar
    return ours <= bar ? " ok" : " MISSED"
}
function line(what, row, form, bar,    peer, i, name, names, bars, count) {
    peer = median("task_supervisor", row, 1)
    count = split("flat taskvisor group cron", names, " ")
    bars["flat"] = peer
    bars["taskvisor"] = bar
    bars["group"] = 1.5 * peer
    printf "| %-17s | %10s", what, sprintf("%" form, median("bare", row, 0))
    for (i = 1; i <= count; i++) {
        name = names[i]
        printf " | %15s", sprintf("%+" form, median(name, row, 1)) verdict(median(name, row, 1), bars[name])
    }
    printf " | %15s |\n", sprintf("%+" form, peer)
}
$2 == "size" { sample[$1, "size", ++count[$1, "size"]] = $3 / 1024 }
$2 != "size" { sample[$1, $2 " clock", ++count[$1, $2]] = $3; sample[$1, $2 " cpu", count[$1, $2]] = $4 }
END {
    printf "| %-17s | %10s | %15s | %15s | %15s | %15s | %15s |\n",
        "", "bare Tokio", "flat", "macros", "with a group", "with cron", "task-supervisor"
    print "| ----------------- | ---------- | --------------- | --------------- | --------------- | --------------- | --------------- |"
    line("debug, s", "dev clock", ".2f", bar_debug)
    line("debug, s of CPU", "dev cpu", ".2f", "")
    line("release, s", "release clock", ".2f", bar_release)
    line("release, s of CPU", "release cpu", ".2f", "")
    line("stripped, KiB", "size", ".0f", bar_size)
    exit missed > 0
}' "$crates/samples"
