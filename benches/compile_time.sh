#!/usr/bin/env bash
# How long a crate of tasks takes to build and to check: declared with the macros, written by hand with `TaskFn` and the
# builder, and written by hand with a struct and an `impl Task` for each task. And how many lines the macros generate.
#
# The crates have the same functions and the same tree, in groups of ten, and print it: what they print is compared.
# Dependencies are built before; each round then builds and checks the crates anew, one after the other.
#
#     benches/compile_time.sh [rounds] [tasks]        default: 5 rounds, 300 tasks
#
# Fails if the macros take more than LIMIT times as long to build as `TaskFn` (default 1.5), or more than CHECK_LIMIT
# times as long to check as structs (default 1.43).
set -euo pipefail

workspace=$(cd "$(dirname "$0")/.." && pwd)
rounds=${1:-5}
tasks=${2:-300}
limit=${LIMIT:-1.5}
check_limit=${CHECK_LIMIT:-1.43}
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
    tree_of function_value_of
    epilogue
}

tree_of() { # the function that prints a task
    echo 'fn tree(client: &Client) -> Tree {
    let config = SupervisorConfig { grace: Duration::from_secs(10), ..SupervisorConfig::default() };
    let tree = Tree::builder(config);'
    for ((group = 0; group * 10 < tasks; group++)); do
        if ((group % 3 == 0)); then
            echo "let group = Group::new(\"group_$group\", Strategy::RestForOne).with_limit(5, Duration::from_secs(60));"
        else
            echo "let group = Group::new(\"group_$group\", Strategy::OneForOne);"
        fi
        for ((task = group * 10; task < group * 10 + 10 && task < tasks; task++)); do
            echo "let task = $("$1" "$task");"
            setters=$(setters_of "$task")
            if ((task % 10 == 7)); then setters="$setters.with_max_retries(3)"; fi
            echo "let group = group.task(TaskSpec::inherit(task)$setters);"
        done
        echo "let tree = tree.group(group);"
    done
    echo 'tree.build()
}'
}

# A task as a struct with its own `impl Task`.
fields_of() {
    case $(($1 % 5)) in
    0) echo '' ;;
    1) echo 'client: Client' ;;
    2) echo 'number: u64' ;;
    3) echo 'client: Client, name: String' ;;
    4) echo 'number: u64, client: Client' ;;
    esac
}

struct_of() {
    local clones='' call='' ctx=false
    case $(($1 % 5)) in
    0) call="task_$1().await; Ok(())" ;;
    1) clones='let client = self.client.clone();' call="task_$1(ctx, client).await" ctx=true ;;
    2) clones='let number = self.number;' call="task_$1(number).await.map_err(|reason| TaskError::Fail { reason: reason.into() })" ;;
    3) clones='let (client, name) = (self.client.clone(), self.name.clone());' call="task_$1(client, name).await.map_err(TaskError::error)" ;;
    4) clones='let (number, client) = (self.number, self.client.clone());' call="task_$1(ctx, number, client).await" ctx=true ;;
    esac
    echo "struct Task$1 { $(fields_of "$1") }
impl Task for Task$1 {
    fn name(&self) -> &str { \"task_$1\" }
    fn spawn(&self, _: taskvisor::CancellationToken) -> BoxTaskFuture { Box::pin(async { Ok(()) }) }
    fn attempt(&self, ctx: TaskContext) -> BoxTaskFuture {
        let _ = &ctx;
        $clones
        Box::pin(async move { $call })
    }
    fn takes_context(&self) -> bool { $ctx }
}"
}

by_structs() {
    prologue
    echo 'use std::{sync::Arc, time::Duration};
use taskvisor::{BoxTaskFuture, Task, Tree};'
    for ((task = 0; task < tasks; task++)); do
        function_of "$task"
        struct_of "$task"
    done
    tree_of struct_value_of
    epilogue
}

struct_value_of() { echo "Arc::new($(value_of "$1" | sed "s/^task_/Task/"))"; }
function_value_of() { echo "TaskFn::arc(\"task_$1\", $(closure_of "$1"))"; }

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

timed() { # command, name; prints milliseconds on the clock, and of CPU time
    touch "$crates/$2/src/main.rs"
    local TIMEFORMAT='%3R %3U %3S'
    { time cargo "$1" --quiet --manifest-path "$crates/$2/Cargo.toml" >&3 2>&3; } 3>&2 2>&1 |
        awk '{ printf "%d %d\n", $1 * 1000, ($2 + $3) * 1000 }'
}

# Of the numbers in that column.
median() { cut -d ' ' -f "$1" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }

# The lines that the compiler prints for the crate after expansion, without those that are empty.
lines_of() { # name
    touch "$crates/$1/src/main.rs"
    RUSTC_BOOTSTRAP=1 cargo rustc --quiet --profile check --manifest-path "$crates/$1/Cargo.toml" -- -Zunpretty=expanded |
        grep -vc '^ *$'
}

names=(with_macros by_hand by_structs)
for name in "${names[@]}"; do
    make "$name"
    timed build "$name" >/dev/null
    timed check "$name" >/dev/null
    "$CARGO_TARGET_DIR/debug/$name" >"$crates/$name.out"
    if ! diff "$crates/with_macros.out" "$crates/$name.out"; then
        echo "the trees are not the same" >&2
        exit 1
    fi
done

for ((round = 0; round < rounds; round++)); do
    for name in "${names[@]}"; do
        timed build "$name" >>"$crates/$name.build"
        timed check "$name" >>"$crates/$name.check"
    done
done

compare() { # what is compared, the other crate, command, column, limit
    awk -v with="$(median "$4" <"$crates/with_macros.$3")" -v without="$(median "$4" <"$crates/$2.$3")" \
        -v what="$1" -v other="$2" -v limit="$5" '
    BEGIN {
        ratio = with / without
        printf "%s: %d ms with macros, %d ms %s, ratio %.2f (at most %.2f)\n", what, with, without, other, ratio, limit
        exit ratio > limit
    }'
}

echo "$tasks tasks, median of $rounds rounds"
functions=$(for ((task = 0; task < tasks; task++)); do function_of "$task"; done | wc -l)
echo "lines after expansion: $(lines_of with_macros) for $functions of functions, $(lines_of by_structs) with structs"
failed=0
compare "CPU time to build" by_hand build 2 "$limit" || failed=1
compare "clock to build" by_hand build 1 "$limit" || failed=1
compare "CPU time to check" by_hand check 2 10 || failed=1
compare "CPU time to check" by_structs check 2 "$check_limit" || failed=1
exit "$failed"
