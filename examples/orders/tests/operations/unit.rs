//! Tests of the unit of systemd, with the protocol of `sd_notify(3)` on a real socket.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::UnixDatagram;
use tokio::time::sleep;

use crate::process::{Folder, PATIENCE, PROGRAM, Service};

const UNIT: &str = include_str!("../../deploy/orders.service");

/// Returns the values of a setting.
fn all(name: &str) -> Vec<&'static str> {
    let pairs = UNIT.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.filter(|(given, _)| *given == name).map(|(_, value)| value).collect()
}

/// Returns the value of a setting that is given once.
fn one(name: &str) -> &'static str {
    let [value] = all(name)[..] else { panic!("{name} is given {} times", all(name).len()) };
    value
}

fn seconds(name: &str) -> Duration {
    Duration::from_secs(one(name).parse().unwrap())
}

/// The receiving end of the notifications. It reads all the time, because a sender waits while the socket is full.
struct Manager(Arc<Mutex<Vec<(Instant, String)>>>);

impl Manager {
    fn start(folder: &Folder) -> Self {
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                told.lock().unwrap().extend(text.lines().map(|line| (Instant::now(), line.to_owned())));
            }
        });
        Self(lines)
    }

    /// Waits for enough messages with this prefix, and returns their times.
    async fn times(&self, begin: &str, enough: usize) -> Vec<Instant> {
        let end = Instant::now() + PATIENCE;
        loop {
            let lines = self.0.lock().unwrap().clone();
            let times: Vec<_> = lines.iter().filter(|(_, line)| line.starts_with(begin)).map(|(at, _)| *at).collect();
            if times.len() >= enough {
                return times;
            }
            assert!(Instant::now() < end, "{begin} is not told {enough} times: {lines:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_of_the_start_the_watchdog_and_the_stop_within_the_times_of_the_unit() {
    let _turn = crate::turn().await;
    assert_eq!((one("Type"), one("NotifyAccess")), ("notify", "main"));
    let folder = Folder::new();
    let manager = Manager::start(&folder);
    let state = folder.path().display().to_string();
    let start = one("ExecStart").replace("${STATE_DIRECTORY}", &state).replace("%m", "machine");
    let start = start.replace("0.0.0.0:8080", "127.0.0.1:0");
    let mut words = start.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/orders"));
    // Names the process of the watchdog, as systemd does.
    let mut command = Command::new("sh");
    command.args(["-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh", PROGRAM]).args(words);
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    command.env("WATCHDOG_USEC", seconds("WatchdogSec").as_micros().to_string());
    command.envs(all("Environment").iter().filter_map(|pair| pair.split_once('=')));
    let mut service = Service::by(&folder, command).start().await;

    manager.times("READY=1", 1).await;
    assert_eq!(service.page("/readyz").await.0, 200);
    assert_eq!(service.order("1", "acme", 1200).await, 201);
    let beats = manager.times("WATCHDOG=1", 3).await;
    for pair in beats.windows(2) {
        assert!(pair[1] - pair[0] < seconds("WatchdogSec"), "systemd would have killed it");
    }

    let stop = Instant::now();
    service.signal("TERM");
    manager.times("STOPPING=1", 1).await;
    assert_eq!((service.page("/readyz").await.0, service.page("/livez").await.0), (503, 200));
    let log = service.exit(Some(0)).await;
    assert!(stop.elapsed() < seconds("TimeoutStopSec"), "systemd would have killed it\n{log}");
    manager.times("STATUS=stopped", 1).await;
    let once = (manager.times("READY=1", 1).await.len(), manager.times("STOPPING=1", 1).await.len());
    assert_eq!(once, (1, 1));
}

#[test]
fn a_status_that_no_start_mends_is_not_followed_by_one() {
    // Wrong overrides end the process with this status; see `overrides`.
    assert_eq!((one("Restart"), one("RestartPreventExitStatus")), ("on-failure", "2"));
}

#[test]
fn systemd_takes_each_setting_of_the_unit() {
    let folder = Folder::new();
    let verify = |name: &str, unit: &str| {
        let path = folder.path().join(name);
        fs::write(&path, unit).unwrap();
        let output = Command::new("systemd-analyze").arg("verify").arg(&path).output().ok()?;
        Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    // The program is not installed here.
    let unit = UNIT.replace("/usr/local/bin/orders", PROGRAM);
    let Some((is_right, says)) = verify("orders.service", &unit) else {
        return eprintln!("SKIPPED: systemd-analyze is not installed");
    };
    let says: Vec<_> = says.lines().filter(|line| line.contains("orders.service")).collect();
    assert!(is_right && says.is_empty(), "{says:?}");
    let (_, says) = verify("wrong.service", &unit.replace("WatchdogSec=30", "WatchdogSecs=30")).unwrap();
    assert!(says.contains("WatchdogSecs"), "{says}");
}
