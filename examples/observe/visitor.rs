//! Checks the pages from outside.

use std::net::SocketAddr;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::{Instant, sleep};

use crate::http::get;
use crate::say;

/// The time limit for a page to be as expected. At any time, some task may be restarting.
const PATIENCE: Duration = Duration::from_secs(5);
/// The maximum number of matching lines of a page that are printed.
const SHOWN: usize = 12;

/// The parts that each page must contain, with status 200.
const PAGES: [(&str, &[&str]); 4] = [
    ("/livez", &["ok\n"]),
    ("/readyz", &["ok\n"]),
    ("/tree", &["\"path\": \"store/pool\"", "\"strategy\": \"rest_for_one\"", "\"last_error\": "]),
    (
        "/metrics",
        &[
            "taskvisor_attempts_total{task=\"feeds/prices\",outcome=\"timeout\"} ",
            "taskvisor_attempts_total{task=\"feeds/news\",outcome=\"panicked\"} ",
            "taskvisor_attempt_duration_seconds_bucket{task=\"feeds/news\",le=\"0.25\"} ",
            "taskvisor_restarts_total{task=\"store/refresh\"} ",
            "taskvisor_backoff_seconds_count{task=\"feeds/prices\"} ",
            "taskvisor_running{task=\"store/pool\"} ",
            "taskvisor_slot_depth{slot=\"reports\"} ",
            "taskvisor_queued ",
        ],
    ),
];

/// The query of the console, and the parts that its answer must contain.
const CONSOLE: (&str, &[&str]) = ("/?tree", &["\"phase\":\"running\"", "\"path\":\"store/pool\""]);

/// Checks all pages and the console after a while, and ends the program, in failure if one is wrong.
#[task(restart = "never", critical)]
pub(crate) async fn visit(
    ctx: TaskContext,
    addr: SocketAddr,
    console: SocketAddr,
    after: Duration,
) -> Result<(), String> {
    let look = async {
        sleep(after).await;
        for (path, parts) in PAGES {
            let page = as_expected(addr, path, parts).await?;
            let looked_for =
                |line: &&str| !line.starts_with('#') && parts.iter().any(|part| line.contains(part.trim_end()));
            let lines: Vec<_> = page.lines().filter(looked_for).take(SHOWN).collect();
            say(&format!("\nGET {path}\n{}", lines.join("\n")));
        }
        let (path, parts) = CONSOLE;
        as_expected(console, path, parts).await?;
        say("\nthe console answers");
        Ok(())
    };
    // `None`: the program is ending for another reason.
    let looked = ctx.run_until_cancelled(look).await.unwrap_or(Ok(()));
    if looked.is_ok() {
        drop(ctx.supervisor().shutdown());
    }
    looked
}

/// The page, once it contains all parts.
async fn as_expected(addr: SocketAddr, path: &str, parts: &[&str]) -> Result<String, String> {
    let began = Instant::now();
    loop {
        let wrong = match get(addr, path).await {
            Ok((200, page)) => match parts.iter().find(|part| !page.contains(*part)) {
                None => return Ok(page),
                Some(part) => format!("there is no `{part}` in\n{page}"),
            },
            Ok((status, page)) => format!("status {status}\n{page}"),
            Err(error) => error.to_string(),
        };
        if began.elapsed() > PATIENCE {
            return Err(format!("{path}: {wrong}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
}
