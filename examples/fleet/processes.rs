//! Replicas that are processes of this program. Each connects to the server through a proxy.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use fleet_tests::{Link, PgBouncer, Proxy};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::console::Attached;
use crate::counter::Counter;
use crate::log::{Log, now};
use crate::own::{Clocks, Own};
use crate::plan::{Episode, Fault, Line, OF_PROCESSES};
use crate::servers::Server;
use crate::work;

/// The longest time that a replica may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The arguments of a replica.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) replica: usize,
    pub(crate) life: usize,
    pub(crate) fleet: String,
    pub(crate) proxy: SocketAddr,
    pub(crate) log: PathBuf,
}

/// Runs as one life of a replica, until SIGTERM.
pub(crate) async fn obey(orders: &Orders, server: &Server, ttl: Duration, seed: u64) -> ExitCode {
    // The replica must not outlive the program that has started it.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let Orders { replica, life, fleet, proxy, log } = orders;
    let label = format!("r{}", replica + 1);
    let ended = async {
        let log = Log::open(log, *replica, *life)?;
        let (fleet, counter) = server.join(fleet, ttl, &label, Some(*proxy)).await?;
        let seed = seed ^ ((*replica as u64) << 32) ^ ((*life as u64) << 16);
        work::replica(fleet, &log, counter, seed, Attached::default()).run().await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    match ended.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{label}: {error}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) struct Processes {
    server: Server,
    /// The number of hours that its clock is ahead of that of this machine.
    ahead: f64,
    /// The server, if the program has started it, and its pooler.
    own: Mutex<Option<Own>>,
    pooler: Option<SocketAddr>,
    clocks: Option<Clocks>,
    address: SocketAddr,
    kinds: Vec<Fault>,
    counter: Counter,
    fleet: String,
    ttl: Duration,
    seed: u64,
    log: PathBuf,
    replicas: Vec<Replica>,
}

struct Replica {
    proxy: Proxy,
    /// The process, and the number of lives so far.
    process: Mutex<(Option<Child>, usize)>,
}

impl Processes {
    pub(crate) async fn start(
        mut server: Server,
        count: usize,
        ttl: Duration,
        seed: u64,
        log: &Path,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let own = block_in_place(|| Own::start(&mut server))?;
        let clocks = Clocks::new(log);
        let mut kinds = OF_PROCESSES.to_vec();
        kinds.extend(own.iter().flat_map(Own::faults));
        kinds.extend(clocks.iter().flat_map(|_| [Fault::Clock(2), Fault::Clock(-2)]));
        // The name is unique, so that runs of this program do not disturb each other.
        let fleet = format!("chaos-{}-{seed}-{}", std::process::id(), now().as_micros());
        let (_, counter) = server.join(&fleet, ttl, "chaos", None).await?;
        let address = server.address().await?;
        let ahead = server.hours_ahead().await?;
        let mut replicas = Vec::new();
        for _ in 0..count {
            replicas.push(Replica { proxy: Proxy::start(address).await?, process: Mutex::default() });
        }
        let pooler = own.as_ref().and_then(Own::pooler).map(PgBouncer::address);
        let (own, log) = (Mutex::new(own), log.to_owned());
        let processes =
            Self { server, ahead, own, pooler, clocks, address, kinds, counter, fleet, ttl, seed, log, replicas };
        for replica in 0..count {
            processes.live(replica).await?;
        }
        Ok(processes)
    }

    /// Describes the server, with the offset of its clock.
    pub(crate) fn server(&self) -> String {
        let name = self.server.name();
        if self.ahead.abs() < 0.1 {
            name.to_owned()
        } else {
            format!("{name}, whose clock is {:+.1} h off", self.ahead)
        }
    }

    pub(crate) fn counter(&self) -> &Counter {
        &self.counter
    }

    pub(crate) fn kinds(&self) -> Vec<Fault> {
        self.kinds.clone()
    }

    pub(crate) async fn restart_server(&self, lasts: Duration) -> Result<Episode, String> {
        let mut own = self.own.lock().await;
        let own = own.as_mut().ok_or("the server is another's")?;
        let from = now();
        block_in_place(|| own.kill());
        sleep(lasts).await;
        block_in_place(|| own.start_again());
        Ok(Episode { replica: None, fault: Fault::Server, from, to: now() })
    }

    /// Starts the replica as a new life.
    async fn live(&self, number: usize) -> Result<(), String> {
        let replica = &self.replicas[number];
        let mut process = replica.process.lock().await;
        let mut command = std::process::Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
        match &self.server {
            Server::Postgres(url) => command.args(["--postgres", url]),
            Server::Redis(url) => command.args(["--redis", url]),
        };
        command.args(["--replica", &number.to_string(), "--life", &process.1.to_string(), "--fleet", &self.fleet]);
        command.args(["--proxy", &replica.proxy.address().to_string(), "--log"]).arg(&self.log);
        command.args(["--ttl", &self.ttl.as_secs_f64().to_string(), "--chaos", &self.seed.to_string()]);
        if let Some(clocks) = &self.clocks {
            clocks.set(number, 0)?;
            clocks.lead(number, &mut command);
        }
        let mut command = Command::from(command);
        let child = command
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("a replica does not start: {error}"))?;
        *process = (Some(child), process.1 + 1);
        Ok(())
    }

    async fn signal(&self, number: usize, signal: Signal) -> Result<(), String> {
        let process = self.replicas[number].process.lock().await;
        let id = process.0.as_ref().and_then(Child::id).and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let id = id.ok_or_else(|| format!("r{} has ended by itself", number + 1))?;
        kill_process(id, signal).map_err(|error| format!("r{}: {error}", number + 1))
    }

    /// Waits for the end of a process.
    async fn ends(&self, number: usize) -> Result<(), String> {
        let Some(mut child) = self.replicas[number].process.lock().await.0.take() else { return Ok(()) };
        // The input is kept open: `wait` would close it, and a replica exits at once when its input ends.
        let (_input, id) = (child.stdin.take(), child.id());
        let ended = timeout(PATIENCE, child.wait()).await;
        if let (Some(_), Some(id)) = (&self.clocks, id) {
            Clocks::clean_up(id);
        }
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(format!("r{} has ended with {status:?}", number + 1)),
            Err(_) => Err(format!("r{} does not end", number + 1)),
        }
    }

    pub(crate) async fn suffer(&self, replica: usize, fault: Fault, lasts: Duration) -> Result<Episode, String> {
        let mut from = now();
        match fault {
            Fault::Line(line) => {
                let proxy = &self.replicas[replica].proxy;
                proxy.set(match line {
                    Line::Open => Link::Open,
                    Line::Cut => Link::Cut,
                    Line::Stalled => Link::Stalled,
                    Line::RequestsHeld => Link::RequestsHeld,
                    Line::RepliesHeld => Link::RepliesHeld,
                    Line::RequestsDropped => Link::RequestsDropped,
                    Line::RepliesDropped => Link::RepliesDropped,
                });
                sleep(lasts).await;
                proxy.set(Link::Open);
            }
            Fault::Stop => {
                self.signal(replica, Signal::STOP).await?;
                sleep(lasts).await;
                let to = now();
                self.signal(replica, Signal::CONT).await?;
                return Ok(Episode { replica: Some(replica), fault, from, to });
            }
            Fault::Pooler => {
                let proxy = &self.replicas[replica].proxy;
                proxy.lead_to(self.pooler.ok_or("there is no PgBouncer")?);
                proxy.cut().await;
                sleep(lasts).await;
                proxy.lead_to(self.address);
                proxy.cut().await;
            }
            Fault::Clock(hours) => {
                let clocks = self.clocks.as_ref().ok_or("clocks cannot be set")?;
                clocks.set(replica, hours)?;
                sleep(lasts).await;
                clocks.set(replica, 0)?;
            }
            Fault::Server => return Err("a replica is no server".to_owned()),
            Fault::Kill => {
                self.signal(replica, Signal::KILL).await?;
                // The result is an error, because the process was killed.
                let _ = self.ends(replica).await;
                from = now();
                sleep(lasts).await;
                self.live(replica).await?;
            }
            Fault::Term => {
                self.signal(replica, Signal::TERM).await?;
                self.ends(replica).await?;
                sleep(lasts).await;
                self.live(replica).await?;
            }
        }
        Ok(Episode { replica: Some(replica), fault, from, to: now() })
    }

    /// Shuts down all replicas, one after another.
    pub(crate) async fn shut_down(&self) -> Result<(), String> {
        for replica in 0..self.replicas.len() {
            self.signal(replica, Signal::TERM).await?;
            self.ends(replica).await?;
        }
        Ok(())
    }
}
