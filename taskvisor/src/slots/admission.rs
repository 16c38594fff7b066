//! The admission policies of slots.

labels! {
    /// The admission policy: what happens to a submission whose slot is busy. An idle slot starts every submission at
    /// once, unless it has a rate, a limit of its keys or a debounce.
    ///
    /// A slot is busy from the start of a task until that task has terminated: while the task runs, waits for its
    /// backoff or interval, or stops. So two tasks of a slot never overlap, under any policy, unless its
    /// [`concurrency`](crate::SlotSpec::with_concurrency) is more than 1. A [paused](crate::SlotHandle::pause) slot
    /// counts as busy.
    ///
    /// | policy | in `supervise!` | a submission to a busy slot | the running task | the waiting submissions |
    /// |---|---|---|---|---|
    /// | [`Queue`](Self::Queue) (default) | `"queue"` | waits its turn, first come, first served; [`Full`](crate::RejectReason::Full) if the queue of the slot is full | continues | stay |
    /// | [`Replace`](Self::Replace) | `"replace"` | is the next, ahead of the queue | is requested to stop, once; a backoff or interval ends | the queue stays; an earlier replacement is rejected as [`Superseded`](crate::RejectReason::Superseded) |
    /// | [`Latest`](Self::Latest) | `"latest"` | is the next, ahead of the queue | continues | the queue stays; an earlier one that waits ahead of the queue is rejected as [`Superseded`](crate::RejectReason::Superseded) |
    /// | [`DropIfRunning`](Self::DropIfRunning) | `"drop_if_running"` | is rejected as [`Busy`](crate::RejectReason::Busy), in a pause as [`Paused`](crate::RejectReason::Paused) | continues | stay |
    ///
    /// A submission under `Queue` also needs room in the [`queue_capacity`](crate::ControllerConfig::queue_capacity) of
    /// all slots together; `submit` waits for it. The other policies need no room.
    ///
    /// A slot that is declared has a policy for [`SlotHandle::submit`](crate::SlotHandle::submit). A
    /// [`ControllerSpec`](crate::ControllerSpec) names its own. The guide explains [slots](crate::guide::slots).
    #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum AdmissionPolicy: Display {
        /// The submission waits in the queue, first come, first served.
        #[default]
        Queue = "queue",
        /// The running task is requested to stop, and the submission is the next. An earlier submission that waits to
        /// replace the task is rejected as superseded; submissions in the queue stay there.
        Replace = "replace",
        /// The running task continues, and the submission is the next. An earlier submission that waits to be the next
        /// is rejected as superseded; submissions in the queue stay there. So the last submission runs, unless it is
        /// canceled or a shutdown comes first. With [`with_debounce`](crate::SlotSpec::with_debounce), an idle slot
        /// also waits for a newer submission.
        Latest = "latest",
        /// The submission is rejected as busy.
        DropIfRunning = "drop_if_running",
    }
}

impl AdmissionPolicy {
    /// Returns `true` if a submission supersedes an earlier one that waits ahead of the queue.
    pub(crate) fn displaces(self) -> bool {
        matches!(self, Self::Replace | Self::Latest)
    }
}
