//! The program that takes the samples: how it is built and called.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::case::Measure;

/// What a sampler is built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    /// It counts allocations.
    pub(crate) counts: bool,
    /// It has the peers.
    pub(crate) peers: bool,
}

/// How long a sample may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A built sampler.
#[derive(Debug)]
pub(crate) struct Sampler {
    program: PathBuf,
}

/// What one process has measured, by the sampler's own words.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    values: HashMap<String, f64>,
}

impl Sampler {
    /// Builds it, or finds it built.
    pub(crate) fn build(variant: Variant) -> Result<Self> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sampler");
        let own = env::current_exe()?;
        let target = own.ancestors().nth(2).ok_or("this program is in no target directory")?.join("sampler");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--manifest-path"]).arg(source.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(&target);
        if !variant.peers {
            cargo.arg("--no-default-features");
        }
        if variant.counts {
            cargo.args(["--features", "count"]);
        }
        if !cargo.status()?.success() {
            return Err("the sampler does not build".into());
        }
        let [counts, peers] = [variant.counts, variant.peers].map(u8::from);
        let built = target.join("release").join(format!("sampler{}", env::consts::EXE_SUFFIX));
        let program = target.join(format!("sampler-{counts}{peers}{}", env::consts::EXE_SUFFIX));
        fs::copy(&built, &program).map_err(|error| format!("{}: {error}", built.display()))?;
        Ok(Self { program })
    }

    /// One sample, or `None` where the contender cannot do that work.
    pub(crate) fn take(&self, work: &str, contender: &str, runtime: &str, size: u64) -> Result<Option<Sample>> {
        let output = Self::call(Command::new(&self.program).args(arguments(work, contender, runtime, size)))?;
        Sample::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// How many instructions all of a sample takes, start and end of the process included, by `callgrind`.
    pub(crate) fn instructions(&self, work: &str, contender: &str, size: u64) -> Result<f64> {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.program);
        let output = Self::call(valgrind.args(arguments(work, contender, "ct", size)))?;
        let told = String::from_utf8_lossy(&output.stderr);
        let collected = told.lines().find_map(|line| line.split_once("Collected : "));
        let count = collected.and_then(|(_, count)| count.trim().parse().ok());
        count.ok_or_else(|| format!("callgrind says nothing of instructions:\n{told}").into())
    }

    fn call(command: &mut Command) -> Result<Output> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let start = Instant::now();
        // What it prints fits into a pipe.
        while child.try_wait()?.is_none() {
            if start.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(format!("{command:?}: not done within {PATIENCE:?}").into());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(output);
        }
        Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }
}

impl Sample {
    fn parse(printed: &str) -> Result<Option<Self>> {
        if printed.trim() == "unsupported" {
            return Ok(None);
        }
        let pair = |line: &str| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.parse().ok()?))
        };
        let values: Option<HashMap<_, _>> = printed.lines().map(pair).collect();
        match values {
            Some(values) if values.contains_key("operations") => Ok(Some(Self { values })),
            _ => Err(format!("the sampler printed something else:\n{printed}").into()),
        }
    }

    /// All that was printed.
    pub(crate) fn values(&self) -> &HashMap<String, f64> {
        &self.values
    }

    /// What an operation costs, or what a whole sample has lost or left behind.
    pub(crate) fn value(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Cpu => self.each("cpu"),
            Measure::Wall => self.each("wall"),
            Measure::Allocations => self.each("allocations"),
            Measure::Bytes => self.each("bytes"),
            Measure::Blocks => self.each("blocks"),
            Measure::Lost => self.get("lost"),
            Measure::Threads => self.get("threads"),
        }
    }

    /// The value of that name for an operation.
    pub(crate) fn each(&self, name: &str) -> f64 {
        self.get(name) / self.get("operations").max(1.0)
    }

    /// The value of that name; zero if the sampler did not print it.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }
}

fn arguments(work: &str, contender: &str, runtime: &str, size: u64) -> [String; 4] {
    [work.to_owned(), contender.to_owned(), runtime.to_owned(), size.to_string()]
}
