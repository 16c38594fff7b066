//! Schedules that are wrong alone, and beside other options.

use std::time::Duration;
use taskvisor::prelude::*;

#[task(restart = "always", cron = "0 0 2 * * *")]
async fn with_seconds() {}

#[task(restart = "always", cron = "0 0 30 2 *")]
async fn never_comes() {}

// All errors of a pattern at once.
#[task(restart = "always", cron = "70 24 * * mno")]
async fn three_fields() {}

#[task(restart = "always", cron = "")]
async fn empty() {}

#[task(restart = "always", cron = "02:30")]
async fn time_of_day() {}

#[task(restart = "always", cron = "10m")]
async fn duration() {}

#[task(restart = "always", cron = "CRON_TZ=Asia/Tokyo 0 2 * * *")]
async fn zone_within() {}

#[task(restart = "always", cron = "@dayly", missed = "twice", late = "500ms", zone = " ")]
async fn each_value() {}

#[task(restart = "always", cron = 5, missed = true, late = 5, zone = 'c')]
async fn other_literals() {}

#[task(restart = "always", cron = "@daily", missed = "catch_up", late = "0s", zone = America/Argentina/Buenos_Aires)]
async fn unquoted_zone() {}

#[task(restart = "always", cron = 30 2 * * *)]
async fn unquoted_pattern() {}

#[task(cron = */15 8,12 * 1 mon-fri, restart = "always", zone = "UTC")]
async fn another_unquoted_pattern() {}

#[task(restart = "always", cron = @daily)]
async fn unquoted_nickname() {}

#[task(restart = "always", cron("@daily"), zone, missed(once), late)]
async fn forms() {}

#[task(cron = "@daily")]
async fn without_restart() {}

#[task(cron = "@daily", restart = "on_failure")]
async fn another_restart() {}

#[task(cron = "10m")]
async fn two_mistakes() {}

#[task(restart = "always", cron = "@daily", every = "1h", interval = Duration::ZERO, initial_delay = "1m")]
async fn all_at_once() {}

#[task(restart = "always", cron = "@daily", ready = "signal")]
async fn ready_by_signal(ctx: TaskContext) {
    ctx.ready();
}

#[task(restart = "always", cron = "@daily", ready = "completed", unready_after = 3)]
async fn ready_by_an_end() {}

#[task(cron = "@daily", ready = "first_success", unready_after = 0)]
async fn ready_by_a_success() {}

#[task(restart = "always", cron = "@daily", significant)]
async fn never_ends() {}

#[task(restart = "always", zone = "Europe/Berlin", missed = "skip", late = "1h")]
async fn without_a_pattern() {}

#[task(restart = "always", every = "1h", zone = "Europe/Berlin")]
async fn by_a_period() {}

#[task(restart = "always", cron = "@daily", last_run = None)]
async fn known_too_early() {}

// A word that cannot be read is one error, and contradicts nothing.
#[task(restart = "alwyas", cron = "@daily", splay = "1m")]
async fn unreadable_word() {}

#[task(restart = "always", schedule = "@daily", timezone = "UTC", misfire = "skip", misfire_grace_time = "1h")]
async fn other_words() {}

#[task(restart = "always", cron = "@daily", splay = "10m", zone = "UTC", ready = "start")]
async fn right() {}

fn main() {
    let _ = supervise!(
        cron = "@daily",
        zone = "Europe/Berlin",
        last_run = None,
        tasks = [right {}],
    );
    let _ = supervise!(
        defaults(zone = "", cron = "@daily", missed = "skip", late = "1h", last_run = None),
        tasks = [
            // What is missing here may be in `#[task]`.
            task(right {}, zone = "Europe/Berlin", missed = "skip", late = "59s", last_run = None),
            zero = task(right {}, missed = skip, late = "61s"),
            one = task(right {}, cron = "60 * * * *", late = "999ms", last_run = "2026-01-01"),
            two = task(right {}, cron = "@daily", restart = "never", last_run),
            three = task(right {}, cron = "@daily", every = "1h", ready = "completed", last_run = 5),
            four = task(right {}, restart = "always", interval = "1h", late = "1h", zone = "UTC"),
            five = task(right {}, restart = "always", every = "1h", late = "1h", zone = "UTC"),
            store = group(tasks = [without_restart {}], cron = "@daily", last_run = None, zone = "UTC"),
        ],
    );
    let _ = supervise!(defaults(zone = 5), tasks = [right {}]);
}
