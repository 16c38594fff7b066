//! `slots = [slot(deploy, admission = "replace", capacity = 5)]`: the admission slots of the tree.

use std::collections::HashMap;
use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Lit};

use super::{Declaration, entry};
use crate::argument::{self, as_ident, peel};
use crate::errors::Errors;
use crate::options::{Flag, LimitName, NameOfLimit, OF_FLEET, duration, is_set, lower, plain, singleton, zero};
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
            if let Some(name) = as_ident(value) {
                reader.errors.push(value, format!("`slots` is a list: write `slots = [slot({name})]`"));
                declaration.slots.extend(read(&syn::parse_quote!(slot(#name)), reader));
                return;
            }
            for expr in reader.elements(key, value) {
                declaration.slots.extend(read(&expr, reader));
            }
        }),
    );
}

/// Reports what is not `slot(..)`, and returns the name that it shows, so that uses of the slot cause no further errors.
fn refuse(expr: &Expr, reader: &mut Reader) -> Option<Ident> {
    let (name, list) = match peel(expr) {
        Expr::Assign(assign) => (as_ident(&assign.left), argument::call_of(&assign.right, "slot")),
        // `"jobs"`
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => (text.parse().ok(), None),
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
    name.map(|name| Slot { name, cfgs, docs, options })
}

/// Reports errors in the slots. `enabled` is `true` if the feature `controller` is on.
pub(super) fn check(declaration: &Declaration, enabled: bool, errors: &mut Errors) {
    let keys = [declaration.slots_key.as_ref(), declaration.controller.as_ref().map(|(key, ..)| key)];
    if !enabled {
        for key in keys.into_iter().flatten() {
            let message = format!(
                "`{key}` needs the feature `controller`: write `taskvisor = {{ .., features = [\"controller\"] }}`"
            );
            errors.push(key, message);
        }
    }
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for slot in &declaration.slots {
        let name = &slot.name;
        if let Some((0, at)) = slot.options.capacity.as_ref().and_then(Given::known) {
            errors.push(at, "`capacity` must be at least 1: a slot that nobody may wait in is one with `admission = \"drop_if_running\"`");
        }
        slot.options.check_debounce(errors);
        slot.options.check_places(errors);
        slot.options.check_fleet(errors);
        // The compiler checks slots under `#[cfg(..)]`.
        if !slot.cfgs.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(&name.unraw().to_string()) {
            for error in repeated(first, name) {
                errors.push_error(error);
            }
        } else {
            seen.insert(name.unraw().to_string(), name);
        }
    }
}

/// Reports that a second slot has the same name, and points at the first.
pub(super) fn repeated(first: &Ident, second: &Ident) -> [syn::Error; 2] {
    let message = format!("two slots are called `{second}`, keep one");
    [syn::Error::new_spanned(second, message), syn::Error::new_spanned(first, format!("the first `{second}` is here"))]
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

impl Options {
    /// `debounce` belongs to `latest`, and `debounce_max` to `debounce`.
    fn check_debounce(&self, errors: &mut Errors) {
        for (given, does) in [(&self.debounce, "waits"), (&self.debounce_max, "waits at most")] {
            if let (Some(at), Some(given)) = (zero(given.as_ref()), given) {
                let key = &given.key;
                errors.push(at, format!("`{key}` must be longer than zero: it is how long a submission {does}"));
            }
        }
        let word = self.admission.as_ref().map(|given| given.known().map(|(word, _)| *word));
        // The runtime checks a computed policy.
        let is_latest = matches!(word, Some(None | Some(Admission::Latest)));
        match (&self.debounce, &self.debounce_max) {
            (Some(debounce), _) if !is_latest => {
                let message = "`debounce` needs `admission = \"latest\"` beside it: only there does a newer submission \
                               supersede the one that waits";
                errors.push(&debounce.key, message);
            }
            (None, Some(most)) => {
                errors.push(&most.key, "`debounce_max` needs `debounce` beside it: it bounds that wait");
            }
            (Some(debounce), Some(most)) => {
                if let (Some((debounce, _)), Some((most, at))) = (debounce.known(), most.known()) {
                    if most < debounce && !most.is_zero() {
                        let debounce = crate::duration::display(*debounce);
                        errors.push(at, format!("`debounce_max` must be at least `debounce`, which is {debounce}"));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Options {
    /// The owner of a slot of the fleet can be in another replica, and there is one.
    fn check_fleet(&self, errors: &mut Errors) {
        if !is_set(self.fleet.as_ref()) {
            return;
        }
        if let Some((Admission::Replace, at)) = self.admission.as_ref().and_then(Given::known) {
            let message = "a slot with `fleet` cannot replace its owner, which may run in another replica: write \
                           `admission = \"queue\"`, `\"latest\"` or `\"drop_if_running\"`";
            errors.push(at, message);
        }
        if let Some((2.., at)) = self.concurrency.as_ref().and_then(Given::known) {
            let message = "`concurrency` is 1 in a slot with `fleet`, whose lease has one owner: with `keyed`, each key has \
                           a lease of its own";
            errors.push(at, message);
        }
    }

    /// A bound is at least 1, and one of all keys needs keys.
    fn check_places(&self, errors: &mut Errors) {
        if let Some((0, at)) = self.concurrency.as_ref().and_then(Given::known) {
            errors.push(at, "`concurrency` must be at least 1: with 0, no submitted task could run");
        }
        if let Some(keyed) = self.keyed.as_ref().filter(|keyed| keyed.known().is_none() && !keyed.is_refused()) {
            errors.push(
                &keyed.key,
                "`keyed` is `true` or `false`, and no other expression: the tree has a handle for it",
            );
        }
        let Some(all) = &self.max_concurrent else { return };
        if let Some((0, at)) = all.known() {
            errors.push(at, "`max_concurrent` must be at least 1: with 0, no submitted task could run");
        } else if !is_set(self.keyed.as_ref()) {
            let message = "`max_concurrent` of a slot counts the tasks of all its keys, and needs `keyed` beside it: \
                           how many run at once in a slot without keys is `concurrency = ..`";
            errors.push(&all.key, message);
        }
    }
}

/// Reads `"10/1m"`: so many starts, and the time.
fn read_rate(key: &Ident, value: &Expr, reader: &mut Reader) -> Option<Given<Rate>> {
    const USAGE: &str = "write for example `rate = \"10/1m\"`, for 10 starts within any minute";
    if reader.is_unreadable(value) {
        return None;
    }
    let text = match peel(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text,
        other => {
            reader.errors.push(other, format!("`{key}` is a string: {USAGE}"));
            return None;
        }
    };
    let written = text.value();
    let Some((starts, per)) = written.split_once('/') else {
        reader.errors.push(text, format!("`{key}` is a number of starts and a time, with `/` between them: {USAGE}"));
        return None;
    };
    let starts = match starts.trim().parse() {
        Ok(0) => Err(format!("`{key}` must allow at least 1 start: {USAGE}")),
        Ok(starts) => Ok(starts),
        Err(_) => Err(format!("`{}` is no number of starts: {USAGE}", starts.trim())),
    };
    let rate = starts.and_then(|starts| match parse_time(starts, per.trim())? {
        per if per.is_zero() => Err(format!("the time of `{key}` must be longer than zero: {USAGE}")),
        per => Ok(Rate { starts, per }),
    });
    match rate {
        Ok(rate) => Some(Given::new(key, Value::Known(rate, value.to_token_stream()))),
        Err(message) => {
            reader.errors.push(text, message);
            None
        }
    }
}

/// Reads the time of a rate. A unit alone, as in `"10/s"`, is told with its number.
fn parse_time(starts: usize, per: &str) -> Result<Duration, String> {
    let error = match crate::duration::parse(per) {
        Ok(per) => return Ok(per),
        Err(error) => error,
    };
    if per.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(error);
    }
    let one = format!("1{per}");
    let meant = match crate::duration::parse(&one) {
        Ok(meant) => Some(meant),
        Err(message) => message.split('"').nth(3).and_then(|meant| crate::duration::parse(meant).ok()),
    };
    Err(meant.map_or(error, |meant| {
        let meant = crate::duration::display(meant);
        format!("the time has a number, as in \"{meant}\": write `rate = \"{starts}/{meant}\"`")
    }))
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
