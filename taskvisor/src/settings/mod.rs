//! Settings: the options of a declared tree that a deployment can change without a new build.
//!
//! `overrides` collects the values of files and variables, `sheet` lists the declared options of a tree, and `owner`
//! has the values of one task, group or slot as texts. `legal_names` generates every name that an override can have.
//! `resolve` checks overrides and writes them into the declaration, before the tree is built from it. `listing` shows
//! the result.
//!
//! All of it runs in `TreeBuilder::build` and in `Tree::settings`. A running tree does not use it.

#[cfg(feature = "serde")]
mod deserialize;
mod invalid;
mod legal_names;
mod listing;
mod origin;
mod overrides;
mod owner;
mod resolve;
mod sheet;
mod shown;

pub use invalid::InvalidOverride;
pub use listing::{Setting, Settings};
pub use origin::Origin;
pub use overrides::Overrides;
pub(crate) use resolve::Overridden;
pub(crate) use sheet::{OfSupervisor, Sheet};
pub(crate) use shown::{Shown, of_group, of_task, of_tree};
