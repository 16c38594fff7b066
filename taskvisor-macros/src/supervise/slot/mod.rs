//! `slots = [slot(deploy, admission = "replace", capacity = 5)]`: the admission slots of the tree.

mod checks;
mod rate;

pub(super) use self::checks::{check, repeated};

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit};

use self::rate::read_rate;
use super::{Declaration, entry};
use crate::argument::{self, as_ident, peel};
use crate::options::{Flag, LimitName, NameOfLimit, OF_FLEET, duration, is_set, lower, plain, singleton};
use crate::path::is_name;
use crate::reader::{Given, Purpose, Reader, Value, Words};
use crate::table::{Key, Read, Table};

/// `true` if the feature `controller` is on.
pub(super) const ENABLED: bool = cfg!(feature = "controller");

/// A declared slot.
pub(super) struct Slot {
    pub(super) name: Ident,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) docs: Vec<Attribute>,
    options: Options,
}

#[derive(Default)]
struct Options {
    admission: Option<Given<Admission>>,
    capacity: Option<Given<usize>>,
    debounce: Option<Given<Duration>>,
    debounce_max: Option<Given<Duration>>,
    limit: NameOfLimit,
    concurrency: Option<Given<usize>>,
    keyed: Flag,
    max_concurrent: Option<Given<usize>>,
    rate: Option<Given<Rate>>,
    paused: Flag,
    fleet: Flag,
}

/// How many tasks start within which time.
pub(super) struct Rate {
    starts: usize,
    per: Duration,
}

/// The admission policy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Queue,
    Replace,
    Latest,
    DropIfRunning,
}

const WORDS: Words<Admission> = Words {
    module: "words_of_admission",
    list: &["`admission`"],
    known: &[
        ("queue", Admission::Queue),
        ("replace", Admission::Replace),
        ("latest", Admission::Latest),
        ("drop_if_running", Admission::DropIfRunning),
    ],
    is_flag: false,
};

const OPTIONS: Table<Options> = Table {
    list: "slot",
    noun: "slot option",
    keys: &[
        &Key::new(
            "admission",
            "admission = \"queue\"",
            Read::Value(|options, key, value, reader| {
                options.admission = Some(Given::new(key, reader.word(key, value, &WORDS, Purpose::Admission)));
            }),
        ),
        &Key::new("capacity", "capacity = 100", Read::Usize(|options| &mut options.capacity)),
        &Key::new("debounce", "debounce = \"2s\"", Read::Duration(|options| &mut options.debounce)),
        &Key::new("debounce_max", "debounce_max = \"10s\"", Read::Duration(|options| &mut options.debounce_max)),
        &Key::new("limit", "limit = db", Read::Held(|options| &mut options.limit)),
        &Key::new("concurrency", "concurrency = 3", Read::Usize(|options| &mut options.concurrency)),
        &Key::new("keyed", "keyed", Read::Held(|options| &mut options.keyed)),
        &Key::new("max_concurrent", "max_concurrent = 10", Read::Usize(|options| &mut options.max_concurrent)),
        &Key::new(
            "rate",
            "rate = \"10/1m\"",
            Read::Value(|options, key, value, reader| options.rate = read_rate(key, value, reader)),
        ),
        &Key::new("paused", "paused", Read::Held(|options| &mut options.paused)),
        &Key::new("fleet", "fleet", Read::Held(|options| &mut options.fleet)),
    ],
    misplaced: &[
        OF_FLEET,
        &[
            ("policy", "write `admission = ..`"),
            ("singleton", "write `fleet`: one of its tasks runs in the whole fleet"),
            ("slot_capacity", "write `capacity = ..`"),
            ("queue_capacity", "it is a field of `controller = ControllerConfig { .. }`; the slot has `capacity = ..`"),
            ("tasks", "a slot runs what is submitted to its handle, as in `tree.slots.deploy.submit(task)`"),
            ("task", "a slot runs what is submitted to its handle, as in `tree.slots.deploy.submit(task)`"),
            ("after", "an entry of the tree can be after a slot"),
            ("restart", OF_SUBMITTED),
            ("interval", OF_SUBMITTED),
            ("every", OF_SUBMITTED),
            ("cron", OF_SUBMITTED),
            ("timeout", OF_SUBMITTED),
            ("stop_timeout", OF_SUBMITTED),
            ("start_timeout", OF_SUBMITTED),
            ("max_retries", OF_SUBMITTED),
            ("backoff", OF_SUBMITTED),
            ("watchdog", OF_SUBMITTED),
        ],
    ],
};

const OF_SUBMITTED: &str = "it is an option of the task that is submitted, in its `#[task(..)]`";

impl Key<Declaration> {
    pub(super) const SLOTS: Self = Self::new(
        "slots",
        "slots = [slot(..)]",
        Read::Value(|declaration, key, value, reader| {
            declaration.slots_key = Some(key.clone());
            if let Some(name) = name_of(value).filter(is_name) {
                reader.errors.push(value, format!("`slots` is a list: write `slots = [slot({name})]`"));
                declaration.slots.extend(read(&syn::parse_quote!(slot(#name)), reader));
                return;
            }
            let before = reader.errors.count();
            let elements = reader.elements(key, value);
            let is_refused = reader.errors.count() > before;
            for expr in elements {
                declaration.slots.extend(read(&expr, reader));
            }
            if is_refused {
                reader.errors.truncate(before + 1);
            }
        }),
    );
}

/// Returns the name of a slot that was refused: `jobs`, `"jobs"` or `name = "jobs"`.
fn name_of(expr: &Expr) -> Option<Ident> {
    match peel(expr) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse().ok(),
        Expr::Assign(assign) if as_ident(&assign.left).is_some_and(|key| key == "name") => name_of(&assign.right),
        expr => as_ident(expr),
    }
}

/// Reports what is not `slot(..)`, and returns the name that it shows, so that uses of the slot cause no further errors.
fn refuse(expr: &Expr, reader: &mut Reader) -> Option<Ident> {
    let (name, list) = match peel(expr) {
        Expr::Assign(assign) => (as_ident(&assign.left), argument::call_of(&assign.right, "slot")),
        // `jobs {}`
        Expr::Struct(literal) => (literal.path.get_ident().cloned().filter(|name| name != "slot"), None),
        // `Slot(jobs)` and `jobs(capacity = 5)`
        Expr::Call(call) => match as_ident(&call.func).filter(|word| word.to_string().to_lowercase() != "slot") {
            Some(name) => (Some(name), Some(&call.args)),
            None => (call.args.first().and_then(name_of), None),
        },
        // `"jobs"`
        Expr::Lit(_) => (name_of(expr), None),
        bare => (as_ident(bare), None),
    };
    let name = name.filter(is_name);
    let message = match (&name, list) {
        (Some(name), None) => format!("write `slot({name})`"),
        (Some(name), Some(list)) => {
            let options = if list.is_empty() { "" } else { ", .." };
            format!("the name of a slot stands in its list: write `slot({name}{options})`")
        }
        (None, _) => {
            "a slot is declared as `slot(name)`, or `slot(name, admission = \"replace\", capacity = 5)`".into()
        }
    };
    reader.errors.push(expr, message);
    name
}

fn read(expr: &Expr, reader: &mut Reader) -> Option<Slot> {
    if reader.is_unread(expr) {
        return None;
    }
    let entry::Before { expr, cfgs, docs } = entry::Before::of(expr, reader);
    let Some(list) = argument::call_of(&expr, "slot") else {
        let name = refuse(&expr, reader)?;
        let cfgs = [&*reader.key_cfgs, &cfgs].concat();
        return Some(Slot { name, cfgs, docs, options: Options::default() });
    };
    let outer = reader.cfgs.len();
    reader.cfgs.extend(cfgs.iter().cloned());
    reader.echo.push_call(&expr);
    let mut options = Options::default();
    OPTIONS.read(list.iter().skip(1), &mut options, reader);
    reader.cfgs.truncate(outer);
    let cfgs = [&*reader.key_cfgs, &cfgs].concat();
    if let Some(attribute) = list.first().and_then(|name| argument::attributes(name).first()) {
        reader.errors.push(attribute, "an attribute of a slot stands before `slot(..)`");
    }
    let name = list.first().and_then(as_ident).filter(is_name);
    if name.is_none() {
        match list.first() {
            None => reader.errors.push(&expr, "`slot(..)` starts with its name, as in `slot(deploy)`"),
            Some(first) if reader.is_unread(first) => {}
            Some(first) => {
                let message = match peel(first) {
                    Expr::Path(_) if as_ident(first).is_some() => "a keyword cannot be the name of a slot",
                    Expr::Assign(_) => "`slot(..)` starts with its name, as in `slot(deploy, capacity = 5)`",
                    _ => "the name of a slot is a bare name, as in `slot(deploy)`",
                };
                reader.errors.push(first, message);
            }
        }
    }
    // The slot exists, so that its uses cause no further errors.
    let name = name.or_else(|| list.first().and_then(name_of).filter(is_name));
    name.map(|name| Slot { name, cfgs, docs, options })
}

/// Returns the statements that declare the slots on the local `builder`, if the feature is on.
pub(super) fn expand(declaration: &Declaration, private: &TokenStream) -> TokenStream {
    if !ENABLED {
        return TokenStream::new();
    }
    let config = declaration
        .controller
        .iter()
        .map(|(_, config, cfgs)| quote!(#(#cfgs)* let builder = builder.with_controller(#config);));
    let slots = declaration.slots.iter().map(|slot| {
        let Slot { cfgs, options, .. } = slot;
        let name = slot.text();
        let admission = lower(options.admission.as_ref(), |admission| match admission {
            Admission::Queue => quote!(#private::AdmissionPolicy::Queue),
            Admission::Replace => quote!(#private::AdmissionPolicy::Replace),
            Admission::Latest => quote!(#private::AdmissionPolicy::Latest),
            Admission::DropIfRunning => quote!(#private::AdmissionPolicy::DropIfRunning),
        });
        let admission = admission.map(|admission| quote!(.with_admission(#admission)));
        let capacity = plain(options.capacity.as_ref()).map(|capacity| quote!(.with_capacity(#capacity)));
        let debounce = duration(options.debounce.as_ref(), private).map(|time| quote!(.with_debounce(#time)));
        let most = duration(options.debounce_max.as_ref(), private).map(|time| quote!(.with_debounce_max(#time)));
        let limit = plain(options.limit.as_ref()).map(|limit| quote!(.with_named_limit(#limit)));
        let concurrency = plain(options.concurrency.as_ref()).map(|number| quote!(.with_concurrency(#number)));
        let keys = slot.is_keyed().then(|| quote!(.with_keys()));
        let all = plain(options.max_concurrent.as_ref()).map(|number| quote!(.with_max_concurrent(#number)));
        let rate = options.rate.as_ref().and_then(Given::known).map(|(Rate { starts, per }, at)| {
            let per = duration(Some(&Given::new(&slot.name, Value::Known(*per, at.clone()))), private);
            quote!(.with_rate(#starts, #per))
        });
        let paused = plain(options.paused.as_ref()).map(|paused| quote!(.with_paused(#paused)));
        let is_fleet = options.fleet.as_ref().filter(|_| singleton::ENABLED).map(|given| &given.value);
        let of_fleet = matches!(is_fleet, Some(Value::Known(true, _))).then(|| quote!(.with_fleet()));
        let of_places = quote!(#concurrency #keys #all #rate #paused #of_fleet);
        let spec = quote!(#private::SlotSpec::new(#name) #admission #capacity #debounce #most #limit #of_places);
        let spec = match is_fleet {
            Some(Value::Bound(local)) => quote!({ let slot = #spec; if #local { slot.with_fleet() } else { slot } }),
            _ => spec,
        };
        quote!(#(#cfgs)* let builder = builder.with_slot(#spec);)
    });
    config.chain(slots).collect()
}

impl Slot {
    /// Returns `true` if the slot has keys.
    pub(super) fn is_keyed(&self) -> bool {
        is_set(self.options.keyed.as_ref())
    }

    /// Returns the key of `fleet`, if it is set.
    pub(super) fn fleet(&self) -> Option<&Ident> {
        self.options.fleet.as_ref().filter(|fleet| is_set(Some(fleet))).map(|fleet| &fleet.key)
    }

    /// Returns the name of its limit.
    pub(super) fn limit(&self) -> Option<&Given<LimitName>> {
        self.options.limit.as_ref()
    }

    /// Returns the name as text.
    pub(super) fn text(&self) -> String {
        self.name.unraw().to_string()
    }

    /// Returns the handle, from the local `tree`.
    pub(super) fn handle(&self, private: &TokenStream) -> TokenStream {
        let name = self.text();
        if ENABLED { quote!(tree.slot(#name)) } else { quote!(#private::SlotHandle) }
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    OPTIONS.names()
}
