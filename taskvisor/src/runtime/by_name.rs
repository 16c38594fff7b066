//! Maps names to cells.
//!
//! The key of a cell is its own name, so no name is stored twice. The cell caches the hash of its name: growth and
//! removal never hash strings again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ptr;
use std::sync::{Arc, LazyLock};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::task::Cell;

/// The smallest capacity of a map that is shrunk.
pub(super) const KEPT: usize = 64;

#[derive(Default)]
pub(super) struct Names(HashTable<Arc<Cell>>);

/// Returns the hash of a name, with a random key against chosen collisions. Never zero.
pub(super) fn hash(name: &str) -> u32 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    // The terminator of `str` is not needed, because a name is hashed alone.
    let mut hasher = KEY.build_hasher();
    hasher.write(name.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "half of it is enough for any number of names")]
    let half = hasher.finish() as u32;
    half.max(1)
}

/// Returns the hash for the table, which uses bits from both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn spread_of(cell: &Arc<Cell>) -> u64 {
    spread(cell.hash())
}

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cell>> {
        self.0.find(spread(hash(name)), |cell| **cell.name() == *name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Inserts a cell unless its name is taken. Returns `true` if it was inserted.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> bool {
        match self.0.entry(spread_of(cell), |other| other.name() == cell.name(), spread_of) {
            Entry::Vacant(entry) => {
                entry.insert(Arc::clone(cell));
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Removes the cell with the name of this cell.
    #[allow(clippy::inline_always, reason = "the compiler leaves 20 instructions of each end to a call")]
    #[inline(always)]
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        // Usually the stored cell is this cell itself, and no strings are compared.
        let has_name = |other: &Arc<Cell>| ptr::eq(&raw const **other, cell) || other.name() == cell.name();
        self.0.find_entry(spread(cell.hash()), has_name).ok().map(|entry| entry.remove().0)
    }

    /// Frees memory after most of the cells are removed.
    pub(super) fn shrink(&mut self) {
        if self.0.capacity() > KEPT && self.0.len() < self.0.capacity() / 8 {
            self.0.shrink_to(self.0.len() * 2, spread_of);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.0.iter()
    }
}
