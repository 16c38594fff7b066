//! The support for `singleton = ..` with an expression.

use crate::fleet::SingletonKey;
use crate::{Group, TaskSpec};

/// A task or a group, which can be a singleton.
pub trait MaybeSingleton: Sized {
    /// Sets whether it is one.
    #[must_use]
    fn with_singleton_of(self, key: SingletonKey) -> Self;
}

macro_rules! maybe_singletons {
    ($($ty:ty)+) => {
        $(impl MaybeSingleton for $ty {
            fn with_singleton_of(self, key: SingletonKey) -> Self {
                match key {
                    SingletonKey::None => self.without_singleton(),
                    SingletonKey::Path => self.with_singleton(),
                    SingletonKey::Given(key) => self.with_singleton_key(key),
                }
            }
        })+
    };
}

maybe_singletons!(TaskSpec Group);

/// Sets whether a task or a group is a singleton.
pub fn with_singleton<T: MaybeSingleton>(of: T, key: SingletonKey) -> T {
    of.with_singleton_of(key)
}
