//! Tokens as text.

use quote::ToTokens;

/// The tokens on one line, with conventional spacing.
pub(crate) fn compact(tokens: &impl ToTokens) -> String {
    const SPACES: [(&str, &str); 21] = [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" : ", ": "),
        (" ,", ","),
        (" ;", ";"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        ("Fn (", "Fn("),
        ("FnOnce (", "FnOnce("),
        ("fn (", "fn("),
        ("? Sized", "?Sized"),
        ("all (", "all("),
        ("any (", "any("),
        ("not (", "not("),
    ];
    let mut text = tokens.to_token_stream().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for (spaced, close) in SPACES {
        text = text.replace(spaced, close);
    }
    text.trim().trim_end_matches(',').to_owned()
}
