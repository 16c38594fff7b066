//! How long it takes until another replica works: replicas are processes, this program once more for each.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use taskvisor::fleet::Fleet;
use taskvisor::{SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};

use crate::servers::{ENGINES, Servers, store};
use crate::{Effort, Failure};

const REPLICAS: usize = 3;
const TTL: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs as a replica: it says when its singleton begins.
pub(crate) async fn replica(engine: &str, url: &str) -> Result<(), Failure> {
    std::thread::spawn(|| {
        // It is not to outlive the program that has started it.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    let task = TaskFn::arc("ledger", |ctx: TaskContext| async move {
        println!("begins");
        ctx.cancelled().await;
        Ok(())
    });
    let fleet = Fleet::new(store(engine, url).await?).name("takeover").ttl(TTL);
    let task = TaskSpec::inherit(task).with_singleton();
    let tree = Tree::builder(SupervisorConfig::default()).with_fleet(fleet).task(task).build();
    tree.run().await?;
    Ok(())
}

/// How an owner ends.
#[derive(Clone, Copy)]
enum End {
    Graceful,
    Kill,
    Stop,
}

struct Replicas {
    engine: &'static str,
    url: String,
    processes: Vec<Child>,
    told: Receiver<(u32, Instant)>,
    tell: Sender<(u32, Instant)>,
}

impl Replicas {
    fn live(&mut self, number: Option<usize>) -> Result<(), Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--replica", self.engine, &self.url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (tell, id, stdout) = (self.tell.clone(), child.id(), child.stdout.take().ok_or("no output")?);
        std::thread::spawn(move || {
            for _ in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send((id, Instant::now()));
            }
        });
        match number {
            Some(number) => self.processes[number] = child,
            None => self.processes.push(child),
        }
        Ok(())
    }

    /// Waits until another than that process begins.
    fn next(&self, than: Option<u32>) -> Result<(usize, Instant), Failure> {
        loop {
            let (id, at) = self.told.recv_timeout(PATIENCE).map_err(|_: RecvTimeoutError| "nobody takes over")?;
            let number = self.processes.iter().position(|process| process.id() == id);
            if let Some(number) = number.filter(|_| than != Some(id)) {
                return Ok((number, at));
            }
        }
    }

    /// Returns the owner, if another has begun while nobody asked.
    fn owner(&self, mut owner: usize) -> usize {
        while let Ok((id, _)) = self.told.try_recv() {
            owner = self.processes.iter().position(|process| process.id() == id).unwrap_or(owner);
        }
        owner
    }

    /// Ends the owner, and returns the next one and the time until it began.
    fn end(&mut self, owner: usize, how: End) -> Result<(usize, Duration), Failure> {
        let id = self.processes[owner].id();
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or("a process has an id")?;
        let signal = match how {
            End::Graceful => Signal::TERM,
            End::Kill => Signal::KILL,
            End::Stop => Signal::STOP,
        };
        let begin = Instant::now();
        kill_process(pid, signal)?;
        let (next, at) = self.next(Some(id))?;
        match how {
            End::Stop => kill_process(pid, Signal::CONT)?,
            End::Graceful | End::Kill => {
                let _input = self.processes[owner].stdin.take();
                self.processes[owner].wait()?;
                self.live(Some(owner))?;
            }
        }
        Ok((next, at.saturating_duration_since(begin)))
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub(crate) async fn table(servers: &Servers, effort: &Effort) -> Result<(), Failure> {
    println!("| engine | the owner ends by | times | least | median | most | limit |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for engine in ENGINES {
        let url = servers.url(engine);
        store(engine, &url).await?;
        let ends = effort.ends;
        let rows = tokio::task::spawn_blocking(move || rows(engine, url, ends)).await??;
        for (row, most, limit) in rows {
            println!("{row}");
            if most > 2 * limit {
                return Err(format!("{engine}: {most:?}, expected at most twice {limit:?}").into());
            }
        }
    }
    Ok(())
}

fn rows(engine: &'static str, url: String, ends: usize) -> Result<Vec<(String, Duration, Duration)>, Failure> {
    let (tell, told) = mpsc::channel();
    let mut replicas = Replicas { engine, url, processes: Vec::new(), told, tell };
    for _ in 0..REPLICAS {
        replicas.live(None)?;
    }
    let (mut owner, _) = replicas.next(None)?;
    // The others come to wait.
    std::thread::sleep(TTL);
    let ways = [
        (End::Graceful, "SIGTERM", Duration::from_millis(500)),
        (End::Kill, "kill -9", TTL + TTL / 3),
        (End::Stop, "SIGSTOP", TTL + TTL / 3),
    ];
    let mut rows = Vec::new();
    for (how, name, limit) in ways {
        let mut times = Vec::new();
        for number in 0..ends {
            let (next, took) = replicas.end(replicas.owner(owner), how)?;
            owner = next;
            times.push(took);
            // At another point between two renewals each time.
            std::thread::sleep(TTL / 2 + TTL.mul_f64(0.07) * u32::try_from(number)?);
        }
        times.sort();
        let most = times.last().copied().unwrap_or_default();
        let [least, median, longest] = [times[0], times[times.len() / 2], most].map(|time| time.as_millis());
        let row = format!(
            "| {engine} | {name} | {ends} | {least} ms | {median} ms | {longest} ms | {} ms |",
            limit.as_millis()
        );
        rows.push((row, most, limit));
    }
    Ok(rows)
}
