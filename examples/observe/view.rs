//! The tree, for the tasks in it.

use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};

use taskvisor::Tree;

/// Shows a tree to its own tasks. It holds a weak reference, since an owning one would keep the tree alive.
#[derive(Clone, Default)]
pub(crate) struct View(Arc<OnceLock<Weak<dyn Deref<Target = Tree> + Send + Sync>>>);

impl View {
    /// Makes this tree visible.
    pub(crate) fn of<T: Deref<Target = Tree> + Send + Sync + 'static>(&self, tree: T) -> Arc<T> {
        let tree = Arc::new(tree);
        let seen: Weak<T> = Arc::downgrade(&tree);
        let _ = self.0.set(seen);
        tree
    }

    /// Returns `None` before the tree exists and after it was dropped.
    pub(crate) fn look<T>(&self, f: impl FnOnce(&Tree) -> T) -> Option<T> {
        let tree = self.0.get()?.upgrade()?;
        Some(f(&tree))
    }
}
