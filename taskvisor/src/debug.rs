//! A macro for implementations of `Debug`.

/// Implements `Debug` for a type, with the listed values as its fields.
///
/// The output ends with `..`, because not all fields are listed. The value of a field is an expression that can use the
/// bindings of the pattern.
macro_rules! impl_debug {
    ($type:ident $(<$lifetime:lifetime>)?, |$this:pat_param| $($field:ident: $value:expr),*) => {
        impl std::fmt::Debug for $type$(<$lifetime>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let $this = self;
                f.debug_struct(stringify!($type))$(.field(stringify!($field), &$value))*.finish_non_exhaustive()
            }
        }
    };
}
