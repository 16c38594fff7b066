//! Texts of the tree on a terminal. Names, errors and answers are untrusted: none of them may move the cursor, change a
//! color, or form a line of its own.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

/// Returns the text with control characters, line breaks and invisible characters escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // `escape_debug` also escapes quotes and backslashes, which are harmless and stay.
    for piece in text.split_inclusive(['"', '\'', '\\']) {
        let body = piece.trim_end_matches(['"', '\'', '\\']);
        let _ = write!(out, "{}{}", body.escape_debug(), &piece[body.len()..]);
    }
    out
}

/// Returns a text as the last argument of a command line that can be pasted into a shell. It is not escaped for a
/// terminal yet.
pub(crate) fn argument(text: &str) -> String {
    // A name that looks like an option.
    let dashes = if text.starts_with('-') { "-- " } else { "" };
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+,".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) {
        return format!("{dashes}{text}");
    }
    format!("{dashes}'{}'", text.replace('\'', r"'\''"))
}

/// Returns JSON with the invisible characters in its strings escaped. The result is equal JSON.
pub(crate) fn plain_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // Below, JSON has them only escaped, except for its own spaces and line breaks.
        if character < '\x7f' || is_visible(character) {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn is_visible(character: char) -> bool {
    // A character that is combined with the one before it is escaped only at the start of a text.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().eq(text.chars())
}

/// Returns a text that is cut to this many columns, with a mark if something was cut off.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    // A text can have any number of characters without a width, so its parts are not measured one by one.
    let start = |most: usize| {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        &text[..end]
    };
    let (mut fits, mut over) = (0, text.len());
    while over - fits > 1 {
        let middle = fits + (over - fits) / 2;
        if start(middle).width() < columns { fits = middle } else { over = middle }
    }
    format!("{}…", start(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_on_a_terminal_is_escaped() {
        for (text, expected) in [
            ("store/pool", "store/pool"),
            ("\x1b[31mred\x1b[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("two\nlines\r\tand a tab", "two\\nlines\\r\\tand a tab"),
            ("\u{9b}2J \x7f \u{8}", "\\u{9b}2J \\u{7f} \\u{8}"),
            ("evil \u{202e}txt.exe\u{2066}\u{200b}", "evil \\u{202e}txt.exe\\u{2066}\\u{200b}"),
            ("\u{2028}\u{feff}", "\\u{2028}\\u{feff}"),
            ("it's \"quoted\" \\ fine", "it's \"quoted\" \\ fine"),
            ("größer 日本 cafe\u{301}", "größer 日本 cafe\u{301}"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn an_argument_is_one_word_of_a_shell() {
        for (text, expected) in [
            ("store/pool-1_a.b:c@d%e+f,g", "store/pool-1_a.b:c@d%e+f,g"),
            ("", "''"),
            ("two words", "'two words'"),
            ("a;b $c `d` \"e\" *", "'a;b $c `d` \"e\" *'"),
            ("it's", r"'it'\''s'"),
            ("-x", "-- -x"),
            ("-x y", "-- '-x y'"),
            ("größer", "'größer'"),
        ] {
            assert_eq!(argument(text), expected);
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        let json = "{\"a\\u001b\": \"\u{9b}x\u{202e}y\u{e0001}\u{7f} größer\"}";
        let safe = plain_json(json);
        assert_eq!(safe, "{\"a\\u001b\": \"\\u009bx\\u202ey\\udb40\\udc01\\u007f größer\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&safe), value(json));
    }

    #[test]
    fn a_long_text_is_cut_by_columns() {
        assert_eq!(shortened("connection refused", 40), "connection refused");
        assert_eq!(shortened("connection refused", 8), "connect…");
        assert_eq!(shortened("日本語です", 6), "日本…");
        assert_eq!(shortened("日本語です", 5), "日本…");
    }

    #[test]
    fn marks_without_a_width_do_not_hold_up_the_cut() {
        let marks = "\u{301}".repeat(300_000);
        let text = format!("a{marks}{}", "x".repeat(100));
        assert_eq!(shortened(&text, 8), format!("a{marks}xxxxxx…"));
        assert_eq!(shortened(&text, 1), "…");
        assert_eq!(shortened(&text, 101), text);
    }
}
