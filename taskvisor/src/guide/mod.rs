// Documentation only: the module is compiled for rustdoc and its tests, and for nothing else.
#![doc = include_str!("README.md")]

#[doc = include_str!("first_service.md")]
pub mod first_service {}

#[doc = include_str!("tasks.md")]
pub mod tasks {}

#[doc = include_str!("restarts.md")]
pub mod restarts {}

#[doc = include_str!("schedules.md")]
pub mod schedules {}

#[doc = include_str!("groups.md")]
pub mod groups {}

#[doc = include_str!("readiness.md")]
pub mod readiness {}

#[doc = include_str!("stopping.md")]
pub mod stopping {}

#[doc = include_str!("slots.md")]
pub mod slots {}

#[doc = include_str!("pausing.md")]
pub mod pausing {}

#[doc = include_str!("batch.md")]
pub mod batch {}

#[doc = include_str!("queues.md")]
pub mod queues {}

#[doc = include_str!("outcomes_and_events.md")]
pub mod outcomes_and_events {}

#[doc = include_str!("observing.md")]
pub mod observing {}

#[doc = include_str!("console.md")]
pub mod console {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("web_server.md")]
pub mod web_server {}

#[doc = include_str!("libraries.md")]
pub mod libraries {}

#[doc = include_str!("blocking.md")]
pub mod blocking {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("fleets.md")]
pub mod fleets {}

#[doc = include_str!("overrides.md")]
pub mod overrides {}

#[doc = include_str!("mistakes.md")]
pub mod mistakes {}

#[doc = include_str!("non_goals.md")]
pub mod non_goals {}

#[doc = include_str!("coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("production.md")]
pub mod production {}
