//! Names that are known at compile time and must differ among siblings.

use std::marker::PhantomData;

use super::{Arguments, FunctionContext, FunctionTask};

/// A task whose name is that of its function.
pub trait NamedTask {
    /// The name.
    const NAME: &'static str;
    /// Its arguments that have the name of an option; `None` if they are not known.
    const LIKE_OPTIONS: Arguments = None;
    /// The part of the context that it may take.
    const TAKEN: Taken = Taken::Context;
}

/// The part of the context of an attempt that a task takes.
#[derive(Debug, Clone, Copy)]
pub enum Taken {
    /// No argument.
    Nothing,
    /// A `CancellationToken`.
    Token,
    /// A `TaskContext`, or an argument of unknown type.
    Context,
}

impl<T: FunctionTask> NamedTask for T {
    const NAME: &'static str = <T as FunctionTask>::NAME;
    const LIKE_OPTIONS: Arguments = <T as FunctionTask>::LIKE_OPTIONS;
    const TAKEN: Taken = match <T as FunctionTask>::LIKE_OPTIONS {
        // The function was refused.
        None => Taken::Context,
        Some(_) if T::Context::IS_WHOLE => Taken::Context,
        Some(_) if T::Context::IS_TAKEN => Taken::Token,
        Some(_) => Taken::Nothing,
    };
}

/// A name that is known at compile time, as a type.
pub trait Named {
    /// The name.
    const NAME: &'static str;
    /// The arguments that have the name of an option; `None` if they are not known at compile time.
    const LIKE_OPTIONS: Arguments = None;
    /// The part of the context that may be taken.
    const TAKEN: Taken = Taken::Context;
}

/// The name of a task from a function.
#[derive(Debug)]
pub struct NameOf<T>(PhantomData<T>);

impl<T: NamedTask> Named for NameOf<T> {
    const NAME: &'static str = T::NAME;
    const LIKE_OPTIONS: Arguments = T::LIKE_OPTIONS;
    const TAKEN: Taken = T::TAKEN;
}

/// The name of a task that is not known at compile time.
#[derive(Debug)]
pub struct Nameless;

impl Named for Nameless {
    const NAME: &'static str = "";
}

/// The trait for tasks from functions, which method resolution prefers.
pub trait OfNamed: Sized {
    /// Returns the type that has the name.
    fn taskvisor_name(&self) -> PhantomData<NameOf<Self>>;
}

impl<T: NamedTask> OfNamed for T {
    fn taskvisor_name(&self) -> PhantomData<NameOf<Self>> {
        PhantomData
    }
}

/// The fallback for other types. It needs one more reference, so that method resolution tries it last.
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

/// Whether a task has an argument.
#[derive(Debug)]
pub struct HasArgument<const IS: bool>;

/// The type that the function returns, if the condition is true. A condition that cannot be evaluated leaves no type, so what is wrong with a value of
/// the type is not reported as well.
pub trait CheckedTask<F> {
    /// The type.
    type Type;
}

impl<T> CheckedTask<fn() -> T> for HasArgument<true> {
    type Type = T;
}

/// Returns `true`; rejects an option between the braces of a task that has no such argument. `message` is the panic.
///
/// # Panics
/// If the type that the function takes has no such argument. This happens at compile time.
#[track_caller]
pub const fn check_argument<T, N: Named>(_: fn(T) -> PhantomData<N>, name: &str, message: &str) -> bool {
    let Some(arguments) = N::LIKE_OPTIONS else { return true };
    let mut index = 0;
    while index < arguments.len() {
        if is_equal(arguments[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    panic!("{}", message);
}

/// Rejects an option that needs a `TaskContext` for a task that takes none. `message` is the panic.
///
/// # Panics
/// If the function of the type takes no `TaskContext`. This happens at compile time.
#[track_caller]
pub const fn check_context<T, N: Named>(_: fn(T) -> PhantomData<N>, message: &str) {
    assert!(matches!(N::TAKEN, Taken::Context), "{}", message);
}

/// Rejects an option that needs a context or its token for a task that takes neither. `message` is the panic.
///
/// # Panics
/// If the function of the type takes neither. This happens at compile time.
#[track_caller]
pub const fn check_token<T, N: Named>(_: fn(T) -> PhantomData<N>, message: &str) {
    assert!(!matches!(N::TAKEN, Taken::Nothing), "{}", message);
}

/// The names of siblings. An empty name is not known at compile time.
#[derive(Debug)]
pub struct Names<const N: usize> {
    names: [&'static str; N],
    /// `true` for a name that an earlier sibling has.
    repeated: [bool; N],
}

impl<const N: usize> Names<N> {
    /// Compares the names.
    #[must_use]
    pub const fn new(names: [&'static str; N]) -> Self {
        let mut repeated = [false; N];
        // A hash table, so that many names are compared quickly.
        let mut slots = [N; N];
        let mut index = 0;
        while index < N {
            let name = names[index].as_bytes();
            if !name.is_empty() {
                let mut slot = hash(name) % N;
                while slots[slot] < N && !is_equal(names[slots[slot]].as_bytes(), name) {
                    slot = (slot + 1) % N;
                }
                if slots[slot] < N {
                    repeated[index] = true;
                } else {
                    slots[slot] = index;
                }
            }
            index += 1;
        }
        Self { names, repeated }
    }

    /// Rejects a name that an earlier sibling has. Returns zero, as the length of an array.
    ///
    /// # Panics
    /// If the name is repeated. This happens at compile time.
    #[track_caller]
    pub const fn check(&self, index: usize) -> usize {
        if !self.repeated[index] {
            return 0;
        }
        let name = self.names[index];
        let (text, length) =
            concat(["two entries are called `", name, "` here: give this one a label, as in `other = ..`"]);
        match std::str::from_utf8(text.split_at(length).0) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("two entries have the same name here: give this one a label, as in `other = ..`"),
        }
    }
}

/// Joins the parts, cut off at the size of the buffer.
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

    /// A thousand letters.
    const LONG: &str = match std::str::from_utf8(&[b'x'; 1000]) {
        Ok(text) => text,
        Err(_) => unreachable!(),
    };

    fn repeated<const N: usize>(names: [&'static str; N]) -> [bool; N] {
        Names::new(names).repeated
    }

    #[test]
    fn each_name_after_the_first_is_repeated() {
        assert!(repeated([]).is_empty());
        let names = ["a", "b", "", "a", "ab", "", "a", "b "];
        assert_eq!(repeated(names), [false, false, false, true, false, false, true, false]);
        assert_eq!(repeated(["c", "a", "b"]), [false; 3]);
    }

    #[test]
    fn many_names_are_compared() {
        let mut names = [""; 200];
        for (number, name) in names.iter_mut().enumerate() {
            *name = &LONG[..=number % 150];
        }
        assert!(repeated(names).iter().enumerate().all(|(index, repeated)| *repeated == (index >= 150)));
    }

    #[test]
    fn a_repeated_name_is_named_however_long() {
        let refused = |name: &'static str| {
            let names = Names::new([name, name]);
            *std::panic::catch_unwind(|| names.check(1)).unwrap_err().downcast::<String>().unwrap()
        };
        let text = refused("ping");
        assert_eq!(text, "two entries are called `ping` here: give this one a label, as in `other = ..`");
        assert!(refused(LONG).starts_with("two entries are called `xxx"));
        assert_eq!(Names::new(["ping", "pong"]).check(1), 0);
    }
}
