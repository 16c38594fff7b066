//! Builds and runs the sampler, which takes the samples.

use std::collections::{HashMap, HashSet};
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::case::Measure;

/// The variant of a sampler build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    /// Whether it counts allocations.
    pub(crate) counts: bool,
    /// Its features beside that.
    pub(crate) features: &'static str,
}

/// What taskvisor is measured with, beside the floor.
pub(crate) const USUAL: &str = "usual";

/// The same, beside the peers.
pub(crate) const WITH_PEERS: &str = "peers,usual";

/// The time limit for a sample.
const PATIENCE: Duration = Duration::from_secs(120);

/// A built sampler.
#[derive(Debug)]
pub(crate) struct Sampler {
    program: PathBuf,
}

/// The output of one sampler process.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    values: HashMap<String, f64>,
}

impl Sampler {
    /// Builds the sampler, unless it is up to date.
    pub(crate) fn build(variant: Variant) -> Result<Self> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sampler");
        let own = env::current_exe()?;
        let target = own.ancestors().nth(2).ok_or("this program is in no target directory")?.join("sampler");
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--manifest-path"]).arg(source.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(&target);
        let Variant { counts, features } = variant;
        let features = format!("{features}{}", if counts { ",count" } else { "" });
        cargo.args(["--no-default-features", "--features", &features]);
        if !cargo.status()?.success() {
            return Err("the sampler does not build".into());
        }
        let built = target.join("release").join(format!("sampler{}", env::consts::EXE_SUFFIX));
        let program = target.join(format!("sampler-{}{}", features.replace(',', "-"), env::consts::EXE_SUFFIX));
        fs::copy(&built, &program).map_err(|error| format!("{}: {error}", built.display()))?;
        Ok(Self { program })
    }

    /// Takes one sample. Returns `None` if the contender cannot do that work.
    pub(crate) fn take(&self, work: &str, contender: &str, runtime: &str, size: u64) -> Result<Option<Sample>> {
        let output = Self::call(Command::new(&self.program).args(arguments(work, contender, runtime, size)))?;
        Sample::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Counts the instructions and allocations of a whole sample with `callgrind`, including the start and the end of
    /// the process. It runs the same program as for measurements, with the same optimizations.
    pub(crate) fn counted(&self, work: &str, contender: &str, size: u64) -> Result<Counted> {
        let profile = self.program.with_extension(format!("{work}-{size}.callgrind"));
        let mut valgrind = Command::new("valgrind");
        valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display())).arg(&self.program);
        let output = Self::call(valgrind.args(arguments(work, contender, "ct", size)))?;
        let told = String::from_utf8_lossy(&output.stderr);
        let collected = told.lines().find_map(|line| line.split_once("Collected : "));
        let count = collected.and_then(|(_, count)| count.trim().parse().ok());
        let instructions = count.ok_or_else(|| format!("callgrind says nothing of instructions:\n{told}"))?;
        let calls = fs::read_to_string(&profile).map_err(|error| format!("{}: {error}", profile.display()))?;
        // The profile is no longer needed.
        let _ = fs::remove_file(&profile);
        Ok(Counted { instructions, allocations: allocations(&calls) })
    }

    /// Counts the instructions of the measured part of a sample, with `callgrind`.
    pub(crate) fn instructions(&self, work: &str, contender: &str, size: u64) -> Result<f64> {
        let profile = PathBuf::from(format!("{}.{work}-{size}.callgrind", self.program.display()));
        let mut valgrind = Command::new("valgrind");
        valgrind.arg("--tool=callgrind");
        // By either way of the compiler to mangle names.
        for meter in ["sampler::sample::Meter", "<sampler::sample::Meter>"] {
            valgrind.args([format!("--zero-before={meter}::start"), format!("--dump-before={meter}::finish")]);
        }
        valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(&self.program);
        Self::call(valgrind.args(arguments(work, contender, "ct", size)))?;
        // The first dump ends where the measurement ends. The file without a number is of what follows.
        let measured = PathBuf::from(format!("{}.1", profile.display()));
        let text = fs::read_to_string(&measured).map_err(|error| format!("{}: {error}", measured.display()))?;
        for file in [profile, measured] {
            let _ = fs::remove_file(file);
        }
        total(&text).ok_or_else(|| format!("the profile of `{work}` has no total").into())
    }

    fn call(command: &mut Command) -> Result<Output> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let start = Instant::now();
        // The output fits into a pipe.
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

    /// All printed values.
    pub(crate) fn values(&self) -> &HashMap<String, f64> {
        &self.values
    }

    /// The cost of an operation, or the losses or remains of a whole sample.
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

    /// The value of this name per operation.
    pub(crate) fn each(&self, name: &str) -> f64 {
        self.get(name) / self.get("operations").max(1.0)
    }

    /// The value of this name; zero if the sampler did not print it.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }
}

/// The counts of `callgrind`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

/// Sums the calls of the allocator in a `callgrind` profile. A profile names a function only in its first call, and
/// refers to it by number after that.
fn allocations(profile: &str) -> f64 {
    const ALLOCATORS: [&str; 3] = ["__rdl_alloc", "__rdl_alloc_zeroed", "__rdl_realloc"];
    let mut numbers = HashSet::new();
    let (mut is_allocator, mut count) = (false, 0.0);
    for line in profile.lines() {
        let named = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn="));
        if let Some((number, name)) = named.and_then(|name| name.split_once(") ")) {
            if ALLOCATORS.iter().any(|allocator| name.rsplit("::").next() == Some(allocator)) {
                numbers.insert(number.to_owned());
            }
        }
        if let Some(called) = line.strip_prefix("cfn=") {
            is_allocator = called.split(')').next().is_some_and(|number| numbers.contains(number));
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let calls = calls.split(' ').next().and_then(|calls| calls.parse().ok()).unwrap_or(0.0);
            count += if is_allocator { calls } else { 0.0 };
        }
    }
    count
}

/// The instructions of a profile.
fn total(profile: &str) -> Option<f64> {
    let line =
        profile.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    line?.trim().parse().ok()
}

fn arguments(work: &str, contender: &str, runtime: &str, size: u64) -> [String; 4] {
    [work.to_owned(), contender.to_owned(), runtime.to_owned(), size.to_string()]
}

#[cfg(test)]
mod tests {
    use super::{allocations, total};

    #[test]
    fn the_total_of_a_profile_is_found() {
        assert_eq!(total("desc: x\nsummary: 120\n"), Some(120.0));
        assert_eq!(total("fn=(1) main\n1 3\n\ntotals: 3\n"), Some(3.0));
        assert_eq!(total("fn=(1) main\n1 3\n"), None);
    }

    #[test]
    fn the_calls_of_the_allocator_are_added_up() {
        let profile = "fn=(1) main\ncfn=(2) __rustc::__rdl_alloc\ncalls=3 0\n1 30\ncfn=(3) other\ncalls=9 0\n1 9\n\
                       fn=(4) more\ncfn=(2)\ncalls=4 0\n1 4\nfn=(5) __rdl_realloc\n1 1\nfn=(1)\ncfn=(5)\ncalls=1 0\n";
        assert!((allocations(profile) - 8.0).abs() < f64::EPSILON);
    }
}
