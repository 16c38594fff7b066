//! Random and mutated token streams: no parser panics, and what comes out are tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

const ROUNDS: u64 = 5_000;

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

const SEEDS: &[&str] = &[
    "name = \"x\", restart = \"always\", interval = \"1h30m\", timeout = POLL, max_retries = 3, \
     backoff(first = \"1s\", factor = 2.0, jitter = \"full\", reset_after = \"60s\"), ready = \"signal\", \
     watchdog = \"1s\", critical, significant = false, blocking, retry_if = a::b, crate = \"a::b\"",
    "name = \"x\", grace = \"5s\", config = c(), defaults(timeout = \"5s\", backoff(max = \"1s\")), \
     subscribers = [a, b.c()], tasks = [ping { a, b: c }, x = task(pong {}, every = \"1s\"), ..many.iter(), \
     #[cfg(a)] y]",
    "strategy = one_for_all(max_restarts = 5, within = W), tasks = [ping {}, #[cfg(a)] store = group(\
     strategy = rest_for_one(max_restarts = n, within = \"60s\"), tasks = [ping {}, r#type = group(tasks = [], \
     after = [ping]), ..many], after = [ping], restart = \"never\", backoff(first = \"1s\"), critical = false, \
     significant), task(pong {}, after = [store, ping])]",
    "#[doc = \"x\"] pub(crate) async fn ping(ctx: TaskContext, a: Vec<Option<&'static str>>, mut b: fn(&u8)) \
     -> Result<(), Error> { body. }",
    "async fn ping<'a, T: X, const N: usize>((a, b): (u8, &str), _: [T; N], c: impl Fn(&u8), d: Cow<'_, str>) {}",
];

/// A linear congruential generator, so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }

    fn word(&mut self) -> TokenStream {
        let word = WORDS.get(self.below(WORDS.len())).copied().unwrap_or_default();
        word.parse().unwrap_or_default()
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

    /// Drops, doubles, replaces and inserts tokens, at every depth.
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

    fn input(&mut self) -> TokenStream {
        if self.below(4) == 0 {
            return self.stream(3);
        }
        let seed = SEEDS.get(self.below(SEEDS.len())).copied().unwrap_or_default();
        self.mutate(seed.parse().unwrap_or_default())
    }
}

#[test]
fn no_input_panics() {
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let (options, item, tree) = (random.input(), random.input(), random.input());
        let texts = [options.to_string(), item.to_string(), tree.to_string()];
        let outcome = std::panic::catch_unwind(|| {
            let options: TokenStream = options.clone();
            drop(crate::task::expand(options, item.clone()));
            syn::parse2::<syn::Expr>(crate::supervise::expand(tree.clone())).is_ok()
        });
        let texts = texts.join("\n");
        assert!(outcome.is_ok(), "seed {seed} panics:\n{texts}");
    }
}
