//! The commands on standard input.

use std::time::Duration;

use taskvisor::{ChildHandle, Tree};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::time::sleep;

/// Runs the commands on standard input. Returns after `quit`, on a signal, and after the given time.
pub(crate) async fn obey(tree: &Tree, nightly: &ChildHandle, seconds: Option<Duration>) {
    let ended = async {
        match seconds {
            Some(seconds) => sleep(seconds).await,
            None => drop(tokio::signal::ctrl_c().await),
        }
    };
    tokio::select! {
        () = ended => {}
        () = lines(tree, nightly) => {}
    }
}

async fn lines(tree: &Tree, nightly: &ChildHandle) {
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match answer(tree, nightly, line.trim()) {
            Some(answer) => println!("{answer}"),
            None => return,
        }
    }
    // Without a terminal there are no lines, and the program goes on.
    std::future::pending::<()>().await;
}

/// Returns the answer to a line; `None` to end.
pub(crate) fn answer(tree: &Tree, nightly: &ChildHandle, line: &str) -> Option<String> {
    Some(match line {
        "run" if nightly.trigger() => "the report is made now".to_owned(),
        "run" => "the report is not waiting for its time".to_owned(),
        "pause" if nightly.pause() => "no report begins until `resume`".to_owned(),
        "pause" => "the report is paused already".to_owned(),
        "resume" if nightly.resume() => "the report runs by its schedule again".to_owned(),
        "resume" => "the report is not paused".to_owned(),
        "settings" => tree.settings().to_string(),
        "next" => match tree.schedule(3) {
            Ok(runs) => runs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(error) => error.to_string(),
        },
        "quit" => return None,
        other => format!("`{other}` is no command: write `run`, `pause`, `resume`, `next`, `settings` or `quit`"),
    })
}
