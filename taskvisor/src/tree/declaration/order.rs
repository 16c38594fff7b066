//! The order of siblings: which one starts after which, and in how many layers they stop.

use super::child::DeclaredChild;
use crate::sorting::sort_by_number;

/// The start order of siblings, by place: for each child the siblings that it is after, and those that are after it.
#[derive(Debug, Default)]
pub(crate) struct Order {
    earlier: Edges,
    later: Edges,
}

/// Lists of places in one allocation; no allocation if all are empty.
#[derive(Debug, Default)]
struct Edges {
    starts: Vec<u32>,
    places: Vec<u32>,
}

/// A place, and an entry of its list, in one number: a sort of numbers is compiled once.
#[derive(Clone, Copy, PartialEq)]
struct Pair(u64);

impl Pair {
    fn new(place: u32, entry: u32) -> Self {
        Self(u64::from(place) << 32 | u64::from(entry))
    }

    fn place(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the other half is the place")]
    fn entry(self) -> u32 {
        self.0 as u32
    }
}

impl Edges {
    /// Builds the lists of this many places from sorted pairs of a place and an entry of its list.
    fn new(count: usize, pairs: &[Pair]) -> Self {
        if pairs.is_empty() {
            return Self::default();
        }
        let mut starts = vec![0; count + 1];
        for pair in pairs {
            starts[pair.place() as usize + 1] += 1;
        }
        for place in 0..count {
            starts[place + 1] += starts[place];
        }
        Self { starts, places: pairs.iter().map(|pair| pair.entry()).collect() }
    }

    pub(super) fn of(&self, place: usize) -> &[u32] {
        match self.starts.get(place..place + 2) {
            Some([start, end]) => &self.places[*start as usize..*end as usize],
            _ => &[],
        }
    }
}

impl Order {
    /// Builds the order of this many children; `earlier` returns for each child the siblings that it is after.
    pub(crate) fn new(count: usize, mut earlier: impl FnMut(usize) -> Vec<u32>) -> Self {
        let mut pairs = Vec::new();
        for place in 0..count {
            let earlier = earlier(place).into_iter().filter(|earlier| (*earlier as usize) < place);
            pairs.extend(earlier.map(|earlier| Pair::new(short(place), earlier)));
        }
        sort_by_number(&mut pairs, |pair| pair.0);
        pairs.dedup();
        let earlier = Edges::new(count, &pairs);
        let mut flipped: Vec<_> = pairs.iter().map(|pair| Pair::new(pair.entry(), pair.place())).collect();
        sort_by_number(&mut flipped, |pair| pair.0);
        Self { earlier, later: Edges::new(count, &flipped) }
    }

    pub(crate) fn earlier(&self, place: usize) -> &[u32] {
        self.earlier.of(place)
    }

    pub(crate) fn later(&self, place: usize) -> &[u32] {
        self.later.of(place)
    }
}

pub(super) fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

pub(super) fn layers(children: &[DeclaredChild], order: &Order) -> u32 {
    let mut layers: Vec<u32> = Vec::with_capacity(children.len());
    for (place, child) in children.iter().enumerate() {
        let below = order.earlier(place).iter().map(|earlier| layers[*earlier as usize]).max().unwrap_or(0);
        layers.push(below.saturating_add(child.role.layers));
    }
    layers.into_iter().max().unwrap_or(1).max(1)
}
