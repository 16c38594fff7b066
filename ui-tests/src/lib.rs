//! Cases that must compile, and cases that must not.
