//! Each option occurs in a tree or on a function in `ui-tests/pass` that is compared with hand-written code.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::Expr;
use syn::ext::IdentExt;

use crate::argument::{self, Form, peel};
use crate::options::{Backoff, Place};
use crate::reader::Reader;

/// The files with the comparisons.
const FILES: [&str; 3] = [
    include_str!("../../../ui-tests/pass/options.rs"),
    include_str!("../../../ui-tests/pass/options_of_trees.rs"),
    include_str!("../../../ui-tests/pass/slots.rs"),
];

/// The options that occur in each kind of list.
#[derive(Default)]
struct Given(BTreeMap<&'static str, BTreeSet<String>>);

impl Given {
    /// Reads the lists of the macros among the tokens, at any depth.
    fn read(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        for (position, tree) in trees.iter().enumerate() {
            let TokenTree::Group(group) = tree else { continue };
            let called = |back: usize| position.checked_sub(back).map(|at| trees[at].to_string());
            match (called(2).as_deref(), called(1).as_deref()) {
                (Some("supervise"), Some("!")) => self.list("supervise!", &list(group.stream())),
                (_, Some("task")) if called(2).is_none() => self.list("#[task]", &list(group.stream())),
                (_, Some("subscriber")) if called(2).is_none() => self.list("#[subscriber]", &list(group.stream())),
                _ => self.read(group.stream()),
            }
        }
    }

    fn list<'a>(&mut self, kind: &'static str, list: impl IntoIterator<Item = &'a Expr>) {
        for (key, form) in list.into_iter().filter_map(argument::form) {
            let key = key.unraw().to_string();
            match (&*key, &form) {
                ("limit", Form::List(fields)) => self.list("limit", *fields),
                ("backoff", Form::List(fields)) => self.list("backoff(..)", *fields),
                ("defaults", Form::List(options)) => self.list("defaults(..)", *options),
                ("signals", Form::List(fields)) => self.list("signals(..)", *fields),
                ("strategy", Form::Value(strategy)) => {
                    if let Some((_, Form::List(limit))) = argument::form(strategy) {
                        self.list("limit", limit);
                    }
                }
                ("tasks" | "slots", Form::Value(Expr::Array(array))) => {
                    for entry in &array.elems {
                        self.entry(entry);
                    }
                }
                _ => {}
            }
            self.0.entry(kind).or_default().insert(key);
        }
    }

    fn entry(&mut self, entry: &Expr) {
        let entry = match peel(entry) {
            Expr::Assign(labelled) => &*labelled.right,
            entry => entry,
        };
        match argument::form(entry) {
            Some((name, Form::List(list))) if name == "task" => self.list("task(..)", list.iter().skip(1)),
            Some((name, Form::List(list))) if name == "slot" => self.list("slot(..)", list.iter().skip(1)),
            Some((name, Form::List(list))) if name == "group" => self.list("group(..)", list),
            _ => {}
        }
    }
}

fn list(tokens: TokenStream) -> Vec<Expr> {
    argument::parse_list(tokens, &mut Reader::default())
}

#[test]
fn each_option_is_compared_with_what_is_written_by_hand() {
    let mut given = Given::default();
    for file in FILES {
        given.read(file.parse().unwrap());
    }
    let [keys, of_group, of_limit, of_slot, of_signals] = crate::supervise::names();
    // One row of the table makes the same call for both.
    let of_tasks: BTreeSet<_> = Place::Attribute.names().into_iter().chain(Place::Entry.names()).collect();
    let compared = ["#[task]", "task(..)"].map(|kind| given.0.remove(kind).unwrap_or_default());
    let compared: BTreeSet<&str> = compared.iter().flatten().map(String::as_str).collect();
    assert_eq!(compared, of_tasks, "#[task], task(..)");
    for (kind, names) in [
        ("#[subscriber]", crate::subscriber::names()),
        ("backoff(..)", Backoff::names()),
        ("defaults(..)", Place::Defaults.names()),
        ("supervise!", keys),
        ("group(..)", of_group),
        ("limit", of_limit),
        ("slot(..)", of_slot),
        ("signals(..)", of_signals),
    ] {
        let given = given.0.remove(kind).unwrap_or_default();
        assert_eq!(given, names.into_iter().map(str::to_owned).collect(), "{kind}");
    }
}

/// `ui-tests` cannot show whether the given path is used, since `::taskvisor` is the same crate.
#[test]
fn all_that_is_generated_is_named_by_the_path_to_taskvisor() {
    let function = quote!(
        async fn ping(number: u8) -> Result<(), String> {}
    );
    let listener = quote!(
        async fn listen(event: &Event, number: u8) {}
    );
    let supervisor = quote!(
        fn app() -> App {
            supervise!(tasks = [ping {}])
        }
    );
    for expanded in [
        crate::task::expand(quote!(timeout = "5s", crate = "a::b"), function),
        crate::subscriber::expand(quote!(queue = 5, crate = "a::b"), listener),
        crate::supervisor::expand(quote!(crate = "a::b"), supervisor),
        crate::supervise::expand(quote!(tasks = [ping {}, store = group(tasks = [pong {}])], crate = a::b)),
    ] {
        let expanded = expanded.to_string();
        assert!(expanded.contains("use a :: b :: __private") && !expanded.contains("taskvisor ::"), "{expanded}");
    }
}
