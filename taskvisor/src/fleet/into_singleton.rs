//! The `IntoSingleton` trait: the values of `singleton = ..` in the macros.

use std::borrow::Cow;
use std::sync::Arc;

/// Whether a task or a group is a singleton, and the key of its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SingletonKey {
    /// It is not a singleton.
    None,
    /// Its path is the key.
    Path,
    /// The key.
    Given(Arc<str>),
}

/// A value of `singleton` in the macros: a `bool`, the key of a lease as a string, or an `Option` of one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether this is a singleton",
    label = "expected a `bool`, or a string",
    note = "`singleton = flag` switches it on or off, and `singleton = key` is the key of its lease"
)]
pub trait IntoSingleton {
    /// Converts it.
    fn into_singleton(self) -> SingletonKey;
}

impl IntoSingleton for bool {
    fn into_singleton(self) -> SingletonKey {
        if self { SingletonKey::Path } else { SingletonKey::None }
    }
}

impl<K: IntoSingleton> IntoSingleton for Option<K> {
    fn into_singleton(self) -> SingletonKey {
        self.map_or(SingletonKey::None, IntoSingleton::into_singleton)
    }
}

macro_rules! keys {
    ($($key:ty)+) => {
        $(impl IntoSingleton for $key {
            fn into_singleton(self) -> SingletonKey {
                SingletonKey::Given(self.into())
            }
        })+
    };
}

keys!(&str String Arc<str> Box<str> Cow<'_, str>);

impl IntoSingleton for &String {
    fn into_singleton(self) -> SingletonKey {
        self.as_str().into_singleton()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_switches_and_a_string_is_the_key() {
        assert_eq!([true, false].map(IntoSingleton::into_singleton), [SingletonKey::Path, SingletonKey::None]);
        let given = SingletonKey::Given(Arc::from("key"));
        let text = String::from("key");
        assert_eq!((&text).into_singleton(), given);
        assert_eq!([Some("key"), None].map(IntoSingleton::into_singleton), [given.clone(), SingletonKey::None]);
        assert_eq!(text.into_singleton(), given);
    }
}
