//! The runtime of a group: children that start, fail and stop together.
//!
//! `machine` decides for the group and `plan` for its children; both are pure. `driver` carries their actions out, and
//! `orphan` ends a group whose driver is gone. `call` makes the children of a fresh group. `cell` is the shared state
//! and the mailbox of a group, `member` a registered child. Other modules use `GroupRef` (`shared`), so that a program
//! without groups does not link this code.
//!
//! The reasons why a child does not start yet:
//!
//! | layer | reason | decided in |
//! |---|---|---|
//! | plan | a sibling before it in the order is not ready, or has not completed | `plan/moves` (`unmet`), `children` (`passes`) |
//! | plan | siblings of a restart still stop, or the backoff of the restart runs | `plan/moves`, `plan/ends` |
//! | plan | the group stops: its limit is exceeded, or a critical child is lost | `plan/ends` |
//! | group | it waits at its own gate, for its backoff, for its children to be made, or for its registrations | `machine` |
//! | group | the child was added between two runs | `machine`, `plan` |
//! | cell | its gate is shut or barred, or its initial delay runs | `task/machine` (`turn`, `begin`), `task/cell/gate` |
//! | actor | it waits for a permit, or yields to subscribers that are behind | `permits`, `task/actor` |

mod call;
mod cell;
mod children;
mod driver;
#[cfg(feature = "fleet")]
mod lease;
mod machine;
mod member;
mod orphan;
mod plan;
mod shared;
mod window;

pub(crate) use cell::GroupCell;
pub(super) use cell::{Adoption, Position, SeenGroup};
pub(super) use children::{Epoch, Key};
pub(super) use member::Member;
pub(super) use plan::{End, Note, RetryIn};
#[cfg(feature = "fleet")]
pub(super) use shared::WeakGroup;
pub(crate) use shared::{Driven, GroupRef};
pub(super) use window::Window;
