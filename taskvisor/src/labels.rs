//! A macro for enums whose variants have a text.

/// Makes an enum from variants with a text each, and shows it as that text.
///
/// `label` returns the text, and `Display` pads it. A variant is `Variant = text`, with its docs and attributes.
macro_rules! labels {
    ($(#[$attr:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:expr,)+ }) => {
        $(#[$attr])*
        $vis enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            pub(crate) const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.label())
            }
        }
    };
}
