//! The command line.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use taskvisor_parse::duration;
use taskvisor_parse::suggest::{closest, list};

use crate::commands::{Action, Command, Level};
use crate::target::Target;
use crate::text::plain;

pub(crate) const HELP: &str = "\
Looks at a running supervision tree, and controls it, through its console.

Usage: taskvisor [OPTIONS] <COMMAND>

Commands:
  status [PATH]  Whether the tree, or what is at and below PATH, is ready, and
                 what needs attention
  why PATH       Why a task or group is in its state
  tree           All groups and tasks with their state
  timers         What begins at a time that is known, the soonest first
  slots [SLOT]   All slots with what runs and waits in them, or one of them;
                 that of a key is SLOT/KEY
  events [-f]    The last events, which the console keeps only while somebody
                 follows; -f, --follow waits for more, also when the program
                 starts again; --level LEVEL leaves out what is below debug,
                 info, warn or error
  restart PATH   Restart a task or group
  trigger PATH   Begin the next attempt of a waiting task now
  cancel PATH    Stop a task, and do not start it again
  pause PATH     Begin no attempt of a task or group
  resume PATH    End a pause
  pause-slot SLOT, resume-slot SLOT
                 The same for a slot, or for SLOT/KEY

The path of the whole tree is empty: `taskvisor pause \"\"`.

Options:
  --url URL       Where the console is: http://127.0.0.1:9000/console, or
                  unix:/run/app.sock
  --socket FILE   The Unix socket of the console; with --url, that says the
                  host and path of the requests
  --timeout TIME  The longest wait for an answer, such as 5s or 1m; 10s without
                  it
  --json          Print the answer of the console as JSON; of events one object
                  a line
  -h, --help      Print this
  -V, --version   Print the version

Environment:
  TASKVISOR_URL    The URL, if neither --url nor --socket is given
  TASKVISOR_TOKEN  Sent as `Authorization: Bearer ..`, for consoles and proxies
                   that ask for one
  NO_COLOR         No colors on a terminal either

Exit status: 0 if all is well, 1 after an error, 2 if the arguments are wrong,
3 from `status` if it is not ready, 4 if there is no such path or slot.
";

/// The commands, for the suggestion after a mistake.
const COMMANDS: [&str; 13] = [
    "status",
    "why",
    "tree",
    "timers",
    "slots",
    "events",
    "restart",
    "trigger",
    "cancel",
    "pause",
    "resume",
    "pause-slot",
    "resume-slot",
];
const OPTIONS: [&str; 8] = ["url", "socket", "timeout", "json", "help", "version", "follow", "level"];

/// The longest wait for an answer. A console waits for at most 5 s for the end of a canceled task.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The request of the command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// To print a text.
    Print(String),
    /// To carry a command out.
    Run { command: Command, target: Target, timeout: Duration, json: bool },
}

/// The given options.
#[derive(Default)]
struct Given {
    url: Option<String>,
    socket: Option<OsString>,
    timeout: Option<Duration>,
    json: bool,
    follow: bool,
    level: Option<Level>,
    words: Vec<String>,
}

/// Reads the arguments, without the program's name, and the environment. The error names the problem, and valid values.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Parsed, String> {
    let mut given = Given::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(said)? {
        match argument {
            Short('h') | Long("help") => return Ok(Parsed::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                return Ok(Parsed::Print(concat!("taskvisor ", env!("CARGO_PKG_VERSION"), "\n").to_owned()));
            }
            Short('f') | Long("follow") => given.follow = true,
            Long("level") => given.level = Some(level(&parser.value().map_err(said)?.string().map_err(said)?)?),
            Long("json") => given.json = true,
            Long("url") => given.url = Some(parser.value().map_err(said)?.string().map_err(said)?),
            Long("socket") => given.socket = Some(parser.value().map_err(said)?),
            Long("timeout") => {
                let text = parser.value().map_err(said)?.string().map_err(said)?;
                let timeout = duration::parse(&text).map_err(|wrong| plain(&format!("`--timeout`: {wrong}")))?;
                given.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
                if given.timeout.is_none() {
                    return Err("`--timeout` is 0, expected a time such as 5s".to_owned());
                }
            }
            Value(word) => given.words.push(word.string().map_err(said)?),
            Long(option) => return Err(unknown("option", "--", option, &OPTIONS)),
            Short(option) => return Err(unknown("option", "-", &option.to_string(), &[])),
        }
    }
    let command = command(&given)?;
    let token = match environment("TASKVISOR_TOKEN").filter(|token| !token.is_empty()) {
        None => None,
        // The token itself is a secret.
        Some(token) => Some(token.into_string().map_err(|_| "TASKVISOR_TOKEN is not text".to_owned())?),
    };
    let url = match (given.url, &given.socket) {
        (Some(url), _) => Some(("`--url`", url)),
        (None, Some(_)) => None,
        (None, None) => {
            let url = environment("TASKVISOR_URL").filter(|url| !url.is_empty());
            url.map(|url| ("TASKVISOR_URL", url.to_string_lossy().into_owned()))
        }
    };
    let target = Target::new(url.as_ref().map(|(from, url)| (*from, &**url)), given.socket.as_deref(), token)?;
    Ok(Parsed::Run { command, target, timeout: given.timeout.unwrap_or(TIMEOUT), json: given.json })
}

/// Reads the words that are not options.
fn command(given: &Given) -> Result<Command, String> {
    let mut words = given.words.iter();
    let Some(name) = words.next() else { return Err("a command is missing, see `taskvisor --help`".to_owned()) };
    let path = words.next();
    if let Some(more) = words.next() {
        return Err(unexpected(more, name));
    }
    if given.follow && name != "events" {
        return Err(format!("`--follow` is an option of `events`, not of `{}`", plain(name)));
    }
    if given.level.is_some() && name != "events" {
        return Err(format!("`--level` is an option of `events`, not of `{}`", plain(name)));
    }
    let none = |command| path.map_or(Ok(command), |path| Err(unexpected(path, name)));
    let needed = || path.cloned().ok_or_else(|| format!("`{name}` needs a path, such as `{name} store/pool`"));
    let act = |action| Ok(Command::Act(action, needed()?));
    let slot = || path.cloned().ok_or_else(|| format!("`{name}` needs a slot, such as `{name} deploy`"));
    let act_on_slot = |action| Ok(Command::Act(action, slot()?));
    match &**name {
        "status" => Ok(Command::Status(path.cloned())),
        "why" => Ok(Command::Why(needed()?)),
        "tree" => none(Command::Tree),
        "timers" => none(Command::Timers),
        "slots" => Ok(Command::Slots(path.cloned())),
        "events" => none(Command::Events { follow: given.follow, level: given.level.unwrap_or(Level::Debug) }),
        "restart" => act(Action::Restart),
        "trigger" => act(Action::Trigger),
        "cancel" => act(Action::Cancel),
        "pause" => act(Action::Pause),
        "resume" => act(Action::Resume),
        "pause-slot" => act_on_slot(Action::PauseSlot),
        "resume-slot" => act_on_slot(Action::ResumeSlot),
        _ => Err(unknown("command", "", name, &COMMANDS)),
    }
}

fn level(name: &str) -> Result<Level, String> {
    Level::of(&name.to_lowercase()).ok_or_else(|| {
        let known = list(Level::ALL.map(|(name, _)| name), '`');
        format!("`--level` is `{}`, expected {known}", plain(name))
    })
}

fn unexpected(word: &str, command: &str) -> String {
    format!("unexpected argument `{}` after `{}`", plain(word), plain(command))
}

fn unknown(kind: &str, dashes: &str, written: &str, known: &[&str]) -> String {
    let meant = closest(written, known.iter().copied())
        .map_or_else(|| "see `taskvisor --help`".to_owned(), |meant| format!("did you mean `{dashes}{meant}`?"));
    format!("unknown {kind} `{dashes}{}`, {meant}", plain(written))
}

/// Returns the error of the parser as text.
fn said(error: impl Into<lexopt::Error>) -> String {
    let wrong = match error.into() {
        lexopt::Error::MissingValue { option: Some(option) } => format!("`{option}` needs a value"),
        lexopt::Error::UnexpectedValue { option, .. } => format!("`{option}` takes no value"),
        lexopt::Error::NonUnicodeValue(value) => {
            format!("{:?} is not UTF-8", OsStr::to_string_lossy(&value))
        }
        error => error.to_string(),
    };
    plain(&wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Parsed, String> {
        parse(line.split_whitespace().map(OsString::from), |_| None)
    }

    fn shown(line: &str) -> String {
        match read(line) {
            Ok(Parsed::Run { command, target, timeout, json }) => {
                format!("{command:?} {target} {timeout:?}{}", if json { " json" } else { "" })
            }
            Ok(Parsed::Print(text)) => text,
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn each_command_is_read() {
        for (line, command) in [
            ("status", "Status(None)"),
            ("status store", "Status(Some(\"store\"))"),
            ("why store/pool", "Why(\"store/pool\")"),
            ("tree", "Tree"),
            ("timers", "Timers"),
            ("slots", "Slots(None)"),
            ("slots jobs/acme", "Slots(Some(\"jobs/acme\"))"),
            ("events", "Events { follow: false, level: Debug }"),
            ("events -f", "Events { follow: true, level: Debug }"),
            ("--follow events --level WARN", "Events { follow: true, level: Warn }"),
            ("restart a", "Act(Restart, \"a\")"),
            ("trigger a", "Act(Trigger, \"a\")"),
            ("cancel a", "Act(Cancel, \"a\")"),
            ("pause a", "Act(Pause, \"a\")"),
            ("resume -- -a", "Act(Resume, \"-a\")"),
            ("pause-slot a", "Act(PauseSlot, \"a\")"),
            ("resume-slot a", "Act(ResumeSlot, \"a\")"),
        ] {
            let read = shown(&format!("--url http://localhost:1/c {line}"));
            let Some((command_read, _)) = read.split_once(" http://") else { panic!("{line}: {read}") };
            assert_eq!(command_read, command, "{line}");
        }
    }

    #[test]
    fn the_options_are_read_on_either_side_of_the_command() {
        assert!(shown("status --url http://[::1]:9000").ends_with(" http://[::1]:9000/ 10s"));
        assert!(shown("cancel a --socket /run/app.sock").ends_with(" unix:/run/app.sock 10s"));
        assert!(shown("cancel a --timeout 500ms --socket=/s --json").ends_with(" 500ms json"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let at = "--url http://localhost/";
        for (line, wrong) in [
            ("", "a command is missing, see `taskvisor --help`"),
            ("statsu", "unknown command `statsu`, did you mean `status`?"),
            ("start", "unknown command `start`, did you mean `restart`?"),
            ("fly", "unknown command `fly`, see `taskvisor --help`"),
            ("why", "`why` needs a path, such as `why store/pool`"),
            ("tree store", "unexpected argument `store` after `tree`"),
            ("why a b", "unexpected argument `b` after `why`"),
            ("status -f", "`--follow` is an option of `events`, not of `status`"),
            ("status --jsn", "unknown option `--jsn`, did you mean `--json`?"),
            ("status -x", "unknown option `-x`, see `taskvisor --help`"),
            ("status --json=yes", "`--json` takes no value"),
            ("status --timeout", "`--timeout` needs a value"),
            ("status --timeout 0s", "`--timeout` is 0, expected a time such as 5s"),
        ] {
            assert_eq!(shown(&format!("{at} {line}")), wrong);
        }
        assert!(shown(&format!("{at} status --timeout 5")).starts_with("`--timeout`: "));
    }

    #[test]
    fn without_an_address_the_error_says_how_to_give_one() {
        assert_eq!(
            shown("status"),
            "no console is named: give `--url http://127.0.0.1:9000/console`, `--socket /run/app.sock`, or set \
             TASKVISOR_URL"
        );
    }

    #[test]
    fn the_environment_is_read_where_no_option_says_it() {
        let environment = |name: &str| (name == "TASKVISOR_URL").then(|| "http://127.0.0.1:7/x".into());
        let target = |line: &str| match parse(line.split_whitespace().map(OsString::from), environment) {
            Ok(Parsed::Run { target, .. }) => target.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(target("tree"), "http://127.0.0.1:7/x");
        assert_eq!(target("tree --url http://127.0.0.1:8/y"), "http://127.0.0.1:8/y");
        assert_eq!(target("tree --socket /s"), "unix:/s");
    }
}
