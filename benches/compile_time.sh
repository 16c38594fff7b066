#!/usr/bin/env bash
# How long a crate of tasks takes to build, declared with the macros and written by hand with `TaskFn` and the builder.
#
# Both crates have the same functions and the same tree, in groups of ten, and print it: what they print is compared.
# Dependencies are built before; each round then builds both crates anew, one after the other.
#
#     benches/compile_time.sh [rounds] [tasks]        default: 5 rounds, 300 tasks
#
# Fails if the macros take more than LIMIT times as long (default 1.5).
set -euo pipefail

workspace=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-5}
tasks=${2:-300}
limit=${LIMIT:-1.5}
crates=$(mktemp -d)
trap 'rm -rf "$crates"' EXIT
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$workspace/target}/compile_time

# The function of a task, without its attribute.
function_of() {
    case $(($1 % 5)) in
    0) echo "async fn task_$1() {
    println!(\"task $1\");
}" ;;
    1) echo "async fn task_$1(ctx: TaskContext, client: Client) -> Result<(), TaskError> {
    println!(\"{} asks {}\", ctx.name(), client.address);
    ctx.cancelled().await;
    Ok(())
}" ;;
    2) echo "async fn task_$1(number: u64) -> Result<(), String> {
    number.checked_sub(1).map(drop).ok_or_else(|| String::from(\"nothing left\"))
}" ;;
    3) echo "async fn task_$1(client: Client, name: String) -> Result<(), std::io::Error> {
    println!(\"{name} asks {}\", client.address);
    Ok(())
}" ;;
    4) echo "async fn task_$1(ctx: TaskContext, number: u64, client: Client) -> Result<(), TaskError> {
    let _ = (ctx.attempt(), number, client);
    Ok(())
}" ;;
    esac
}

# What a task is declared with, as options and as calls.
options_of() {
    case $(($1 % 5)) in
    0) echo '' ;;
    1) echo 'timeout = "5s"' ;;
    2) echo 'restart = "always", interval = "10s"' ;;
    3) echo 'restart = "on_failure", max_retries = 5, backoff(first = "200ms", factor = 2.0, jitter = "equal")' ;;
    4) echo 'restart = "always", interval = "1m", timeout = "30s", stop_timeout = "5s", backoff(max = "10s")' ;;
    esac
}

setters_of() {
    case $(($1 % 5)) in
    0) echo '' ;;
    1) echo '.with_timeout(Duration::from_secs(5))' ;;
    2) echo '.with_restart(RestartPolicy::Always { interval: Some(Duration::from_secs(10)) })' ;;
    3) echo '.with_restart(RestartPolicy::OnFailure).with_max_retries(5).with_backoff(BackoffPolicy {
        first: Duration::from_millis(200), factor: 2.0, jitter: JitterPolicy::Equal, ..BackoffPolicy::default()
    })' ;;
    4) echo '.with_restart(RestartPolicy::Always { interval: Some(Duration::from_secs(60)) })
        .with_timeout(Duration::from_secs(30)).with_stop_timeout(Duration::from_secs(5))
        .with_backoff(BackoffPolicy { max: Duration::from_secs(10), ..BackoffPolicy::default() })' ;;
    esac
}

# A task as a value, and as a closure.
value_of() {
    case $(($1 % 5)) in
    0) echo "task_$1 {}" ;;
    1) echo "task_$1 { client: client.clone() }" ;;
    2) echo "task_$1 { number: $1 }" ;;
    3) echo "task_$1 { client: client.clone(), name: String::from(\"name\") }" ;;
    4) echo "task_$1 { number: $1, client: client.clone() }" ;;
    esac
}

closure_of() {
    case $(($1 % 5)) in
    0) echo "|_: TaskContext| async {
        task_$1().await;
        Ok(())
    }" ;;
    1) echo "{
        let client = client.clone();
        move |ctx: TaskContext| task_$1(ctx, client.clone())
    }" ;;
    2) echo "move |_: TaskContext| async move { task_$1($1).await.map_err(|reason| TaskError::Fail { reason: reason.into() }) }" ;;
    3) echo "{
        let (client, name) = (client.clone(), String::from(\"name\"));
        move |_: TaskContext| {
            let (client, name) = (client.clone(), name.clone());
            async move { task_$1(client, name).await.map_err(|error| TaskError::Error(error.into())) }
        }
    }" ;;
    4) echo "{
        let client = client.clone();
        move |ctx: TaskContext| task_$1(ctx, $1, client.clone())
    }" ;;
    esac
}

prologue() {
    echo "use taskvisor::prelude::*;
#[derive(Clone)]
struct Client {
    address: String,
}"
}

epilogue() {
    echo "fn main() {
    let tree = tree(&Client { address: String::from(\"localhost\") });
    println!(\"{}\", tree.snapshot());
}"
}

with_macros() {
    prologue
    for ((task = 0; task < tasks; task++)); do
        echo "#[task($(options_of "$task"))]"
        function_of "$task"
    done
    echo '#[supervisor]
fn tree(client: &Client) -> App {
    supervise!(
        grace = "10s",
        tasks = ['
    for ((group = 0; group * 10 < tasks; group++)); do
        echo "group_$group = group("
        if ((group % 3 == 0)); then echo 'strategy = rest_for_one(max_restarts = 5, within = "60s"),'; fi
        echo "tasks = ["
        for ((task = group * 10; task < group * 10 + 10 && task < tasks; task++)); do
            if ((task % 10 == 7)); then
                echo "task($(value_of "$task"), max_retries = 3),"
            else
                echo "$(value_of "$task"),"
            fi
        done
        echo "]),"
    done
    echo '],)
}'
    epilogue
}

by_hand() {
    prologue
    echo 'use std::time::Duration;
use taskvisor::{Tree};'
    for ((task = 0; task < tasks; task++)); do
        function_of "$task"
    done
    echo 'fn tree(client: &Client) -> Tree {
    let config = SupervisorConfig { grace: Duration::from_secs(10), ..SupervisorConfig::default() };
    let tree = Tree::builder(config);'
    for ((group = 0; group * 10 < tasks; group++)); do
        if ((group % 3 == 0)); then
            echo "let group = Group::new(\"group_$group\", Strategy::RestForOne).limit(5, Duration::from_secs(60));"
        else
            echo "let group = Group::new(\"group_$group\", Strategy::OneForOne);"
        fi
        for ((task = group * 10; task < group * 10 + 10 && task < tasks; task++)); do
            echo "let task = TaskFn::arc(\"task_$task\", $(closure_of "$task"));"
            setters=$(setters_of "$task")
            if ((task % 10 == 7)); then setters="$setters.with_max_retries(3)"; fi
            echo "let group = group.task(TaskSpec::inherit(task)$setters);"
        done
        echo "let tree = tree.group(group);"
    done
    echo 'tree.build()
}'
    epilogue
}

make() { # name
    mkdir -p "$crates/$1/src"
    echo "[package]
name = \"$1\"
edition = \"2024\"

[dependencies]
taskvisor = { path = \"$workspace/taskvisor\" }

[workspace]" >"$crates/$1/Cargo.toml"
    "$1" >"$crates/$1/src/main.rs"
}

build() { # name; prints milliseconds on the clock, and of CPU time
    touch "$crates/$1/src/main.rs"
    local TIMEFORMAT='%3R %3U %3S'
    { time cargo build --quiet --manifest-path "$crates/$1/Cargo.toml" >&3 2>&3; } 3>&2 2>&1 |
        awk '{ printf "%d %d\n", $1 * 1000, ($2 + $3) * 1000 }'
}

# Of the numbers in that column.
median() { cut -d ' ' -f "$1" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }

make with_macros
make by_hand
build with_macros >/dev/null
build by_hand >/dev/null
if ! diff <("$CARGO_TARGET_DIR/debug/with_macros") <("$CARGO_TARGET_DIR/debug/by_hand"); then
    echo "the two trees are not the same" >&2
    exit 1
fi

for ((round = 0; round < rounds; round++)); do
    build with_macros >>"$crates/with"
    build by_hand >>"$crates/without"
done

compare() { # column, what it is, limit
    awk -v with="$(median "$1" <"$crates/with")" -v without="$(median "$1" <"$crates/without")" -v what="$2" -v limit="$3" '
    BEGIN {
        ratio = with / without
        printf "%s: %d ms with macros, %d ms by hand, ratio %.2f (at most %.2f)\n", what, with, without, ratio, limit
        exit ratio > limit
    }'
}

echo "$tasks tasks, median of $rounds builds"
compare 2 "CPU time" "$limit" && cpu=0 || cpu=1
compare 1 "clock" "$limit" && exit "$cpu"
