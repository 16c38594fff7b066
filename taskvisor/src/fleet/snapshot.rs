//! Snapshots of leases.

/// The leases of a supervisor, as it last saw them. [`SupervisorHandle::fleet`](crate::SupervisorHandle::fleet) returns
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it does nothing unless it is read"]
pub struct FleetSnapshot {
    /// The label of this process in the fleet.
    pub label: String,
    /// The last failure of the store, in one line, while it does not answer or refuses. `None` while it can be reached.
    pub unreachable: Option<String>,
    /// The tasks, groups and jobs that have a lease or want one, by their keys.
    pub leases: Vec<LeaseSnapshot>,
}

/// The lease of a task or group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseSnapshot {
    /// The path of the task or group.
    pub path: String,
    /// The key.
    pub key: String,
    /// `true` if this process holds it, and work may begin.
    pub is_held: bool,
    /// The label of the process that holds it, if that is known. The label of this process while it holds the lease.
    pub owner: Option<String>,
    /// The number of the fencing token, while this process holds the lease.
    pub token: Option<u64>,
}
