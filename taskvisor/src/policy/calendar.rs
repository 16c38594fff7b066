//! Calendar schedules: a pattern, its time zone, and the policy for missed runs.

use std::sync::Arc;
use std::time::Duration;

use taskvisor_parse::cron::{Civil, Occurrence, Pattern};

use super::zone::TimeZone;
use super::{Overrides, Ready, ResolvedPolicy, RestartPolicy};
use crate::supervisor::InvalidOption;
use crate::task::TaskSpec;

/// The policy for missed runs of a schedule. A run is missed if it was due while an attempt ran or waited for a permit,
/// while the host was suspended, in a jump of the clock, or since [`last_run`](TaskSpec::with_last_run). An interrupted
/// run is missed too if a later run is due before it can begin again.
///
/// An attempt that begins within 60 s of its time is on time; of a [singleton](crate::guide::fleets) with a
/// [period](TaskSpec::with_every), within a tenth of the period, at least 1 s and at most 60 s. Missed runs are always reported: by the event
/// [`RunsMissed`](crate::EventKind::RunsMissed), and with the feature `metrics` by `taskvisor_runs_missed_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Missed {
    /// One run, that of the latest missed time, makes up for all of them. It is skipped if that time is more than
    /// [`late`](Schedule::late) ago.
    #[default]
    Once,
    /// Missed runs are skipped.
    Skip,
}

/// A calendar schedule in a time zone. Needs the feature `cron`.
///
/// [`TaskSpec::with_schedule`] gives it to a task, and `cron = "30 2 * * *"` in `#[task]` or `task(..)`. The guide
/// explains [schedules](crate::guide::schedules), with the grammar of patterns, and what happens when clocks change.
///
/// A pattern or zone that is not valid is an [`InvalidOption`](crate::InvalidOption) when the task is registered.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use taskvisor::{Missed, RestartPolicy, Schedule, TaskContext, TaskFn, TaskSpec};
///
/// let report = TaskFn::arc("report", |_: TaskContext| async { Ok(()) });
/// let schedule = Schedule::cron("30 2 * * mon-fri").zone("Europe/Berlin").missed(Missed::Skip);
/// let spec = TaskSpec::inherit(report)
///     .with_restart(RestartPolicy::Always { interval: None })
///     .with_schedule(schedule.splay(Duration::from_secs(600)));
/// assert_eq!(spec.schedule().unwrap().pattern(), "30 2 * * mon-fri");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a schedule does nothing until it is given to a spec"]
pub struct Schedule {
    pattern: Arc<str>,
    zone: Option<Arc<str>>,
    splay: Option<Duration>,
    missed: Option<Missed>,
    late: Option<Duration>,
}

impl Schedule {
    /// Makes a schedule of a cron pattern: five fields (minute, hour, day of month, month, day of week), or a nickname
    /// such as `@daily`. Its times are in UTC, unless [`zone`](Self::zone) or the
    /// [config](crate::SupervisorConfig::zone) sets another zone.
    pub fn cron(pattern: impl Into<Arc<str>>) -> Self {
        Self { pattern: pattern.into(), zone: None, splay: None, missed: None, late: None }
    }

    /// Sets the time zone: a name of the IANA database such as `Europe/Berlin`, or `local` for the zone of the system.
    /// Default: that of the [config](crate::SupervisorConfig::zone), or UTC.
    pub fn zone(self, zone: impl Into<Arc<str>>) -> Self {
        Self { zone: Some(zone.into()), ..self }
    }

    /// Shifts each run by up to this time; see [`TaskSpec::with_splay`]. Default: zero.
    pub fn splay(self, splay: Duration) -> Self {
        Self { splay: Some(splay), ..self }
    }

    /// Sets what happens to missed runs. Default: [`Missed::Once`].
    pub fn missed(self, missed: Missed) -> Self {
        Self { missed: Some(missed), ..self }
    }

    /// Sets how late a missed run may begin; at least 1 s. Default: no limit. A run that is later than this is skipped
    /// and reported. The limit never ends an attempt that has begun.
    pub fn late(self, late: Duration) -> Self {
        Self { late: Some(late), ..self }
    }

    /// Returns the pattern.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

impl TaskSpec {
    /// Runs the task on a calendar schedule. Its first attempt begins at the first time of the schedule, and until then
    /// the task is [`Scheduled`](crate::TaskState::Scheduled) and ready. Needs the feature `cron`,
    /// [`RestartPolicy::Always`] without an interval, and [`Ready::Start`]. Not allowed with
    /// [`with_every`](Self::with_every) and [`with_initial_delay`](Self::with_initial_delay).
    ///
    /// A failure is retried after the backoff, until the next time of the schedule. After
    /// [`max_retries`](Self::with_max_retries), the task waits for its next time.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        let Schedule { pattern, zone, splay, missed, late } = schedule;
        let mut spec = self.with_cron(pattern);
        spec = if let Some(zone) = zone { spec.with_zone(zone) } else { spec };
        spec = if let Some(splay) = splay { spec.with_splay(splay) } else { spec };
        spec = if let Some(missed) = missed { spec.with_missed(missed) } else { spec };
        if let Some(late) = late { spec.with_late(late) } else { spec }
    }

    /// Returns the schedule. Default: `None`.
    pub fn schedule(&self) -> Option<Schedule> {
        let Overrides { cron, zone, missed, late, splay, .. } = self.overrides();
        let pattern = cron.clone().flatten()?;
        let (zone, late) = (zone.clone().flatten(), late.flatten());
        Some(Schedule { pattern, zone, splay: *splay, missed: *missed, late })
    }
}

impl Overrides {
    /// Refuses the options of a schedule if there is no schedule.
    pub(crate) fn check_schedule(&self, name: &str) -> Result<(), InvalidOption> {
        // The options of a registration have all rows set, so `cron` can be set to `None`.
        if self.cron.is_some() {
            return Ok(());
        }
        #[cfg(feature = "fleet")]
        if let (Some(Some(_)), Some(Some(_))) = (&self.singleton, self.every) {
            return Ok(());
        }
        let (zone, late) = (self.zone.clone().flatten(), self.late.flatten());
        let set = [
            ("zone", zone.map(|zone| format!("{zone:?}"))),
            ("missed", self.missed.filter(|missed| *missed != Missed::Once).map(|missed| format!("{missed:?}"))),
            ("late", late.map(|late| format!("{late:?}"))),
            ("last_run", self.last_run.flatten().map(|_| "set".to_owned())),
        ];
        match set.into_iter().find_map(|(option, value)| Some((option, value?))) {
            Some((option, value)) => {
                Err(InvalidOption::new(format!("task `{name}`"), option, value, "a schedule beside it: `cron`"))
            }
            None => Ok(()),
        }
    }
}

/// The times at which a task runs.
#[derive(Debug)]
pub(crate) enum Times {
    /// The times of a pattern.
    Cron(Pattern),
    /// The multiples of this number of seconds since 1970-01-01T00:00:00Z.
    Every(i64),
}

impl Times {
    /// Returns the first time after an instant, which is given in seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn next(&self, after: i64, zone: &TimeZone) -> Option<Occurrence> {
        match self {
            Self::Cron(pattern) => pattern.next(after, zone),
            Self::Every(period) => {
                let at = after.div_euclid(*period).checked_add(1)?.checked_mul(*period)?;
                Some(occurrence(at))
            }
        }
    }

    /// Returns the largest delay of an attempt that counts as on time, in seconds: the resolution of a pattern, or a
    /// tenth of a period.
    pub(crate) fn on_time(&self) -> i64 {
        const RESOLUTION: i64 = 60;
        match self {
            Self::Cron(_) => RESOLUTION,
            Self::Every(period) => (period / 10).clamp(1, RESOLUTION),
        }
    }

    /// Returns the last time after an instant that is no later than `until`.
    pub(crate) fn latest(&self, after: i64, until: i64, zone: &TimeZone) -> Option<Occurrence> {
        match self {
            Self::Cron(pattern) => pattern.latest(after, until, zone),
            Self::Every(period) => {
                let latest = until.div_euclid(*period).checked_mul(*period)?;
                (latest > after).then(|| occurrence(latest))
            }
        }
    }
}

impl From<Pattern> for Times {
    fn from(pattern: Pattern) -> Self {
        Self::Cron(pattern)
    }
}

/// A time without a zone.
fn occurrence(at: i64) -> Occurrence {
    let local = Civil::from_seconds(at);
    Occurrence { at, due: local, local }
}

impl ResolvedPolicy {
    /// Returns `true` if the task runs on a calendar schedule, or on the common ticks of a fleet.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.cron.is_some() || self.has_common_ticks()
    }

    /// Returns `true` if all replicas of the fleet share the ticks of the period.
    #[cfg(feature = "fleet")]
    fn has_common_ticks(&self) -> bool {
        self.singleton.is_some() && self.every.is_some()
    }

    #[cfg(not(feature = "fleet"))]
    #[expect(clippy::unused_self, reason = "it has the shape of the real one")]
    const fn has_common_ticks(&self) -> bool {
        false
    }

    /// Returns the times and the zone of the schedule; `None` without a schedule, or if the schedule is invalid.
    pub(crate) fn timetable(&self) -> Option<(Times, TimeZone)> {
        let zone = TimeZone::find(self.zone.as_deref()).ok()?;
        let Some(cron) = self.cron.as_deref() else {
            let every = self.every.filter(|_| self.has_common_ticks())?;
            return Some((Times::Every(i64::try_from(every.as_secs()).unwrap_or(i64::MAX).max(1)), zone));
        };
        Some((Pattern::parse(cron).ok()?.into(), zone))
    }

    /// Refuses a period that cannot be shared by the replicas of a fleet.
    fn check_common_ticks(&self, subject: &dyn Fn() -> String) -> Result<(), InvalidOption> {
        let Some(every) = self.every.filter(|_| self.has_common_ticks()) else { return Ok(()) };
        let value = format!("{every:?}");
        let refuse = |expected: &'static str| Err(InvalidOption::new(subject(), "every", &*value, expected));
        if every.is_zero() {
            return Ok(());
        }
        if every.subsec_nanos() > 0 {
            return refuse(
                "whole seconds in a singleton: its ticks are the multiples of the period by the clock of the store",
            );
        }
        if !self.initial_delay.is_zero() {
            return refuse("no `initial_delay` beside it in a singleton: the first run is the next tick");
        }
        if self.ready != Ready::Start {
            return refuse("`Ready::Start` beside it in a singleton: it is ready while it waits for its tick");
        }
        self.check_late(subject)
    }

    /// Refuses an invalid schedule.
    pub(super) fn check_schedule(&self, subject: &dyn Fn() -> String) -> Result<(), InvalidOption> {
        let Some(cron) = self.cron.as_deref() else { return self.check_common_ticks(subject) };
        if let Err(errors) = Pattern::parse(cron) {
            return Err(InvalidOption::new(
                subject(),
                "cron",
                format!("{cron:?}"),
                format!("a cron pattern: {errors}"),
            ));
        }
        if let Err(expected) = TimeZone::find(self.zone.as_deref()) {
            let zone = self.zone.as_deref().unwrap_or_default();
            return Err(InvalidOption::new(subject(), "zone", format!("{zone:?}"), expected));
        }
        let value = format!("{cron:?}");
        let refuse = |expected: &'static str| Err(InvalidOption::new(subject(), "cron", &*value, expected));
        match self.restart {
            RestartPolicy::Always { interval: None } => {}
            RestartPolicy::Always { interval: Some(_) } => return refuse("either `cron` or `interval`, not both"),
            _ => return refuse("the restart policy `Always` beside it"),
        }
        if self.every.is_some() {
            return refuse("either `cron` or `every`, not both");
        }
        if !self.initial_delay.is_zero() {
            return refuse("no `initial_delay` beside it: the first run is the first time of the schedule");
        }
        if self.ready != Ready::Start {
            return refuse("`Ready::Start` beside it: a scheduled task is ready while it waits for its time");
        }
        self.check_late(subject)
    }

    fn check_late(&self, subject: &dyn Fn() -> String) -> Result<(), InvalidOption> {
        match self.late {
            Some(late) if late < Duration::from_secs(1) => {
                Err(InvalidOption::new(subject(), "late", format!("{late:?}"), "at least 1s"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{TaskContext, TaskFn};

    #[test]
    fn t1_a_spec_has_the_schedule_that_it_was_given() {
        let schedule = Schedule::cron("@daily")
            .zone("Europe/Berlin")
            .splay(Duration::from_secs(1))
            .missed(Missed::Skip)
            .late(Duration::from_secs(2));
        let expected = Schedule {
            pattern: "@daily".into(),
            zone: Some("Europe/Berlin".into()),
            splay: Some(Duration::from_secs(1)),
            missed: Some(Missed::Skip),
            late: Some(Duration::from_secs(2)),
        };
        assert_eq!((&schedule, schedule.pattern()), (&expected, "@daily"));
        let spec = TaskSpec::inherit(TaskFn::arc("x", |_: TaskContext| async { Ok(()) }));
        assert_eq!(spec.schedule(), None);
        assert_eq!(spec.with_schedule(schedule).schedule(), Some(expected));
    }

    #[test]
    fn t5_common_ticks_are_the_multiples_of_their_period() {
        let (ticks, zone) = (Times::Every(600), TimeZone::find(None).unwrap());
        let next = |after| ticks.next(after, &zone).map(|run| run.at);
        assert_eq!([next(-1), next(0), next(599)], [Some(0), Some(600), Some(600)]);
        let latest = |after, until| ticks.latest(after, until, &zone).map(|run| run.at);
        assert_eq!(
            [latest(0, 1_799), latest(0, 600), latest(600, 1_199), latest(601, 1_199)],
            [Some(1_200), Some(600), None, None]
        );
        let on_time = |period| Times::Every(period).on_time();
        assert_eq!([on_time(5), on_time(100), on_time(600), on_time(86_400)], [1, 10, 60, 60]);
        assert_eq!(Times::Cron(Pattern::parse("@daily").unwrap()).on_time(), 60);
    }
}
