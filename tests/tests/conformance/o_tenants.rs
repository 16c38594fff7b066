//! O20 to O27, O52: a fleet of tenants.

mod added_groups;
mod added_groups_ends;
mod added_groups_more;
mod again;
mod limits;
mod reach;
mod reconcile;
mod reconcile_random;
mod returning;
mod starting;
mod survive;
