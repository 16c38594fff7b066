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

/// What the sampler is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Load {
    pub(crate) work: &'static str,
    pub(crate) runtime: &'static str,
    pub(crate) size: u64,
    /// Whether the size is part of what is measured; else it only says how often, and may be less for who is slow.
    pub(crate) fixed: bool,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Nanoseconds an operation: processor time of all threads.
    Cpu,
    /// Nanoseconds an operation: real time.
    Wall,
    /// Allocations an operation.
    Allocations,
    /// Live bytes an operation.
    Bytes,
    /// Live blocks an operation.
    Blocks,
    /// What was lost of a whole sample, at worst.
    Lost,
    /// Threads left behind by a whole sample, at worst.
    Threads,
}

/// What must hold for taskvisor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// At most as many times what the floor needs in the same round.
    OfFloor(f64),
    /// At most so much.
    AtMost(f64),
    /// Nothing: it is shown, and not judged.
    None,
    /// At most as many times what an operation costs under `small`, by the medians: the two are not taken in turn.
    OfSmall { small: Load, most: f64 },
    /// The same of the median ratios to the floor, which are of the same rounds: what is linear is near 1.
    GrowthOfFloor { small: Load, most: f64 },
}

impl Bar {
    /// Whether it is about how two loads compare, and not about what one costs.
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

    /// Whether a build that counts is needed.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Allocations | Self::Bytes | Self::Blocks)
    }

    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Cpu | Self::Wall)
    }

    /// Whether the worst sample counts, rather than the median.
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

const fn case(row: &'static str, label: &'static str, load: Load, measure: Measure, bar: Bar) -> Case {
    Case { row, label, load, measure, bar }
}

/// Grown tenfold, an operation may cost this much more than the floor's does: caches, not the algorithm.
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
        case("C1", "restart, no token", restart, Allocations, AtMost(3.0)),
        case("C1", "restart, with a token", restart_token, Cpu, OfFloor(0.85)),
        case("C1", "restart, with a token", restart_token, Allocations, AtMost(4.0)),
        case("C2", "restart, 1 subscriber", heard_by_1, Cpu, OfFloor(1.5)),
        case("C2", "restart, 1 subscriber", heard_by_1, Lost, AtMost(0.0)),
        case("C2", "restart, 8 subscribers", heard_by_8, Cpu, OfFloor(2.5)),
        case("C2", "restart, 8 subscribers", heard_by_8, Lost, AtMost(0.0)),
        case("C3", "add to outcome, 10k, ct", once("ct", 10_000), Cpu, OfFloor(1.5)),
        case("C3", "add to outcome, with a token, 10k, ct", exactly("once-token", "ct", 10_000), Cpu, Bar::None),
        case("C3", "add to outcome, 100k, ct", once("ct", 100_000), Cpu, OfFloor(1.5)),
        case(
            "C3",
            "100k to 10k, ct",
            once("ct", 100_000),
            Cpu,
            GrowthOfFloor { small: once("ct", 10_000), most: LINEAR },
        ),
        case("C3", "add to outcome, 10k, mt", once("mt", 10_000), Wall, OfFloor(1.8)),
        case("C3", "add to outcome, 100k, mt", once("mt", 100_000), Wall, OfFloor(1.8)),
        case("C4", "idle task, with a token", idle_token, Bytes, AtMost(800.0)),
        case("C4", "idle task, with a token", idle_token, Blocks, AtMost(7.0)),
        case("C4", "idle task, no token", idle, Bytes, AtMost(800.0)),
        case("C4", "idle task, no token", idle, Blocks, AtMost(7.0)),
        case("C5", "add, cancel, wait, ct", cancel, Cpu, OfFloor(1.6)),
        case("C5", "add, cancel, wait, mt", often_on_two("cancel-0", 50_000), Wall, OfFloor(1.6)),
        case("C5", "started, cancel, wait, ct", often("cancel-started-0", 50_000), Cpu, Bar::None),
        case("C5", "among 100k others, ct", cancel_among, Cpu, OfSmall { small: cancel, most: 1.7 }),
        case("C6", "stop, 10k, ct", stop("ct", 10_000), Cpu, OfFloor(4.0)),
        case("C6", "stop, 100k, ct", stop("ct", 100_000), Cpu, OfFloor(4.0)),
        case(
            "C6",
            "100k to 10k, ct",
            stop("ct", 100_000),
            Cpu,
            GrowthOfFloor { small: stop("ct", 10_000), most: LINEAR },
        ),
        case("C6", "stop, 10k, mt", stop("mt", 10_000), Wall, OfFloor(2.2)),
        case("C6", "stop, 100k, mt", stop("mt", 100_000), Wall, OfFloor(2.2)),
        case("C7", "deliver to 1", often("deliver-1", 900_000), Cpu, AtMost(150.0)),
        case("C7", "deliver to 1", often("deliver-1", 900_000), Lost, AtMost(0.0)),
        case("C7", "deliver to 8", often("deliver-8", 600_000), Cpu, AtMost(250.0)),
        case("C7", "deliver to 8", often("deliver-8", 600_000), Lost, AtMost(0.0)),
        case("C8", "burst of 1 task, ct", burst("burst-1", "ct"), Lost, AtMost(0.0)),
        case("C8", "burst of 16 tasks, ct", burst("burst-16", "ct"), Lost, AtMost(0.0)),
        case("C8", "burst of 1 task, mt", burst("burst-1", "mt"), Lost, AtMost(0.0)),
        case("C8", "burst of 16 tasks, mt", burst("burst-16", "mt"), Lost, AtMost(0.0)),
        case("C9", "slot: drop", often("slot-drop", 300_000), Cpu, AtMost(250.0)),
        case("C9", "slot: replace", often("slot-replace", 300_000), Cpu, AtMost(250.0)),
        case("C9", "slot: queue to outcome", often("slot-queue", 100_000), Cpu, AtMost(1_500.0)),
        case("C9", "10k slots", exactly("slot-distinct", "ct", 10_000), Cpu, AtMost(2_000.0)),
        case("C10", "poll, ct", often("poll", 3_000_000), Cpu, OfFloor(1.15)),
        case("C10", "poll, mt", often_on_two("poll", 3_000_000), Wall, OfFloor(1.15)),
        case("C11", "start to shutdown, ct", often("lifecycle", 50_000), Cpu, OfFloor(4.0)),
        case("C11", "start to shutdown, mt", often_on_two("lifecycle", 50_000), Wall, OfFloor(4.0)),
        case("C11", "start to shutdown, ct", often("lifecycle", 50_000), Threads, AtMost(0.0)),
    ]
}
