//! A fleet of replicas under faults: each key has one owner at any time.
//!
//! ```text
//! cargo run --example fleet -- --replicas 5 --chaos 7
//! cargo run --example fleet --features console -- --chaos 7 --seconds 600 --console
//! cargo run --example fleet --features fleet-servers -- --chaos 7 --postgres postgres://postgres@localhost
//! cargo run --example fleet --features fleet-servers -- --chaos 7 --redis redis://localhost
//! cargo run --example fleet --features fleet-servers -- --chaos 7 --postgres own
//! ```
//!
//! Each replica has a singleton task, a singleton group, and a slot of the fleet for jobs. Their runs write to a shared
//! log when they begin, work and end, and increment counters behind a fence. Without a server, the replicas are
//! supervisors in this process, each behind a connection with faults. With a server, they are processes that are
//! killed, suspended and terminated, each behind a proxy that cuts, stalls and drops data in one direction. A server
//! that the program starts itself (`--postgres own`, `--redis own`) is killed and restarted, and clocks of replicas are
//! changed; the clock of PostgreSQL is two hours ahead, and it is reached through PgBouncer for a while. At the end the
//! program shows the owners of each key, and checks the log.

mod arguments;
mod checks;
#[path = "../console.rs"]
mod console;
mod counter;
mod history;
mod local;
mod log;
#[cfg(feature = "fleet-servers")]
mod own;
mod plan;
#[cfg(feature = "fleet-servers")]
mod processes;
mod report;
#[cfg(feature = "fleet-servers")]
mod servers;
mod work;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, io, process, thread};

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::arguments::{Arguments, Engine, HELP};
use crate::checks::Verdict;
use crate::console::Port;
use crate::counter::Counter;
use crate::history::{History, Times};
use crate::log::{Log, What, now};
use crate::plan::{Episode, Fault, Plan, Planned, Victim};

/// All replicas.
enum Fleet {
    Local(local::Trees),
    #[cfg(feature = "fleet-servers")]
    Processes(Box<processes::Processes>),
}

impl Fleet {
    async fn suffer(&self, replica: usize, fault: Fault, lasts: Duration) -> Result<Episode, String> {
        match self {
            Self::Local(trees) => trees.suffer(replica, fault, lasts).await,
            #[cfg(feature = "fleet-servers")]
            Self::Processes(processes) => processes.suffer(replica, fault, lasts).await,
        }
    }

    /// Kills the server of the leases, and starts it again later.
    #[cfg_attr(not(feature = "fleet-servers"), expect(clippy::unused_async, reason = "servers take their time"))]
    async fn restart_server(&self, lasts: Duration) -> Result<Episode, String> {
        match self {
            Self::Local(_) => Err(format!("a store in memory does not start again after {lasts:?}")),
            #[cfg(feature = "fleet-servers")]
            Self::Processes(processes) => processes.restart_server(lasts).await,
        }
    }

    fn kinds(&self) -> Vec<Fault> {
        match self {
            Self::Local(_) => plan::OF_TREES.to_vec(),
            #[cfg(feature = "fleet-servers")]
            Self::Processes(processes) => processes.kinds(),
        }
    }

    fn counter(&self) -> &Counter {
        match self {
            Self::Local(trees) => trees.counter(),
            #[cfg(feature = "fleet-servers")]
            Self::Processes(processes) => processes.counter(),
        }
    }

    async fn shut_down(&self) -> Result<(), String> {
        match self {
            Self::Local(trees) => trees.shut_down().await,
            #[cfg(feature = "fleet-servers")]
            Self::Processes(processes) => processes.shut_down().await,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments =
        Arguments::parse(env::args_os().skip(1)).unwrap_or_else(|wrong| refuse(&format!("{wrong}, see `--help`")));
    if arguments.help {
        say(HELP.trim_end());
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "fleet-servers")]
    if let Some(code) = obey(&arguments).await {
        return code;
    }
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    let scratch = env::temp_dir().join(format!("taskvisor-fleet-{}.log", process::id()));
    let path = arguments.log.clone().unwrap_or_else(|| scratch.clone());
    let _ = std::fs::remove_file(&path);
    let code = tokio::select! {
        result = run(&arguments, &path) => match result {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("fleet: {error}");
                ExitCode::FAILURE
            }
        },
        () = interrupted => {
            eprintln!("fleet: interrupted, nothing was checked");
            ExitCode::FAILURE
        }
    };
    if arguments.log.is_none() {
        if code == ExitCode::SUCCESS {
            let _ = std::fs::remove_file(&scratch);
        } else {
            eprintln!("fleet: the log is {}", scratch.display());
        }
    }
    code
}

/// Runs as a replica, if it was started as one.
#[cfg(feature = "fleet-servers")]
async fn obey(arguments: &Arguments) -> Option<ExitCode> {
    let orders = processes::Orders {
        replica: arguments.replica?,
        life: arguments.life?,
        fleet: arguments.fleet.clone()?,
        proxy: arguments.proxy?,
        log: arguments.log.clone()?,
    };
    let server = server(&arguments.engine)?;
    Some(processes::obey(&orders, &server, arguments.ttl(), arguments.chaos.unwrap_or_default()).await)
}

#[cfg(feature = "fleet-servers")]
fn server(engine: &Engine) -> Option<servers::Server> {
    match engine {
        Engine::Local => None,
        Engine::Postgres(url) => Some(servers::Server::Postgres(url.clone())),
        Engine::Redis(url) => Some(servers::Server::Redis(url.clone())),
    }
}

async fn start(arguments: &Arguments, replicas: usize, log: &Path) -> Result<(Fleet, String), String> {
    let (ttl, seed) = (arguments.ttl(), arguments.chaos.unwrap_or_default());
    #[cfg(feature = "fleet-servers")]
    if let Some(server) = server(&arguments.engine) {
        let started = processes::Processes::start(server, replicas, ttl, seed, log).await;
        let processes = started.map_err(|error| chain(&*error))?;
        let name = processes.server();
        return Ok((Fleet::Processes(Box::new(processes)), name));
    }
    if arguments.engine != Engine::Local {
        return Err("servers need `--features fleet-servers`".to_owned());
    }
    let ports = (0..replicas).map(|_| arguments.console.then(|| Port::bind(([127, 0, 0, 1], 0).into())).transpose());
    let ports = ports.collect::<Result<Vec<_>, _>>()?;
    for (replica, port) in (1..).zip(&ports) {
        if let Some(port) = port {
            say(&format!("the console of r{replica} is at http://{}/", port.addr()));
        }
    }
    Ok((Fleet::Local(local::Trees::start(ports, ttl, seed, log).await?), "a store in memory".to_owned()))
}

/// Returns an error with its causes.
#[cfg(feature = "fleet-servers")]
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// Runs the replicas, and checks the log. Returns `true` if all checks have passed.
async fn run(arguments: &Arguments, log: &Path) -> Result<bool, String> {
    let replicas = arguments.replicas.unwrap_or(5);
    let (ttl, seconds) = (arguments.ttl(), Duration::from_secs(arguments.seconds.unwrap_or(40)));
    // The last faults heal, other replicas take over, and then owners must not change for a while.
    let calm = ttl * 3;
    let Some(storm) = seconds.checked_sub(calm).filter(|storm| *storm >= ttl) else {
        refuse(&format!(
            "`--seconds` is too short for this ttl, expected at least {:.0}",
            (ttl * 4).as_secs_f64().ceil()
        ));
    };
    let start_at = now();
    let (fleet, name) = start(arguments, replicas, log).await.unwrap_or_else(|wrong| refuse(&wrong));
    let fleet = Arc::new(fleet);
    let stood_still = watch_the_machine();
    let faults = arguments.chaos.map_or_else(|| "no faults".to_owned(), |seed| format!("the faults of seed {seed}"));
    say(&format!("{replicas} replicas on {name}, ttl {} s, {faults}, {} s", ttl.as_secs_f64(), seconds.as_secs()));
    let end = Instant::now() + storm;
    let episodes = match arguments.chaos {
        Some(seed) => rage(&fleet, Plan::new(seed, ttl, fleet.kinds()), replicas, log, end, start_at).await?,
        None => Vec::new(),
    };
    sleep_until(end).await;
    let healed = now();
    sleep(calm).await;
    let finish = now();
    fleet.shut_down().await?;

    let stood_still = Duration::from_nanos(stood_still.load(Ordering::Relaxed));
    let history = History::new(&Log::read(log)?, episodes, Times { healed, finish, stood_still });
    let mut accepted = [const { Vec::new() }; 3];
    for (key, accepted) in log::KEYS.iter().zip(&mut accepted) {
        *accepted = fleet.counter().accepted(key).await?;
    }
    let checks = checks::all(&history, ttl, &accepted);
    say(report::whole(&history, replicas, start_at, &checks).trim_end());
    let failed = checks.iter().filter(|check| check.verdict == Verdict::Failed).count();
    say(&if failed == 0 { "\nall is well".to_owned() } else { format!("\n{failed} checks have failed") });
    Ok(failed == 0)
}

/// Measures the longest time, in nanoseconds, in which the system did not schedule this program.
fn watch_the_machine() -> Arc<AtomicU64> {
    const NAP: Duration = Duration::from_millis(10);
    let longest = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&longest);
    thread::spawn(move || {
        loop {
            let begin = now();
            thread::sleep(NAP);
            let over = now().saturating_sub(begin).saturating_sub(NAP);
            seen.fetch_max(u64::try_from(over.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    });
    longest
}

/// Injects faults until the end, in less than half of the replicas at once.
async fn rage(
    fleet: &Arc<Fleet>,
    mut plan: Plan,
    replicas: usize,
    log: &Path,
    end: Instant,
    start_at: Duration,
) -> Result<Vec<Episode>, String> {
    let (mut under_way, mut hit, mut episodes) = (JoinSet::new(), BTreeSet::new(), Vec::new());
    // Let them settle.
    sleep(Duration::from_millis(700)).await;
    loop {
        let planned = plan.next();
        let next = Instant::now() + planned.pause;
        if next >= end {
            break;
        }
        if next + planned.lasts >= end {
            continue;
        }
        sleep_until(next).await;
        // A fault of the server affects all replicas at once.
        let most = if planned.fault == Fault::Server { 1 } else { ((replicas - 1) / 2).max(1) };
        while hit.len() >= most {
            let Some(done) = under_way.join_next().await else { break };
            let episode: Episode = done.map_err(|error| error.to_string())??;
            hit.retain(|replica| !episode.hits(*replica));
            episodes.push(episode);
        }
        if planned.fault == Fault::Server {
            announce(start_at, "all", &planned);
            episodes.push(fleet.restart_server(planned.lasts).await?);
            continue;
        }
        let owner = match planned.victim {
            Victim::Owner(key) => next_owner(log, key, end).await?,
            Victim::Any => None,
        };
        let healthy: Vec<_> = (0..replicas).filter(|replica| !hit.contains(replica)).collect();
        let Some(other) = plan.random.choice(&healthy).copied() else { continue };
        let replica = owner.filter(|owner| healthy.contains(owner)).unwrap_or(other);
        announce(start_at, &format!("r{}", replica + 1), &planned);
        hit.insert(replica);
        let fleet = Arc::clone(fleet);
        under_way.spawn(async move { fleet.suffer(replica, planned.fault, planned.lasts).await });
    }
    while let Some(done) = under_way.join_next().await {
        episodes.push(done.map_err(|error| error.to_string())??);
    }
    Ok(episodes)
}

fn announce(start_at: Duration, whose: &str, Planned { fault, lasts, .. }: &Planned) {
    let at = now().saturating_sub(start_at).as_secs_f64();
    say(&format!("{at:>9.3}  {whose}: {fault} for {:.2} s", lasts.as_secs_f64()));
}

/// Returns the replica that runs a key, and waits for one.
async fn next_owner(log: &Path, key: &str, end: Instant) -> Result<Option<usize>, String> {
    while Instant::now() < end {
        if let Some(owner) = owner(log, key)? {
            // The owner must have done some work.
            sleep(Duration::from_millis(300)).await;
            return Ok(Some(owner));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(None)
}

/// Returns the replica that runs a key now, by the log.
fn owner(log: &Path, key: &str) -> Result<Option<usize>, String> {
    let mut owner = None;
    for record in Log::read(log)? {
        match record.what {
            What::Begin { key: of, .. } if of == key => owner = Some(record.run),
            What::End if owner == Some(record.run) => owner = None,
            _ => {}
        }
    }
    Ok(owner.map(|run| run.replica))
}

fn say(text: &str) {
    // A closed output is not an error.
    let _ = writeln!(io::stdout(), "{text}");
}

fn refuse(wrong: &str) -> ! {
    eprintln!("fleet: {wrong}");
    process::exit(2)
}
