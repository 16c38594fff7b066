//! Maps names to cells.
//!
//! The key of a cell is its own name, so no name is stored twice. The cell caches the hash of its name: growth and
//! removal never hash strings again.

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

/// A cell whose key is its own name.
struct ByName(Arc<Cell>);

/// A key for lookups: a name with its hash.
trait Named {
    fn named(&self) -> (u32, &str);
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

/// Returns the hash of a name, keyed against chosen collisions. Never zero.
pub(super) fn hash(name: &str) -> u32 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    // Without the end mark of `str`: a name is hashed alone.
    let mut hasher = KEY.build_hasher();
    hasher.write(name.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "half of it is enough for any number of names")]
    let half = hasher.finish() as u32;
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

    /// Inserts a cell unless its name is taken. Returns `true` if it was inserted.
    pub(super) fn enter(&mut self, cell: &Arc<Cell>) -> bool {
        match self.0.entry(ByName(Arc::clone(cell))) {
            Entry::Vacant(place) => {
                place.insert(());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Removes the cell that has the name of this cell.
    pub(super) fn remove(&mut self, cell: &Cell) -> Option<Arc<Cell>> {
        let key: &dyn Named = cell;
        self.0.remove_entry(key).map(|(ByName(cell), ())| cell)
    }

    /// Frees memory after most of the cells are removed.
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
        // A cell that is looked up by itself has the same pointer, and needs no comparison of strings.
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
        // The map uses bits from both ends.
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
