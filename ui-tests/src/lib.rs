//! What must and what must not compile.
