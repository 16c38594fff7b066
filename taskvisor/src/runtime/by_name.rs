//! The cells of a supervisor by their names.
//!
//! A cell is kept by its own name, which need not be kept twice, and knows the hash of that: a map that grows, and one
//! that a cell leaves, look at no name.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::ptr;
use std::sync::{Arc, LazyLock};

use super::registry::shrink;
use super::task::Cell;

#[derive(Default)]
#[expect(clippy::zero_sized_map_values, reason = "a set gives no place to look a name up once")]
pub(super) struct Names(HashMap<ByName, (), BuildHasherDefault<Hashed>>);

/// A cell under its own name.
struct ByName(Arc<Cell>);

/// What is looked up: a name with its hash.
trait Named {
    fn named(&self) -> (u32, &str);
}

/// A hasher of what is a hash already.
#[derive(Default)]
struct Hashed(u64);

/// The hash of a name, keyed so that nobody can choose names that collide. Never zero.
pub(super) fn hash(name: &str) -> u32 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    #[expect(clippy::cast_possible_truncation, reason = "half of it is enough for any number of names")]
    let half = KEY.hash_one(name) as u32;
    half.max(1)
}

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Cell>> {
        let key: &dyn Named = &(hash(name), name);
        self.0.get_key_value(key).map(|(ByName(cell), ())| cell)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Enters a cell, unless its name is taken. Whether it did.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> bool {
        match self.0.entry(ByName(Arc::clone(cell))) {
            Entry::Vacant(place) => {
                place.insert(());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Takes out who has the name of this cell.
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        let key: &dyn Named = cell;
        self.0.remove_entry(key).map(|(ByName(cell), ())| cell)
    }

    /// Gives memory back once most that there were are gone.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.0.keys().map(|ByName(cell)| cell)
    }
}

impl Named for Cell {
    fn named(&self) -> (u32, &str) {
        (self.hash(), self.name())
    }
}

impl Named for (u32, &str) {
    fn named(&self) -> (u32, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Named + 'a> for ByName {
    fn borrow(&self) -> &(dyn Named + 'a) {
        &*self.0
    }
}

impl Hash for dyn Named + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.named().0);
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        let ((hash, name), (other_hash, other_name)) = (self.named(), other.named());
        // A cell that is looked up by itself is found without a look at its name.
        hash == other_hash && (ptr::eq(name, other_name) || name == other_name)
    }
}

impl Eq for dyn Named + '_ {}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.0.hash());
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash() == other.0.hash() && self.0.name() == other.0.name()
    }
}

impl Eq for ByName {}

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {}

    fn write_u32(&mut self, hash: u32) {
        // The map takes bits from both ends.
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
