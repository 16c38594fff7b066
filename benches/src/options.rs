//! The options on the command line.

use std::path::PathBuf;

use crate::Result;
use crate::case::ROWS;

pub(crate) const HELP: &str = "\
Usage: cargo run --release -p benches -- [OPTIONS]

  --only C3,C5             only these rows
  --contenders A,B         only these; taskvisor and floor are always there
  --samples N              samples of each (default: 9)
  --quick                  a tenth of the work, 3 samples
  --json FILE              write all samples and verdicts to FILE as well
  --scale                  instead: a million tasks, a minute of backoff, growth with the number of tasks
  --counted                instead: instructions and bytes beside the best peer, counted
  --gate                   instead: instructions and allocations against benches/gate.txt
  --gate --record          write that file anew

Exit status: 0 if every bar is met, 1 if one is missed, 2 on an error.";

/// All contenders, in the order of the table.
pub(crate) const CONTENDERS: [&str; 7] =
    ["floor", "taskvisor", "taskvisor-0.9", "task-supervisor", "tokio-graceful-shutdown", "ractor", "kameo"];

/// The two contenders that every verdict needs.
pub(crate) const FLOOR: &str = CONTENDERS[0];
pub(crate) const OURS: &str = CONTENDERS[1];

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Compare,
    Scale,
    Counted,
    Gate { record: bool },
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) command: Command,
    pub(crate) rows: Vec<&'static str>,
    pub(crate) contenders: Vec<&'static str>,
    pub(crate) samples: usize,
    pub(crate) quick: bool,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments.peekable();
        let mut options = Self {
            command: Command::Compare,
            rows: ROWS.to_vec(),
            contenders: CONTENDERS.to_vec(),
            samples: 0,
            quick: false,
            json: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--help" | "-h" => options.command = Command::Help,
                "--only" => options.rows = choose(&value()?, &ROWS, "row")?,
                "--contenders" => {
                    let chosen = choose(&value()?, &CONTENDERS, "contender")?;
                    let needed = |name: &&str| [FLOOR, OURS].contains(name) || chosen.contains(name);
                    options.contenders = CONTENDERS.into_iter().filter(needed).collect();
                }
                "--samples" => {
                    let count = value()?;
                    options.samples = count.parse().map_err(|_| format!("`{count}` is no number of samples"))?;
                    if options.samples == 0 {
                        return Err("`--samples` must be at least 1".into());
                    }
                }
                "--quick" => options.quick = true,
                "--json" => options.json = Some(value()?.into()),
                "--scale" => options.command = Command::Scale,
                "--counted" => options.command = Command::Counted,
                "--gate" => options.command = Command::Gate { record: false },
                "--record" if matches!(options.command, Command::Gate { .. }) => {
                    options.command = Command::Gate { record: true };
                }
                "--record" => return Err("`--record` goes after `--gate`".into()),
                _ => return Err(format!("unknown option `{argument}`; see `--help`").into()),
            }
        }
        if options.samples == 0 {
            options.samples = if options.quick { 3 } else { 9 };
        }
        Ok(options)
    }
}

/// The chosen items of `known`, in the order of `known`.
fn choose(list: &str, known: &[&'static str], what: &str) -> Result<Vec<&'static str>> {
    for name in list.split(',') {
        if !known.contains(&name) {
            return Err(format!("unknown {what} `{name}`: one of {}", known.join(", ")).into());
        }
    }
    Ok(known.iter().copied().filter(|name| list.split(',').any(|chosen| chosen == *name)).collect())
}

#[cfg(test)]
mod tests {
    use super::{Command, Options};

    fn parse(line: &str) -> crate::Result<Options> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_choice_keeps_the_order_of_the_table_and_those_that_verdicts_need() {
        let options = parse("--only C5,C3 --contenders kameo --samples 5").unwrap();
        assert_eq!(options.rows, ["C3", "C5"]);
        assert_eq!(options.contenders, ["floor", "taskvisor", "kameo"]);
        assert_eq!(options.samples, 5);
    }

    #[test]
    fn an_odd_line_is_a_clear_error() {
        for (line, message) in [
            ("--only C99", "unknown row `C99`"),
            ("--contenders me", "unknown contender `me`"),
            ("--samples", "`--samples` needs a value"),
            ("--samples none", "`none` is no number of samples"),
            ("--samples 0", "`--samples` must be at least 1"),
            ("--record", "`--record` goes after `--gate`"),
            ("--fast", "unknown option `--fast`"),
        ] {
            assert!(parse(line).unwrap_err().to_string().starts_with(message), "{line}");
        }
        assert_eq!(parse("--gate --record").unwrap().command, Command::Gate { record: true });
    }
}
