//! Random and mutated token streams: no parser panics, and each expansion is valid Rust or has errors.
//!
//! `FUZZ_SEED=..` starts with the round of that seed, `FUZZ_ROUNDS=..` sets the number of rounds.

use std::panic::catch_unwind;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::flatten;
use crate::function::Function;

/// The number of rounds for each macro.
const ROUNDS: u64 = 25_000;

const WORDS: &[&str] = &[
    "task",
    "name",
    "restart",
    "interval",
    "every",
    "timeout",
    "backoff",
    "first",
    "max",
    "factor",
    "jitter",
    "defaults",
    "tasks",
    "slots",
    "slot",
    "admission",
    "capacity",
    "group",
    "strategy",
    "one_for_one",
    "max_restarts",
    "within",
    "after",
    "ready",
    "critical",
    "subscribers",
    "config",
    "crate",
    "self",
    "Self",
    "async",
    "fn",
    "struct",
    "impl",
    "dyn",
    "where",
    "pub",
    "mut",
    "ref",
    "const",
    "unsafe",
    "ping",
    "spec",
    "TaskContext",
    "subscriber",
    "supervise",
    "supervise ! ( )",
    "queue",
    "Event",
    "App",
    "let x = 1 ;",
    "_",
    "r#type",
    "'a",
    "'static",
    "=",
    ",",
    "..",
    "..=",
    ".",
    "::",
    ":",
    "#",
    "!",
    "&",
    "->",
    "=>",
    "<",
    ">",
    "-",
    "+",
    "*",
    "|",
    ";",
    "?",
    "\"5s\"",
    "\"\"",
    "\"always\"",
    "\"1h30m\"",
    "\"-1s\"",
    "5",
    "5s",
    "-1",
    "1e999",
    "0.5",
    "2.0f32",
    "true",
    "'c'",
    "b\"x\"",
    "340282366920938463463374607431768211456",
];

/// Options of attributes.
const OPTIONS: &[&str] = &[
    "name = \"x\", restart = \"always\", interval = \"1h30m\", timeout = POLL, max_retries = 3",
    "backoff(first = \"1s\", factor = 2.0, jitter = \"full\", reset_after = \"60s\"), ready = \"signal\"",
    "watchdog = \"1s\", critical, significant = false, blocking, retry_if = a::b, crate = \"a::b\"",
    "name = NAME, queue = 16, crate = a::b",
    "restart = always, cron = \"30 2 * * mon-fri\", zone = \"Europe/Berlin\", missed = \"skip\", late = \"1h\"",
    "cron = */15 8,12 * * 1, zone = Europe/Berlin, missed = once, late = LATE, splay = \"1m\"",
];

/// Functions under attributes.
const FUNCTIONS: &[&str] = &[
    "#[doc = \"x\"] pub(crate) async fn ping(ctx: TaskContext, a: Vec<Option<&'static str>>, mut b: fn(&u8)) \
     -> Result<(), Error> { body. }",
    "async fn ping<'a, T: X, const N: usize>((a, b): (u8, &str), _: [T; N], c: impl Fn(&u8), d: Cow<'_, str>) {}",
    "#[cfg(a)] pub async fn listen(event: &Event, state: Arc<u8>, other: &'static str) { body; }",
    "pub fn app(db: Pool) -> App { let x = 1; a::supervise!(tasks = [ping {}, store = group(tasks = [pong {}])]) }",
    "#[cfg(a)] async fn app<T: X>(t: T) -> Result<App, E> where T: Y { Ok(supervise!(grace = \"1s\", tasks = [])) }",
];

/// Declarations of trees, in small pieces, since most of the time goes into the expansion.
const TREES: &[&str] = &[
    "name = \"x\", grace = \"5s\", config = c()",
    "subscribers = [a, b.c()], signals = false, max_concurrent = 4",
    "defaults(timeout = \"5s\", backoff(max = \"1s\")), drain = D",
    "tasks = [ping { a, b: c }, ..many.iter()], crate = a::b",
    "tasks = [x = task(pong {}, every = \"1s\", after = [y])]",
    "defaults(zone = \"UTC\"), tasks = [task(pong {}, cron = \"@daily\", last_run = saved)]",
    "tasks = [#[cfg(a)] ping::spec(1), y]",
    "controller = c, slots = [slot(a, admission = \"replace\"), #[cfg(b)] slot(r#type, capacity = N)]",
    "strategy = one_for_all(max_restarts = 5, within = W)",
    "tasks = [ping {}, #[cfg(a)] r#type = group(after = [ping], critical = false)]",
    "tasks = [store = group(strategy = rest_for_one(max_restarts = n, within = \"60s\"))]",
    "tasks = [a = group(tasks = [b = group(restart = \"never\", significant, backoff(first = \"1s\"))])]",
];

/// Tokens that are parsed only once, since parsing is most of the work.
struct Samples {
    words: Vec<TokenStream>,
    options: Vec<TokenStream>,
    functions: Vec<TokenStream>,
    trees: Vec<TokenStream>,
}

impl Samples {
    fn new() -> Self {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Self { words: read(WORDS), options: read(OPTIONS), functions: read(FUNCTIONS), trees: read(TREES) }
    }
}

/// A linear congruential generator, so that a failure can be repeated from its seed.
struct Random<'a> {
    state: u64,
    words: &'a [TokenStream],
}

impl Random<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap_or(0) % bound.max(1)
    }

    fn word(&mut self) -> TokenStream {
        self.words[self.below(self.words.len())].clone()
    }

    fn stream(&mut self, depth: usize) -> TokenStream {
        let length = self.below(8);
        (0..length)
            .flat_map(|_| {
                if depth > 0 && self.below(4) == 0 {
                    let inner = self.stream(depth - 1);
                    TokenStream::from(TokenTree::Group(Group::new(self.delimiter(), inner)))
                } else {
                    self.word()
                }
            })
            .collect()
    }

    fn delimiter(&mut self) -> Delimiter {
        match self.below(4) {
            0 => Delimiter::Brace,
            1 => Delimiter::Bracket,
            2 => Delimiter::None,
            _ => Delimiter::Parenthesis,
        }
    }

    /// Drops, repeats, replaces and inserts tokens, at every depth.
    fn mutate(&mut self, tokens: TokenStream) -> TokenStream {
        tokens
            .into_iter()
            .flat_map(|tree| match (self.below(24), tree) {
                (0, _) => TokenStream::new(),
                (1, tree) => [tree.clone(), tree].into_iter().collect(),
                (2, _) => self.word(),
                (3, tree) => [self.word(), TokenStream::from(tree)].into_iter().collect(),
                (4, TokenTree::Group(group)) => group.stream(),
                (_, TokenTree::Group(group)) => {
                    let inner = self.mutate(group.stream());
                    TokenStream::from(TokenTree::Group(Group::new(group.delimiter(), inner)))
                }
                (_, tree) => TokenStream::from(tree),
            })
            .collect()
    }

    fn input(&mut self, samples: &[TokenStream]) -> TokenStream {
        if self.below(8) == 0 {
            return self.stream(3);
        }
        let sample = samples[self.below(samples.len())].clone();
        self.mutate(sample)
    }
}

/// Draws input for a macro, and returns whether the expansion is as it should be.
type Round = fn(&mut Random<'_>, &Samples) -> bool;

fn fuzz(round: Round) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let start = number("FUZZ_SEED").unwrap_or(0);
    let samples = Samples::new();
    for seed in start..start + number("FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let random = || Random { state: seed, words: &samples.words };
        let outcome = catch_unwind(|| round(&mut random(), &samples));
        assert!(matches!(outcome, Ok(true)), "FUZZ_SEED={seed}");
    }
}

fn fuzz_attribute(
    random: &mut Random<'_>,
    samples: &Samples,
    expand: fn(TokenStream, TokenStream) -> TokenStream,
) -> bool {
    let (options, item) = (random.input(&samples.options), random.input(&samples.functions));
    is_sound(&item.clone(), expand(options, item))
}

/// Returns whether the expansion is valid Rust if the function is, and otherwise has errors. The body may be
/// half-typed.
fn is_sound(item: &TokenStream, expanded: TokenStream) -> bool {
    if syn::parse2::<syn::ItemFn>(item.clone()).is_ok() {
        return syn::parse2::<syn::File>(expanded).is_ok();
    }
    // What the compiler has told is not told again.
    let is_told = |error: syn::Error| crate::function::is_told(item, &error);
    syn::parse2::<Function>(item.clone()).map_or_else(is_told, |_| true)
        || flatten(expanded).iter().any(|token| token == "compile_error")
}

#[test]
fn no_input_of_task_panics() {
    fuzz(|random, samples| fuzz_attribute(random, samples, crate::task::expand));
}

#[test]
fn no_input_of_subscriber_panics() {
    fuzz(|random, samples| fuzz_attribute(random, samples, crate::subscriber::expand));
}

#[test]
fn no_input_of_supervisor_panics() {
    fuzz(|random, samples| fuzz_attribute(random, samples, crate::supervisor::expand));
}

#[test]
fn no_input_of_supervise_panics() {
    fuzz(|random, samples| syn::parse2::<syn::Expr>(crate::supervise::expand(random.input(&samples.trees))).is_ok());
}
