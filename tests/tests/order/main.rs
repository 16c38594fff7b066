//! The order of events on several threads.

mod leases;
mod races;
mod slots;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
