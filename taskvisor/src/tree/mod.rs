//! Declared trees: builders of trees and groups, and handles to positions in a tree.
//!
//! A builder checks names and order, and creates a `Declared`, which is plain data. `runtime::registration` starts it.
//! Other modules use `Declared` and the handles; the builders are for users and for generated code.

mod child_handle;
mod declaration;
mod declared_tree;
mod failure;
mod group;
mod group_handle;
mod maker;
mod owner;
mod strategy;
#[cfg(feature = "cron")]
mod upcoming;

pub use child_handle::ChildHandle;
pub(crate) use declaration::{Declared, DeclaredChild, Order, Role};
pub use declared_tree::{DeclaredGroup, DeclaredTree};
pub(crate) use failure::Leaf;
pub use failure::{FailureChain, FailureLink};
pub use group::Group;
pub(crate) use group::{check_name, join, last_segment};
pub use group_handle::GroupHandle;
pub(crate) use maker::{Maker, Making};
pub use owner::{Tree, TreeBuilder};
pub use strategy::{Dynamic, Strategy};
#[cfg(feature = "cron")]
pub use upcoming::ScheduledRun;
