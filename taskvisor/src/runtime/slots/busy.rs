//! The stored slots by name. Plain data.

use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

use super::super::by_name::KEPT;

/// The largest number of slots that are searched one by one.
const FEW: usize = 8;

/// The busy slots, and those in which submissions wait.
///
/// Most programs have few. A comparison of all names takes fewer steps than one hash, and most names are the same
/// `Arc`. A hash map stores the slots only once there are more, and then until there are none.
pub(super) struct Busy<S> {
    /// Empty while there are `many`.
    few: Vec<(Arc<str>, S)>,
    many: HashMap<Arc<str>, S>,
}

impl<S> Default for Busy<S> {
    fn default() -> Self {
        Self { few: Vec::new(), many: HashMap::new() }
    }
}

/// Compares two names.
#[inline]
fn are_equal(one: &str, other: &str) -> bool {
    ptr::eq(one, other) || one == other
}

impl<S> Busy<S> {
    #[inline]
    fn position(&self, name: &str) -> Option<usize> {
        self.few.iter().position(|(other, _)| are_equal(other, name))
    }

    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&S> {
        self.get_key_value(name).map(|(_, slot)| slot)
    }

    #[inline]
    pub(super) fn get_key_value(&self, name: &str) -> Option<(&Arc<str>, &S)> {
        if !self.many.is_empty() {
            return self.many.get_key_value(name);
        }
        self.few.iter().find(|(other, _)| are_equal(other, name)).map(|(name, slot)| (name, slot))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut S> {
        if !self.many.is_empty() {
            return self.get_mut_of_many(name);
        }
        self.few.iter_mut().find(|(other, _)| are_equal(other, name)).map(|(_, slot)| slot)
    }

    /// Not inlined, so that the rest is small enough to be inlined in its callers.
    #[inline(never)]
    fn get_mut_of_many(&mut self, name: &str) -> Option<&mut S> {
        self.many.get_mut(name)
    }

    /// Returns the slot of that name. If it is not stored, it is created.
    pub(super) fn get_or_insert_with(&mut self, name: &Arc<str>, make: impl FnOnce() -> S) -> &mut S {
        if self.many.is_empty() {
            let known = self.position(name);
            if known.is_some() || self.few.len() < FEW {
                let position = known.unwrap_or(self.few.len());
                if known.is_none() {
                    self.few.push((Arc::clone(name), make()));
                }
                return &mut self.few[position].1;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.entry(Arc::clone(name)).or_insert_with(make)
    }

    /// Removes a slot, and frees memory after most of them are removed.
    pub(super) fn remove(&mut self, name: &str) -> Option<S> {
        if self.many.is_empty() {
            return self.position(name).map(|position| self.few.swap_remove(position).1);
        }
        let slot = self.many.remove(name);
        let (len, capacity) = (self.many.len(), self.many.capacity());
        if capacity > KEPT && len < capacity / 8 {
            self.many.shrink_to(len * 2);
        }
        slot
    }

    pub(super) fn retain(&mut self, mut stays: impl FnMut(&mut S) -> bool) {
        self.few.retain_mut(|(_, slot)| stays(slot));
        self.many.retain(|_, slot| stays(slot));
    }

    /// Returns the names, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.few.iter().map(|(name, _)| name).chain(self.many.keys())
    }

    /// Returns the slots with their names, in no order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut S)> {
        self.few.iter_mut().map(|(name, slot)| (&*name, slot)).chain(self.many.iter_mut())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn name(number: usize) -> Arc<str> {
        format!("slot-{number}").into()
    }

    fn all(busy: &mut Busy<usize>) -> BTreeMap<String, usize> {
        let all: Vec<_> = busy.iter_mut().map(|(name, slot)| (name.to_string(), *slot)).collect();
        let by_name: BTreeMap<_, _> = all.iter().cloned().collect();
        assert_eq!(by_name.len(), all.len(), "each is stored once");
        let names: Vec<_> = busy.names().map(ToString::to_string).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.iter().all(|name| by_name.contains_key(name)));
        by_name
    }

    #[test]
    fn slots_are_found_by_name_while_there_are_few_and_when_there_are_more() {
        let mut busy = Busy::default();
        let mut model = BTreeMap::new();
        // Up beyond `few`, down to none, and up again, with insertions and removals at any position.
        for (count, step) in [(3 * FEW, 1), (0, 5), (FEW, 3), (FEW - 1, 1), (FEW + 1, 7), (0, 1), (1, 1)] {
            while model.len() < count {
                let number = model.len() * step % (4 * FEW + 1);
                let free = (number..=number + model.len()).find(|number| !model.contains_key(&*name(*number))).unwrap();
                assert_eq!(busy.get(&name(free)), None);
                assert_eq!(busy.get_mut(&name(free)), None);
                assert_eq!(busy.remove(&name(free)), None);
                assert_eq!(*busy.get_or_insert_with(&name(free), || free), free);
                assert_eq!(*busy.get_or_insert_with(&name(free), || unreachable!("it is stored")), free);
                model.insert(name(free).to_string(), free);
                assert_eq!(all(&mut busy), model);
            }
            while model.len() > count {
                let (name, slot) =
                    model.iter().nth(step % model.len()).map(|(name, slot)| (name.clone(), *slot)).unwrap();
                assert_eq!(
                    busy.get_key_value(&name).map(|(name, slot)| (name.to_string(), *slot)),
                    Some((name.clone(), slot))
                );
                assert_eq!(busy.get(&name), Some(&slot));
                assert_eq!(busy.get_mut(&name), Some(&mut slot.clone()));
                assert_eq!(busy.remove(&name), Some(slot));
                model.remove(&name);
                assert_eq!(busy.get(&name), None);
                assert_eq!(all(&mut busy), model);
            }
        }
    }

    #[test]
    fn slots_are_hashed_once_there_are_more_than_few() {
        let mut busy = Busy::default();
        (0..FEW).for_each(|number| *busy.get_or_insert_with(&name(number), || 0) = number);
        assert_eq!(*busy.get_or_insert_with(&name(1), || unreachable!("it is stored")), 1);
        assert_eq!((busy.few.len(), busy.many.len()), (FEW, 0));
        busy.get_or_insert_with(&name(FEW), || FEW);
        assert_eq!((busy.few.len(), busy.many.len()), (0, FEW + 1));
    }

    #[test]
    fn memory_is_freed_when_most_slots_are_removed() {
        let mut busy = Busy::default();
        (0..300).for_each(|number| *busy.get_or_insert_with(&name(number), || 0) = number);
        let full = busy.many.capacity();
        for number in (40..300).rev() {
            let capacity = busy.many.capacity();
            busy.remove(&name(number));
            // A removal can cost the map one slot of capacity for good.
            assert!(number < capacity / 8 || busy.many.capacity() + 1 >= capacity, "{number} of {capacity}");
        }
        assert!(busy.many.capacity() < full / 2);
        // The map can grow to the same number again.
        (0..300).for_each(|number| *busy.get_or_insert_with(&name(number), || 0) = number);
        busy.retain(|slot| *slot <= 20);
        busy.remove(&name(20));
        assert!((40..full / 2).contains(&busy.many.capacity()), "{}", busy.many.capacity());
        // A small map is kept as it is.
        let mut busy = Busy::default();
        (0..50).for_each(|number| *busy.get_or_insert_with(&name(number), || 0) = number);
        busy.retain(|slot| *slot <= 2);
        let capacity = busy.many.capacity();
        busy.remove(&name(2));
        assert!(capacity <= KEPT && busy.many.capacity() + 1 >= capacity, "{}", busy.many.capacity());
    }

    #[test]
    fn slots_that_do_not_stay_are_dropped_from_few_and_from_many() {
        for count in [FEW, 3 * FEW] {
            let mut busy = Busy::default();
            (0..count).for_each(|number| *busy.get_or_insert_with(&name(number), || 0) = number);
            busy.retain(|slot| *slot % 2 == 0);
            assert_eq!(all(&mut busy).into_values().filter(|slot| slot % 2 == 0).count(), count / 2);
            assert_eq!(busy.get(&name(1)), None);
            busy.retain(|_| false);
            assert!(all(&mut busy).is_empty());
            busy.get_or_insert_with(&name(1), || 1);
            assert_eq!(busy.few.len(), 1, "there are few again");
        }
    }
}
