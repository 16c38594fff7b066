//! A macro for enums whose variants have a label.

/// Makes an enum, and `label`, which returns the label of a value. A variant is `Variant = label`, with its attributes
/// and fields.
///
/// With `: Display` after its name, the enum implements `Display`, which writes the label and respects width and
/// alignment.
macro_rules! labels {
    ($(#[$attr:meta])* $vis:vis enum $name:ident $(: $display:ident)? {
        $($(#[$own:meta])* $variant:ident $({ $($fields:tt)* })? $(($inner:ty))? = $label:expr,)+
    }) => {
        $(#[$attr])*
        $vis enum $name {
            $($(#[$own])* $variant $({ $($fields)* })? $(($inner))?,)+
        }

        impl $name {
            pub(crate) const fn label(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $label,)+
                }
            }
        }

        $(impl std::fmt::$display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.label())
            }
        })?
    };
}
