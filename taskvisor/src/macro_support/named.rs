//! Names that are known at compile time and must differ among siblings.

use std::marker::PhantomData;

/// A task whose name is known at compile time.
pub trait Named {
    /// The name.
    const NAME: &'static str;
}

/// The type for tasks whose names are not known at compile time.
#[derive(Debug)]
pub struct Nameless;

impl Named for Nameless {
    const NAME: &'static str = "";
}

/// The trait that method resolution prefers: it applies to types that are [`Named`].
pub trait OfNamed {
    /// Returns the type that has the name.
    fn taskvisor_name(&self) -> PhantomData<Self>;
}

impl<T: Named> OfNamed for T {
    fn taskvisor_name(&self) -> PhantomData<Self> {
        PhantomData
    }
}

/// The fallback for types that are not [`Named`]; it needs one more reference, so that method resolution tries it last.
pub trait OfNameless {
    /// Returns `Nameless`.
    fn taskvisor_name(&self) -> PhantomData<Nameless>;
}

impl<T> OfNameless for &T {
    fn taskvisor_name(&self) -> PhantomData<Nameless> {
        PhantomData
    }
}

/// Returns the name of the type that the function takes, or an empty string. The function is never called.
pub const fn name_of<T, N: Named>(_: fn(T) -> PhantomData<N>) -> &'static str {
    N::NAME
}

/// Marks the names that repeat an earlier one. `SLOTS` is twice the number of names.
pub const fn repeated<const N: usize, const SLOTS: usize>(names: &[&str; N]) -> [bool; N] {
    let mut repeated = [false; N];
    // A hash table, so that the effort is linear in the number of names.
    let mut slots = [N; SLOTS];
    let mut index = 0;
    while index < N {
        let name = names[index].as_bytes();
        if !name.is_empty() {
            let mut slot = hash(name) % SLOTS;
            while slots[slot] < N && !is_equal(names[slots[slot]].as_bytes(), name) {
                slot = (slot + 1) % SLOTS;
            }
            if slots[slot] < N {
                repeated[index] = true;
            } else {
                slots[slot] = index;
            }
        }
        index += 1;
    }
    repeated
}

/// Rejects a name that an earlier sibling has.
///
/// # Panics
/// If the name is repeated. This happens at compile time.
#[track_caller]
pub const fn refuse_repeated(repeated: bool, name: &str) {
    if !repeated {
        return;
    }
    let (text, length) =
        concat(["two entries are called `", name, "` here: give this one a label, as in `other = ..`"]);
    match std::str::from_utf8(text.split_at(length).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("two entries have the same name here: give this one a label, as in `other = ..`"),
    }
}

/// Joins the parts as far as they fit.
const fn concat(parts: [&str; 3]) -> ([u8; 512], usize) {
    let mut text = [0; 512];
    let mut length = 0;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut index = 0;
        while index < bytes.len() && length < text.len() {
            text[length] = bytes[index];
            length += 1;
            index += 1;
        }
        part += 1;
    }
    (text, length)
}

const fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// FNV-1a.
const fn hash(bytes: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    hash as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_after_the_first_is_repeated() {
        assert_eq!(repeated::<0, 0>(&[]), [false; 0]);
        let names = ["a", "b", "", "a", "ab", "", "a", "b "];
        assert_eq!(repeated::<8, 16>(&names), [false, false, false, true, false, false, true, false]);
    }

    #[test]
    fn many_names_are_told_apart() {
        let texts: Vec<String> = (0..200).map(|number| format!("task-{}", number % 150)).collect();
        let mut names = [""; 200];
        for (name, text) in names.iter_mut().zip(&texts) {
            *name = text;
        }
        let repeated = repeated::<200, 400>(&names);
        assert!(repeated.iter().enumerate().all(|(index, repeated)| *repeated == (index >= 150)));
    }

    #[test]
    fn a_repeated_name_is_named_however_long() {
        let refused = |name: &str| {
            let name = name.to_owned();
            *std::panic::catch_unwind(move || refuse_repeated(true, &name)).unwrap_err().downcast::<String>().unwrap()
        };
        let text = refused("ping");
        assert_eq!(text, "two entries are called `ping` here: give this one a label, as in `other = ..`");
        assert!(refused(&"x".repeat(1000)).starts_with("two entries are called `xxx"));
        refuse_repeated(false, "ping");
    }
}
