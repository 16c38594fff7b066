//! Half-typed input: cut after any token, or with any token missing, it gives at most one error.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::quote;

use super::{flatten, messages};

/// Every prefix of the tokens, at every depth, with open groups closed as editors do.
fn prefixes(tokens: TokenStream) -> Vec<TokenStream> {
    let mut prefixes = vec![TokenStream::new()];
    let mut before = TokenStream::new();
    for tree in tokens {
        if let TokenTree::Group(group) = &tree {
            for inner in prefixes_in(group) {
                prefixes.push(before.clone().into_iter().chain([inner]).collect());
            }
        }
        before.extend([tree]);
        prefixes.push(before.clone());
    }
    prefixes
}

fn prefixes_in(group: &Group) -> Vec<TokenTree> {
    prefixes(group.stream()).into_iter().map(|inner| like(group, inner)).collect()
}

/// The tokens with each one left out in turn, at every depth.
fn gaps(tokens: TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut gaps = Vec::new();
    for (position, tree) in trees.iter().enumerate() {
        let (before, after) = (&trees[..position], &trees[position + 1..]);
        let with =
            |middle: Option<TokenTree>| before.iter().cloned().chain(middle).chain(after.iter().cloned()).collect();
        match tree {
            TokenTree::Group(group) => {
                gaps.extend(self::gaps(group.stream()).into_iter().map(|inner| with(Some(like(group, inner)))));
            }
            _ => gaps.push(with(None)),
        }
    }
    gaps
}

fn like(group: &Group, inner: TokenStream) -> TokenTree {
    TokenTree::Group(Group::new(group.delimiter(), inner))
}

fn tree() -> TokenStream {
    quote!(
        name = "app",
        strategy = one_for_all(max_restarts = 1, within = POLL * 2),
        grace = "30s",
        defaults(stop_timeout = "5s", backoff(max = "10s")),
        config = own(),
        subscribers = [log {}, second()],
        slots = [slot(deploy, admission = "replace", capacity = 5)],
        tasks = [
            sweep { db: db.clone(), url: "x".into() },
            store = group(
                tasks = [pool { size: 5 }, second = sweep::spec(db, "y")],
                strategy = rest_for_one(max_restarts = 5, within = "60s"),
                critical = false,
            ),
            task(pool { size: 2 }, restart = "always", interval = POLL, after = [store]),
            ..urls.iter().map(|url| sweep::spec(url)),
        ],
    )
}

fn options() -> TokenStream {
    quote!(
        restart = "always",
        interval = POLL * 2,
        name = "sweeper",
        backoff(first = "1s", factor = 2.0, jitter = "full"),
        critical,
        retry_if = a::is_transient,
        crate = "a::b",
    )
}

fn schedule() -> TokenStream {
    quote!(restart = "always", cron = "30 2 * * mon-fri", zone = ZONE, splay = "10m", missed = "skip", late = POLL * 2,)
}

fn function() -> TokenStream {
    quote!(pub(crate) async fn sweep(ctx: TaskContext, url: Vec<String>) -> Result<(), String> { url. })
}

/// The messages, except those for slots in a build without the feature `controller`.
fn messages_of(expanded: &TokenStream) -> Vec<String> {
    let mut messages = messages(expanded);
    messages.retain(|message| !message.contains("needs the feature"));
    messages
}

#[test]
fn a_half_typed_tree_is_one_error() {
    for state in [prefixes(tree()), gaps(tree())].concat() {
        let expanded = crate::supervise::expand(state.clone());
        let messages = messages_of(&expanded);
        assert!(messages.len() <= 1, "{messages:#?}\nin {state}");
        assert!(syn::parse2::<syn::Expr>(expanded).is_ok(), "{state}");
    }
}

#[test]
fn a_missing_comma_costs_one_field_at_most() {
    let commas = |tokens: TokenStream| flatten(tokens).iter().filter(|token| *token == ",").count();
    let all = commas(tree());
    for state in gaps(tree()).into_iter().filter(|state| commas(state.clone()) < all) {
        let expanded = crate::supervise::expand(state.clone()).to_string();
        let fields = ["pub sweep :", "pub store :", "pub second :", "pub deploy :"];
        let missing = fields.iter().filter(|field| !expanded.contains(**field)).count();
        assert!(missing <= 1, "{state}");
    }
}

#[test]
fn half_typed_options_are_one_error() {
    let schedules = prefixes(schedule()).into_iter().chain(gaps(schedule()));
    for state in [prefixes(options()), gaps(options())].concat().into_iter().chain(schedules) {
        let messages = messages(&crate::task::expand(state.clone(), function()));
        assert!(messages.len() <= 1, "{messages:#?}\nin {state}");
    }
}

#[test]
fn a_half_typed_function_is_one_error() {
    for state in [prefixes(function()), gaps(function())].concat() {
        let messages = messages(&crate::task::expand(options(), state.clone()));
        assert!(messages.len() <= 1, "{messages:#?}\nin {state}");
    }
}
