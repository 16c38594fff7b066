//! `events`: the last events, and those to come.

use std::collections::VecDeque;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Bye, Changes, Event, Full, Log};
use crate::stream::Parser;
use crate::text::{plain, plain_json};

/// The time between two attempts to connect again.
const RETRY: Duration = Duration::from_secs(1);
/// A stream sends a line every 15 s, so one that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(40);
/// The largest number of printed lines without a number that are remembered. A console lists a hundred.
const UNNUMBERED: usize = 200;
/// The longest message, in bytes. A snapshot of a large tree is one message.
const LONGEST: usize = 256 * 1024 * 1024;

/// The level of an event, as `LogLevel` of the library. More important levels are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("debug", Self::Debug), ("info", Self::Info), ("warn", Self::Warn), ("error", Self::Error)];

    /// Returns the level of that name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, level)| level)
    }
}

pub(super) async fn run(
    follow: bool,
    level: Level,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let (boot, unnumbered) = (String::new(), VecDeque::new());
    let mut follower = Follower { client, level, json, output, boot, last: None, unnumbered };
    if !follow {
        if !follower.past().await? {
            follower.output.remark("no events: a console keeps them only while somebody follows, as `events -f` does");
        }
        return Ok(());
    }
    // The first connection must succeed, so that a wrong address is an error.
    let mut was_there = false;
    loop {
        match follower.follow(&mut was_there).await {
            Err(failure) if !was_there || !failure.is_temporary() => return Err(failure),
            Err(failure) => follower.output.remark(&format!("{failure}; trying again")),
            Ok(()) => {}
        }
        follower.return_of().await?;
    }
}

struct Follower<'a> {
    client: &'a Client,
    /// The lowest level that is printed.
    level: Level,
    json: bool,
    output: &'a mut Output,
    /// The process whose events were printed, and the number of the last one.
    boot: String,
    last: Option<u64>,
    /// The last lines without a number, which are those of actions.
    unnumbered: VecDeque<String>,
}

impl Follower<'_> {
    /// Prints the events that the console has kept. Returns `true` if there are lines other than actions, which are
    /// kept also without an open stream.
    async fn past(&mut self) -> Result<bool, Failure> {
        let Log { log } = self.client.get("log").await?.value;
        let has_seen = log.iter().any(|line| line["kind"] != "ConsoleAction");
        self.print(log)?;
        Ok(has_seen)
    }

    /// Prints the events of one stream until its end.
    async fn follow(&mut self, was_there: &mut bool) -> Result<(), Failure> {
        let mut body = self.client.stream("events").await?;
        let mut parser = Parser::new(LONGEST);
        loop {
            let late = || Failure::Late { at: self.client.at(), timeout: SILENCE, changes: false };
            let Some(part) = timeout(SILENCE, body.part()).await.map_err(|_| late())?? else { return Ok(()) };
            let messages = parser.push(&part).map_err(|_| self.not_a_console("a message of its stream has no end"))?;
            for message in messages {
                match &*message.event {
                    "snapshot" => {
                        let Full { boot, .. } = self.read(&message.data)?;
                        self.began(boot);
                        *was_there = true;
                        // The events before this stream, and those between two streams.
                        self.past().await?;
                    }
                    "changes" => {
                        let Changes { log, log_lost } = self.read(&message.data)?;
                        self.print(log)?;
                        if log_lost > 0 {
                            self.output.remark(&format!("{log_lost} events were lost"));
                        }
                    }
                    "bye" => {
                        let Bye { reason } = self.read(&message.data)?;
                        self.output.remark(&format!("the tree shuts down: {}", plain(&reason)));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Waits until a console answers again.
    async fn return_of(&mut self) -> Result<(), Failure> {
        loop {
            sleep(RETRY).await;
            match self.client.get::<Full>("tree").await {
                // While a process shuts down, it opens no stream.
                Ok(answer) if answer.value.phase == "running" || answer.value.boot != self.boot => return Ok(()),
                Ok(_) => {}
                Err(failure) if failure.is_temporary() => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn began(&mut self, boot: String) {
        if self.boot != boot {
            if !self.boot.is_empty() {
                self.output.remark("the program was started again");
            }
            self.boot = boot;
            self.last = None;
            self.unnumbered.clear();
        }
    }

    /// Prints the events that were not printed before.
    fn print(&mut self, log: Vec<Value>) -> Result<(), Failure> {
        let mut text = String::new();
        for value in log {
            let line = value.to_string();
            let event: Event = self.read_value(value)?;
            // Events with an unknown level are printed.
            let is_minor = Level::of(&event.level).is_some_and(|level| level < self.level);
            if !self.is_new(event.seq, &line) || is_minor {
                continue;
            }
            text.push_str(&if self.json { plain_json(&line) } else { self.line(&event) });
            text.push('\n');
        }
        if text.is_empty() { Ok(()) } else { self.output.print(&text) }
    }

    fn is_new(&mut self, seq: Option<u64>, line: &str) -> bool {
        if seq.is_some() {
            let is_new = seq > self.last;
            self.last = self.last.max(seq);
            return is_new;
        }
        let is_new = !self.unnumbered.iter().any(|known| known == line);
        if is_new {
            self.unnumbered.push_back(line.to_owned());
            if self.unnumbered.len() > UNNUMBERED {
                self.unnumbered.pop_front();
            }
        }
        is_new
    }

    fn line(&self, Event { at, level, text, .. }: &Event) -> String {
        let style = match &**level {
            "error" => Style::Bad,
            "warn" => Style::Waiting,
            "debug" | "trace" => Style::Faint,
            _ => Style::Plain,
        };
        let level = format!("{:5}", plain(&level.to_uppercase()));
        let colored = self.output.colored();
        let at = plain(at.as_deref().unwrap_or("-"));
        format!("{} {} {}", Style::Faint.paint(&at, colored), style.paint(&level, colored), plain(text))
    }

    fn read<T: DeserializeOwned>(&self, data: &str) -> Result<T, Failure> {
        serde_json::from_str(data)
            .map_err(|error| self.not_a_console(&format!("its stream has another form ({error})")))
    }

    fn read_value<T: DeserializeOwned>(&self, value: Value) -> Result<T, Failure> {
        serde_json::from_value(value)
            .map_err(|error| self.not_a_console(&format!("its log has another form ({error})")))
    }

    fn not_a_console(&self, found: &str) -> Failure {
        Failure::NotAConsole { at: self.client.at(), found: found.to_owned() }
    }
}
