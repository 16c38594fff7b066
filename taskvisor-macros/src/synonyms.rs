//! The words of other libraries and systems for our options and values, for messages and for the docs.

/// Generates the table, and the rows of the table in the docs.
macro_rules! synonyms {
    ($($list:literal { $($ours:literal: $first:literal $($theirs:literal)*;)+ })+) => {
        const WORDS: &[(&str, &str, &[&str])] = &[$($(($list, $ours, &[$first $(, $theirs)*])),+),+];

        /// The rows of the table in the docs of `#[task]`.
        macro_rules! words_of_others {
            () => {
                concat!($($(
                    "| ", $list, " | `", $ours, "` | `", $first, "`", $(", `", $theirs, "`",)* " |\n"
                ),+),+)
            };
        }

        pub(crate) use words_of_others;
    };
}

// A word can stand in several rows: the first that is valid where it was written is meant.
synonyms! {
    "option" {
        "restart": "restart_policy" "restart_mode" "policy" "respawn" "supervise";
        "interval": "pause" "sleep" "poll_interval" "repeat_after" "cooldown" "fixed_delay" "on_unit_inactive_sec" "on_unit_inactive" "delay_between_runs";
        "every": "period" "rate" "tick" "frequency" "repeat" "repeat_every" "fixed_rate" "repeat_interval" "run_every" "on_unit_active_sec" "on_unit_active";
        "splay": "randomized_delay_sec" "randomized_delay" "stagger" "spread_over";
        "cron": "schedule" "crontab" "cron_expression" "cron_schedule" "calendar" "on_calendar" "at" "run_at" "time_of_day";
        "zone": "timezone" "time_zone" "tz" "cron_tz" "location";
        "missed": "misfire" "misfire_policy" "on_misfire" "catch_up" "catchup" "persistent" "missed_runs" "missed_ticks";
        "late": "starting_deadline" "starting_deadline_seconds" "misfire_grace_time" "misfire_threshold" "lateness" "max_late";
        "last_run": "last" "last_run_at" "last_fire" "last_fire_time" "previous_run" "since";
        "singleton": "leader" "leader_election" "leader_only" "elected" "unique" "single" "exclusive" "cluster" "cluster_singleton" "distributed" "distributed_lock" "on_one_server" "one_server" "once_per_cluster" "disallow_concurrent_execution" "single_instance";
        "standby": "hot_standby" "follower" "secondary" "passive" "when_standby" "on_standby";
        "overrun": "on_overrun" "on_lease_lost" "fencing";
        "ticks": "delivery" "delivery_guarantee" "guarantee" "semantics" "acks_late" "ack_late" "at_most_once" "at_least_once";
        "initial_delay": "delay" "start_delay" "delay_start" "startup_delay" "wait" "first_delay" "on_boot_sec" "on_boot" "on_startup_sec" "countdown";
        "timeout": "deadline" "time_limit" "max_duration" "max_time" "attempt_timeout" "run_timeout" "expires" "soft_time_limit" "active_deadline_seconds" "active_deadline" "task_timeout" "execution_timeout" "start_to_close_timeout";
        "grace": "grace_period" "shutdown_grace" "shutdown_timeout" "termination_grace_period" "stop_timeout" "terminate_after" "shutdown" "timeout_stop" "timeout_stop_sec" "stop_grace_period" "graceful_shutdown" "graceful_timeout";
        "stop_timeout": "shutdown_timeout" "shutdown" "kill_timeout" "timeout_stop" "timeout_stop_sec" "grace_period" "brutal_kill" "kill_after" "termination_grace_period" "stop_grace_period";
        "cleanup": "cleanup_timeout" "clean_up" "teardown";
        "start_timeout": "startup_timeout" "init_timeout" "ready_timeout" "readiness_timeout" "timeout_start_sec" "timeout_start";
        "ready": "readiness_probe" "ready_when" "notify" "service_type";
        "unready_after": "failure_threshold" "max_consecutive_failures";
        "watchdog": "heartbeat" "heartbeat_timeout" "heartbeat_interval" "watchdog_sec" "keepalive" "liveness" "liveness_probe";
        "max_retries": "max_attempts" "retries" "retry" "attempts" "max_tries" "tries" "retry_limit" "retry_count" "max_failures" "max_restarts" "backoff_limit" "maximum_attempts" "max_retry_attempts" "stop_after_attempt" "retry_times" "max_retry";
        "backoff": "retry_policy" "backoff_policy" "exponential" "retry_strategy" "retry_backoff" "retry_delay_policy";
        "critical": "essential" "required" "mandatory" "important" "must_run" "fatal";
        "significant": "auto_shutdown" "main";
        "blocking": "block" "spawn_blocking" "sync" "thread" "dedicated_thread";
        "retry_if": "retry_on" "retry_when" "should_retry" "retryable" "is_retryable" "when" "autoretry_for" "retry_for" "retry_exceptions";
        "final_attempt": "last_attempt" "flush" "on_stop" "on_shutdown";
        "readiness": "counts" "health_check";
        "paused": "suspended" "suspend" "disabled" "on_hold" "hold" "frozen" "inactive" "stopped";
        "after": "depends_on" "requires" "wants" "needs" "dependencies" "deps" "wait_for" "start_after" "part_of" "binds_to";
        "name": "label" "id" "title" "task_name" "alias";
        "strategy": "restart_strategy" "supervision_strategy" "supervisor_strategy" "mode" "kind";
        "tasks": "children" "child_specs" "members" "workers" "services" "processes" "jobs" "units" "specs";
        "subscribers": "subscriber" "listeners" "observers" "handlers" "hooks" "on_event" "events" "telemetry" "logger" "loggers" "log";
        "drain": "drain_period" "drain_for" "quiesce" "pre_stop" "lame_duck" "shutdown_delay";
        "max_concurrent": "concurrency" "max_concurrency" "concurrency_limit" "parallelism" "max_parallel" "max_running";
        "signals": "signal" "handle_signals" "ctrl_c" "catch_signals" "sigterm";
        "fleet": "cluster" "lease_store" "election" "leader_election" "leader";
        "limits": "semaphores" "semaphore" "permits" "resources";
        "slots": "queues" "pools" "lanes";
        "defaults": "default" "common" "all_tasks" "task_defaults";
        "overrides": "override" "env" "env_prefix" "environment" "environment_variables" "config_file";
        "config": "settings" "options" "supervisor_config" "configuration";
    }
    "`backoff`" {
        "first": "initial" "initial_delay" "initial_interval" "min" "min_delay" "base" "base_delay" "delay" "start" "from" "minimum" "interval" "retry_delay" "retry_interval" "restart_delay" "restart_sec" "min_backoff" "backoff_min" "initial_backoff" "base_backoff" "default_retry_delay" "retry_wait" "wait_fixed" "min_wait";
        "max": "cap" "limit" "ceiling" "max_delay" "max_interval" "maximum" "max_backoff" "up_to" "upper" "backoff_max" "retry_backoff_max" "max_wait" "max_retry_delay" "max_retry_interval" "maximum_interval" "retry_max_delay";
        "factor": "multiplier" "exponent" "rate" "growth" "coefficient" "exp" "ratio" "backoff_factor" "backoff_multiplier" "backoff_coefficient" "retry_factor";
        "jitter": "randomize" "random" "randomization" "randomization_factor" "randomness" "spread" "retry_jitter" "backoff_jitter" "with_jitter";
        "reset_after": "reset" "reset_timeout" "reset_period" "healthy_after" "min_uptime" "stable_after" "min_up_time";
    }
    "limit" {
        "max_restarts": "intensity" "restarts" "max_r" "max_failures" "max_retries" "max_intensity" "start_limit_burst" "burst" "count" "max";
        "within": "period" "in" "window" "seconds" "max_seconds" "max_t" "interval" "per" "during" "start_limit_interval_sec" "time_window";
    }
    "`signals`" {
        "interrupt": "sigint" "int" "ctrl_c" "on_interrupt";
        "terminate": "sigterm" "term" "on_terminate" "ctrl_break";
        "force_after": "force" "force_on_second" "second" "window" "debounce";
    }
    "slot" {
        "admission": "policy" "mode" "on_busy" "overflow" "conflict" "concurrency_policy" "strategy";
        "fleet": "cluster" "distributed" "unique" "leader" "single";
        "capacity": "queue" "max_queue" "queue_size" "size" "depth" "buffer" "max";
        "concurrency": "parallelism" "parallel" "workers" "max_parallel" "permits" "places";
        "debounce": "delay" "wait" "settle" "quiet_period" "coalesce";
        "keyed": "keys" "key" "key_by" "by_key" "per_key" "partitioned" "partition_by" "sharded" "per_tenant";
        "rate": "rate_limit" "throttle" "max_rate" "limiter";
        "paused": "suspended" "suspend" "disabled" "on_hold" "hold" "frozen" "inactive" "stopped";
    }
    "`restart`" {
        "always": "permanent" "forever" "loop" "repeat" "unless_stopped" "yes" "true" "keep_alive" "restart";
        "on_failure": "transient" "on_error" "failure" "error" "failed" "on_crash" "on_abnormal" "on_abort" "crash" "retry";
        "never": "temporary" "no" "none" "once" "oneshot" "false" "off" "do_not_restart";
    }
    "`strategy`" {
        "one_for_one": "simple_one_for_one" "independent" "individual" "one" "each";
        "one_for_all": "all" "all_for_one" "all_for_all" "together";
        "rest_for_one": "rest" "rest_for_all" "dependent" "following";
    }
    "`jitter`" {
        "none": "off" "no" "false" "zero" "disabled";
        "full": "random" "true" "on" "uniform" "yes";
        "equal": "half" "bounded";
        "decorrelated": "decorrelate" "aws" "decorr";
    }
    "`missed`" {
        "once": "catch_up" "catchup" "latest" "last" "coalesce" "fire_once" "run_once" "one" "run";
        "skip": "ignore" "drop" "discard" "none" "never" "do_nothing" "off" "forget";
    }
    "`standby`" {
        "ready": "up" "true" "live" "healthy" "hot" "active";
        "not_ready": "unready" "false" "down" "unhealthy" "cold" "passive";
    }
    "`overrun`" {
        "report": "event" "log" "warn" "ignore" "notify" "tell" "none";
        "abort": "kill" "exit" "panic" "terminate" "die" "crash" "suicide";
    }
    "`ticks`" {
        "at_most_once": "once" "most_once" "at_most" "ack_early" "before" "early";
        "at_least_once": "least_once" "at_least" "ack_late" "acks_late" "after" "late" "repeat" "retry";
    }
    "`ready`" {
        "start": "started" "immediate" "immediately" "simple" "spawn" "running" "begin" "exec";
        "signal": "notify" "manual" "explicit" "ready" "on_ready" "callback";
        "first_success": "first" "once" "succeeded" "after_first" "first_run" "on_success";
        "completed": "complete" "completion" "done" "finished" "oneshot" "exit" "exited" "success" "end" "forking";
    }
    "`critical`" {
        "any_end": "always" "end" "ends" "any" "exit" "any_exit" "on_exit" "permanent" "must_not_end";
    }
    "`blocking`" {
        "pool": "blocking_pool" "spawn_blocking" "tokio" "shared" "short" "block_in_place";
    }
    "`admission`" {
        "queue": "fifo" "wait" "enqueue" "allow" "buffer" "serialize";
        "replace": "restart" "supersede" "cancel_previous" "preempt" "switch";
        "latest": "newest" "keep_latest" "coalesce" "conflate" "drop_old" "drop_oldest";
        "drop_if_running": "skip" "drop" "ignore" "reject" "forbid" "exclusive" "discard" "drop_new";
    }
}

/// Returns our words for a word of others, in the lists of that name.
pub(crate) fn ours(lists: &'static [&'static str], written: &str) -> impl Iterator<Item = &'static str> {
    let written = snake_case(written);
    let is_meant = move |list: &str, theirs: &[&str]| lists.contains(&list) && theirs.contains(&&*written);
    WORDS.iter().filter(move |(list, _, theirs)| is_meant(list, theirs)).map(|(_, ours, _)| *ours)
}

/// Returns the option that has the word, if no other has it.
pub(crate) fn option_of_word(word: &str) -> Option<&'static str> {
    let mut options =
        WORDS.iter().filter(|(list, ours, _)| list.starts_with('`') && *ours == word).map(|(list, ..)| list);
    let option = options.next().filter(|_| options.next().is_none())?.trim_matches('`');
    (!["backoff", "signals"].contains(&option)).then_some(option)
}

/// Returns `true` if the option has the word, or another one for it.
pub(crate) fn is_word_of(option: &str, word: &str) -> bool {
    WORDS.iter().any(|(list, ours, theirs)| {
        list.trim_matches('`') == option && list.starts_with('`') && (*ours == word || theirs.contains(&word))
    })
}

/// Returns the word without a unit after it: `interval` for `intervalMs` and `interval_seconds`.
pub(crate) fn without_unit(written: &str) -> Option<String> {
    const UNITS: [&str; 9] = ["ms", "millis", "milliseconds", "s", "sec", "secs", "seconds", "mins", "minutes"];
    let word = snake_case(written);
    let (word, unit) = word.rsplit_once('_')?;
    UNITS.contains(&unit).then(|| word.to_owned())
}

/// Returns `on_failure` for `OnFailure`, `on-failure` and `ON_FAILURE`.
pub(crate) fn snake_case(written: &str) -> String {
    let is_upper = !written.contains(char::is_lowercase);
    let mut text = String::new();
    for c in written.chars() {
        match c {
            '-' | ' ' => text.push('_'),
            c if c.is_uppercase() && !is_upper => {
                if !text.is_empty() && !text.ends_with('_') {
                    text.push('_');
                }
                text.extend(c.to_lowercase());
            }
            c => text.extend(c.to_lowercase()),
        }
    }
    text
}

/// Returns the table, for tests.
#[cfg(test)]
pub(crate) fn words() -> &'static [(&'static str, &'static str, &'static [&'static str])] {
    WORDS
}
