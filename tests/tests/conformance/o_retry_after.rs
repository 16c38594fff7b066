//! O26: a failure that says when its task is retried.

mod alone;
