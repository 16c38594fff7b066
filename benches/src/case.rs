//! The rows of the table of costs, with their bars.

/// The names of the rows.
pub(crate) const ROWS: [&str; 11] = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11"];

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) row: &'static str,
    pub(crate) label: &'static str,
    pub(crate) load: Load,
    pub(crate) measure: Measure,
    pub(crate) bar: Bar,
}

/// The arguments for the sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Load {
    pub(crate) work: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) size: u64,
    /// Whether the size is a part of the measurement. If not, it is only the number of repetitions, and may be reduced
    /// for slow contenders.
    pub(crate) fixed: bool,
}

/// The quantity that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Processor time of all threads, in nanoseconds per operation.
    Cpu,
    /// Real time, in nanoseconds per operation.
    Wall,
    /// Allocations per operation.
    Allocations,
    /// Live bytes per operation.
    Bytes,
    /// Live blocks per operation.
    Blocks,
    /// The largest share of events that a sample lost.
    Lost,
    /// The largest number of threads that a sample left behind.
    Threads,
}

/// The condition that taskvisor must meet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// At most this many times the cost of the floor in the same round.
    OfFloor(f64),
    /// At most this many times the cost of the best peer of the same run, comparing medians. Not judged without peers.
    OfPeer(f64),
    /// At most this value.
    AtMost(f64),
    /// No condition: the line is only shown.
    None,
    /// At most this many times the cost of an operation under `small`, comparing medians, since the two loads do not
    /// alternate.
    OfSmall { small: Load, most: f64 },
    /// The same for the median ratios to the floor, which are from the same rounds. Linear growth is near 1.
    GrowthOfFloor { small: Load, most: f64 },
}

impl Bar {
    /// Returns whether the bar compares two loads rather than judging the cost of one.
    pub(crate) fn is_growth(self) -> bool {
        matches!(self, Self::OfSmall { .. } | Self::GrowthOfFloor { .. })
    }
}

impl Measure {
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "ns cpu",
            Self::Wall => "ns wall",
            Self::Allocations => "allocations",
            Self::Bytes => "bytes",
            Self::Blocks => "blocks",
            Self::Lost => "lost",
            Self::Threads => "threads",
        }
    }

    /// Returns whether the measure needs a build that counts allocations.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Allocations | Self::Bytes | Self::Blocks)
    }

    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Cpu | Self::Wall)
    }

    /// Returns whether the worst sample counts, rather than the median.
    pub(crate) fn is_worst(self) -> bool {
        matches!(self, Self::Lost | Self::Threads)
    }
}

const fn often(work: &'static str, size: u64) -> Load {
    Load { work, runtime: "ct", size, fixed: false }
}

const fn often_on_two(work: &'static str, size: u64) -> Load {
    Load { runtime: "mt", ..often(work, size) }
}

const fn exactly(work: &'static str, runtime: &'static str, size: u64) -> Load {
    Load { work, runtime, size, fixed: true }
}

/// A line beside the best peer, whose load another line has.
const fn beside(row: &'static str, label: &'static str, load: Load, measure: Measure, most: f64) -> Case {
    case(row, label, load, measure, Bar::OfPeer(most))
}

const fn case(row: &'static str, label: &'static str, load: Load, measure: Measure, bar: Bar) -> Case {
    Case { row, label, load, measure, bar }
}

/// The limit for the growth of the ratio to the floor when the size grows tenfold. It allows for cache effects.
const LINEAR: f64 = 1.3;

/// All lines, in the order of the table.
pub(crate) fn cases() -> Vec<Case> {
    use Bar::{AtMost, GrowthOfFloor, OfFloor, OfSmall};
    use Measure::{Allocations, Blocks, Bytes, Cpu, Lost, Threads, Wall};

    let (restart, restart_token) = (often("restart", 500_000), often("restart-token", 500_000));
    let (heard_by_1, heard_by_8) = (often("restart-1", 300_000), often("restart-8", 200_000));
    let once = |runtime, size| exactly("once", runtime, size);
    let stop = |runtime, size| exactly("stop", runtime, size);
    let (idle, idle_token) = (exactly("idle", "ct", 100_000), exactly("idle-token", "ct", 100_000));
    let (cancel, cancel_among) = (often("cancel-0", 50_000), often("cancel-100000", 50_000));
    let burst = |work, runtime| exactly(work, runtime, 100_000);

    vec![
        case("C1", "restart, no token", restart, Cpu, OfFloor(0.5)),
        beside("C1", "restart, beside the best peer", restart, Cpu, 0.35),
        case("C1", "restart, no token", restart, Allocations, AtMost(3.0)),
        case("C1", "restart, with a token", restart_token, Cpu, OfFloor(0.85)),
        case("C1", "restart, with a token", restart_token, Allocations, AtMost(4.0)),
        case("C2", "restart, 1 subscriber", heard_by_1, Cpu, OfFloor(1.5)),
        case("C2", "restart, 1 subscriber", heard_by_1, Lost, AtMost(0.0)),
        case("C2", "restart, 8 subscribers", heard_by_8, Cpu, OfFloor(2.5)),
        case("C2", "restart, 8 subscribers", heard_by_8, Lost, AtMost(0.0)),
        case("C3", "add to outcome, 10k, ct", once("ct", 10_000), Cpu, OfFloor(1.5)),
        beside("C3", "10k, ct, beside the best peer", once("ct", 10_000), Cpu, 0.85),
        case("C3", "add to outcome, with a token, 10k, ct", exactly("once-token", "ct", 10_000), Cpu, Bar::None),
        case("C3", "add to outcome, 100k, ct", once("ct", 100_000), Cpu, OfFloor(1.5)),
        case(
            "C3",
            "100k to 10k, ct",
            once("ct", 100_000),
            Cpu,
            GrowthOfFloor { small: once("ct", 10_000), most: LINEAR },
        ),
        beside("C3", "100k, ct, beside the best peer", once("ct", 100_000), Cpu, 0.85),
        case("C3", "add to outcome, 10k, mt", once("mt", 10_000), Wall, OfFloor(1.8)),
        case("C3", "add to outcome, 100k, mt", once("mt", 100_000), Wall, OfFloor(1.8)),
        case("C4", "idle task, with a token", idle_token, Bytes, AtMost(800.0)),
        beside("C4", "with a token, beside the best peer", idle_token, Bytes, 0.85),
        case("C4", "idle task, with a token", idle_token, Blocks, AtMost(7.0)),
        case("C4", "idle task, no token", idle, Bytes, AtMost(800.0)),
        case("C4", "idle task, no token", idle, Blocks, AtMost(7.0)),
        case("C5", "add, cancel, wait, ct", cancel, Cpu, OfFloor(1.6)),
        case("C5", "add, cancel, wait, mt", often_on_two("cancel-0", 50_000), Wall, OfFloor(1.6)),
        case("C5", "started, cancel, wait, ct", often("cancel-started-0", 50_000), Cpu, Bar::None),
        case("C5", "among 100k others, ct", cancel_among, Cpu, OfSmall { small: cancel, most: 1.7 }),
        case("C6", "stop, 10k, ct", stop("ct", 10_000), Cpu, OfFloor(4.0)),
        beside("C6", "10k, ct, beside the best peer", stop("ct", 10_000), Cpu, 0.7),
        case("C6", "stop, 100k, ct", stop("ct", 100_000), Cpu, OfFloor(4.0)),
        beside("C6", "100k, ct, beside the best peer", stop("ct", 100_000), Cpu, 0.7),
        case(
            "C6",
            "100k to 10k, ct",
            stop("ct", 100_000),
            Cpu,
            GrowthOfFloor { small: stop("ct", 10_000), most: LINEAR },
        ),
        case("C6", "stop, 10k, mt", stop("mt", 10_000), Wall, OfFloor(2.2)),
        beside("C6", "10k, mt, beside the best peer", stop("mt", 10_000), Wall, 0.7),
        case("C6", "stop, 100k, mt", stop("mt", 100_000), Wall, OfFloor(2.2)),
        beside("C6", "100k, mt, beside the best peer", stop("mt", 100_000), Wall, 0.7),
        case("C7", "deliver to 1", often("deliver-1", 900_000), Cpu, AtMost(150.0)),
        case("C7", "deliver to 1", often("deliver-1", 900_000), Lost, AtMost(0.0)),
        case("C7", "deliver to 8", often("deliver-8", 600_000), Cpu, AtMost(250.0)),
        case("C7", "deliver to 8", often("deliver-8", 600_000), Lost, AtMost(0.0)),
        case("C8", "burst of 1 task, ct", burst("burst-1", "ct"), Lost, AtMost(0.0)),
        case("C8", "burst of 16 tasks, ct", burst("burst-16", "ct"), Lost, AtMost(0.0)),
        case("C8", "burst of 1 task, mt", burst("burst-1", "mt"), Lost, AtMost(0.0)),
        case("C8", "burst of 16 tasks, mt", burst("burst-16", "mt"), Lost, AtMost(0.0)),
        case("C9", "slot: drop", often("slot-drop", 300_000), Cpu, AtMost(250.0)),
        beside("C9", "drop, beside the best peer", often("slot-drop", 300_000), Cpu, 0.04),
        case("C9", "slot: replace", often("slot-replace", 300_000), Cpu, AtMost(250.0)),
        beside("C9", "replace, beside the best peer", often("slot-replace", 300_000), Cpu, 0.04),
        case("C9", "slot: queue to outcome", often("slot-queue", 100_000), Cpu, AtMost(1_500.0)),
        beside("C9", "queue to outcome, beside the best peer", often("slot-queue", 100_000), Cpu, 0.04),
        case("C9", "10k slots", exactly("slot-distinct", "ct", 10_000), Cpu, AtMost(2_000.0)),
        case("C10", "poll, ct", often("poll", 3_000_000), Cpu, OfFloor(1.15)),
        case("C10", "poll, mt", often_on_two("poll", 3_000_000), Wall, OfFloor(1.15)),
        case("C11", "start to shutdown, ct", often("lifecycle", 50_000), Cpu, OfFloor(4.0)),
        case("C11", "start to shutdown, mt", often_on_two("lifecycle", 50_000), Wall, OfFloor(4.0)),
        case("C11", "start to shutdown, ct", often("lifecycle", 50_000), Threads, AtMost(0.0)),
    ]
}
