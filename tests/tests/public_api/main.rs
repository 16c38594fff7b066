//! The public API of the crate matches `taskvisor/public-api.txt`, so that a change of the API shows in a diff.
//!
//! `UPDATE_PUBLIC_API=1 cargo test -p tests --test public_api` rewrites the record.
//!
//! The record is generated from the source, so that every toolchain gives the same result. It contains all public
//! items, with signatures, fields, variants, derives, trait implementations and required features, also those that
//! `options!`, `labels!` and `events!` make. It does not contain auto traits, the expansions of other macros, or
//! `#[doc(hidden)]` items.

mod api;
mod source;
mod text;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use api::public_api;
use source::Source;

#[test]
fn the_record_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../taskvisor");
    let record = root.join("public-api.txt");
    let source = Source::load(&root.join("src/lib.rs"), &|file| fs::read_to_string(file).ok());
    let now = public_api(&source, "taskvisor");
    if env::var_os("UPDATE_PUBLIC_API").is_some() {
        fs::write(&record, &now).unwrap();
    }
    let recorded = fs::read_to_string(&record).unwrap_or_default();
    let changes = changes(&recorded, &now);
    assert!(
        changes.is_empty(),
        "the public API has changed:\n{changes}\n\
         If that is meant, run `UPDATE_PUBLIC_API=1 cargo test -p tests --test public_api` and commit the record."
    );
}

/// The lines that are in only one of the two.
fn changes(before: &str, after: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (before.lines().collect(), after.lines().collect());
    let signed = |sign: &'static str| move |line: &&str| [sign, line, "\n"].concat();
    let removed = old.difference(&new).map(signed("-"));
    removed.chain(new.difference(&old).map(signed("+"))).collect()
}

const LIB: &str = "
mod policy;
#[cfg(feature = \"extra\")]
pub mod extra { pub fn more(of: u32) {} fn own() {} }
#[doc(hidden)]
pub mod private { pub fn hidden() {} }
pub use policy::{Policy, Options, Run, inner};
pub use other::Thing;
#[cfg(test)]
mod tests {}
";

const POLICY: &str = "
/// When.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Policy { Never, Always { interval: Option<Duration> } }
pub struct Options { pub limit: u32, secret: u32 }
impl Options {
    pub fn limit(&self) -> u32 { self.limit }
    #[cfg(feature = \"extra\")]
    pub async fn wait(&mut self, by: impl Into<Option<Duration>>) -> Result<(), Error> { Ok(()) }
    pub(crate) fn own(&self) {}
}
impl<'a> From<&'a str> for Options { fn from(_: &'a str) -> Self { todo!() } }
pub mod inner { pub async fn notify() {} }
pub trait Run: Send { fn run(&self); fn name(&self) -> &str { \"\" } }
impl<T: Send> Run for Vec<T> { fn run(&self) {} }
";

fn api_of(lib: &str, policy: &str) -> String {
    let source = Source::load(Path::new("src/lib.rs"), &|file| match file.to_str() {
        Some("src/lib.rs") => Some(lib.to_owned()),
        Some("src/policy/mod.rs") => Some(policy.to_owned()),
        _ => None,
    });
    public_api(&source, "it")
}

#[test]
fn all_that_can_be_named_is_listed() {
    let expected = "\
impl<'a> From<&'a str> for Options
pub struct it::Options { .. }
pub fn it::Options::limit(&self) -> u32
pub it::Options::limit: u32
pub async fn it::Options::wait(&mut self, by: impl Into<Option<Duration>>) -> Result<(), Error> // feature = \"extra\"
#[non_exhaustive] pub enum it::Policy
impl Clone for it::Policy
impl Debug for it::Policy
it::Policy::Always { .. }
it::Policy::Always::interval: Option<Duration>
it::Policy::Never
impl<T: Send> Run for Vec<T>
pub trait it::Run: Send
fn it::Run::name(&self) -> &str { .. }
fn it::Run::run(&self)
pub use it::Thing = other::Thing
pub mod it::extra // feature = \"extra\"
pub fn it::extra::more(of: u32) // feature = \"extra\"
pub mod it::inner
pub async fn it::inner::notify()
";
    assert_eq!(api_of(LIB, POLICY), expected);
}

#[test]
fn a_change_of_the_api_shows() {
    let change = |from: &str, to: &str| {
        assert!(POLICY.contains(from));
        changes(&api_of(LIB, POLICY), &api_of(LIB, &POLICY.replace(from, to)))
    };
    // A changed signature.
    assert_eq!(
        change("limit(&self) -> u32", "limit(&self) -> Option<u32>"),
        "-pub fn it::Options::limit(&self) -> u32\n+pub fn it::Options::limit(&self) -> Option<u32>\n"
    );
    // An added method.
    assert_eq!(change("pub(crate) fn own", "pub fn own"), "+pub fn it::Options::own(&self)\n");
    // A removed variant.
    assert_eq!(change("Never, ", ""), "-it::Policy::Never\n");
    // A field, a derive, an attribute, a provided method, a feature.
    assert_eq!(change("secret: u32", "pub secret: u32"), "+pub it::Options::secret: u32\n");
    assert_eq!(change("Debug, Clone", "Debug"), "-impl Clone for it::Policy\n");
    assert_eq!(change("#[non_exhaustive]", ""), "-#[non_exhaustive] pub enum it::Policy\n+pub enum it::Policy\n");
    assert_eq!(change("{ \"\" }", ";"), "-fn it::Run::name(&self) -> &str { .. }\n+fn it::Run::name(&self) -> &str\n");
    assert!(change("    #[cfg(feature = \"extra\")]", "").ends_with("-> Result<(), Error>\n"));
    // Changes to private items do not show.
    assert_eq!(change("secret: u32", "secret: u64"), "");
    assert_eq!(change("self.limit }", "self.secret }"), "");
}
