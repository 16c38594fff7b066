//! Random texts: an error whose place is in the text, or a pattern with a normal form and occurrences.

use fastrand::Rng;
use taskvisor_parse::cron::{Pattern, Utc};
use taskvisor_parse::{duration, suggest};

use crate::kit::Changes;
use crate::reference::Rule;

const SEED: u64 = 0x5eed;

const PIECES: [&str; 44] = [
    "*",
    "*",
    "*/",
    "0",
    "1",
    "2",
    "5",
    "7",
    "9",
    "15",
    "23",
    "29",
    "30",
    "31",
    "59",
    "60",
    "99999999999",
    ",",
    ",",
    "-",
    "-",
    "/",
    "#",
    "#",
    "L",
    "l",
    "W",
    "?",
    "H",
    "~",
    "@",
    " ",
    " ",
    "\t",
    "jan",
    "FEB",
    "dec",
    "sun",
    "Mon",
    "sat",
    "@daily",
    "é",
    "\0",
    "\u{1f552}",
];

/// Joins random pieces.
fn pieces(random: &mut Rng, most: usize) -> String {
    (0..random.usize(..=most)).map(|_| random.choice(PIECES).unwrap_or_default()).collect()
}

/// Five fields that are mostly right.
fn fields(random: &mut Rng) -> String {
    let names: [&[&str]; 5] =
        [&[], &[], &["L"], &["jan", "Jun", "DEC"], &["sun", "Mon", "fri", "mon#2", "friL", "0#L"]];
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let mut field = |(names, (first, last)): (&[&str], (u32, u32))| {
        let mut item = || {
            let (a, b) = (random.u32(first..=last), random.u32(first..=last));
            match random.u8(..10) {
                0..3 => String::from("*"),
                3 => format!("*/{}", random.u32(1..=last)),
                4 => format!("{}-{}", a.min(b), a.max(b)),
                5 => format!("{}-{}/{}", a.min(b), a.max(b), random.u32(1..=last)),
                6 => random.choice(names).map_or_else(|| a.to_string(), |name| (*name).to_owned()),
                7 => pieces(&mut *random, 3),
                _ => a.to_string(),
            }
        };
        let mut items = item();
        while items.len() < 20 && items.len() % 3 != 0 {
            items = format!("{items},{}", item());
        }
        items
    };
    names.into_iter().zip(limits).map(&mut field).collect::<Vec<_>>().join(" ")
}

fn bytes(random: &mut Rng) -> String {
    let bytes: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn check(text: &str, random: &mut Rng) -> bool {
    match Pattern::parse(text) {
        Ok(pattern) => {
            let normal = pattern.to_string();
            assert_eq!(Pattern::parse(&normal), Ok(pattern), "{text:?} as {normal:?}");
            assert_eq!(Pattern::parse(&normal).map(|again| again.to_string()), Ok(normal), "{text:?}");
            let after = if random.bool() { random.i64(..) } else { random.i64(0..5_000_000_000) };
            let back = Changes { first: random.i32(-90_000..90_000), then: vec![(after, random.i32(-90_000..90_000))] };
            for next in [pattern.next(after, &Utc), pattern.next(after, &back)].into_iter().flatten() {
                assert!(next.at > after, "{text:?} after {after}: {next:?}");
            }
            true
        }
        Err(errors) => {
            assert_ne!(errors.iter().len(), 0, "{text:?}");
            for error in &errors {
                assert!(text.get(error.span()).is_some(), "{text:?}: {error:?}");
                assert!(!error.message().contains('\0'), "{text:?}: {error}");
            }
            false
        }
    }
}

#[test]
fn patterns() {
    let mut random = Rng::with_seed(SEED);
    let mut valid = 0;
    for round in 0..60_000 {
        let text = match round % 4 {
            0 => pieces(&mut random, 12),
            1 => bytes(&mut random),
            _ => fields(&mut random),
        };
        valid += u32::from(check(&text, &mut random));
    }
    assert!((5_000..40_000).contains(&valid), "{valid} were patterns");
}

#[test]
fn patterns_occur_when_the_reference_says() {
    let mut random = Rng::with_seed(SEED);
    let mut valid = 0;
    while valid < 600 {
        let text = fields(&mut random);
        let Ok(pattern) = Pattern::parse(&text) else { continue };
        valid += 1;
        let (first, count) = (random.i64(-30_000..100_000), 800);
        let (begin, end) = (first * 86_400, (first + count) * 86_400);
        let found = pattern.upcoming(begin - 1, &Utc).map(|next| next.at).take_while(|at| *at < end);
        let rule = Rule::new(&pattern.to_string());
        assert!(found.take(500).eq(rule.of_days(first, count).take(500)), "{text:?} from day {first} on");
    }
}

#[test]
fn durations_and_words() {
    let mut random = Rng::with_seed(SEED);
    let parts =
        ["1", "30", "99999999999999999999", ".", "-", ":", " ", "h", "m", "s", "ms", "week", "and", ",", "é", "µs"];
    for _ in 0..20_000 {
        let count = random.usize(..10);
        let text: String = (0..count).map(|_| random.choice(parts).unwrap_or_default()).collect();
        match duration::parse(&text) {
            Ok(duration) => assert_eq!(duration::parse(&duration::display(duration)), Ok(duration), "{text:?}"),
            Err(message) => assert!(message.contains(&text), "{text:?}: {message}"),
        }
        let known = ["Europe/Berlin", "UTC", "minutes"];
        let word = bytes(&mut random);
        for meant in [suggest::closest(&word, known), suggest::zone(&text, known)].into_iter().flatten() {
            assert!(known.contains(&meant));
        }
    }
}
