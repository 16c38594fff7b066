//! What is said about texts that are not patterns.

use taskvisor_parse::cron::Pattern;

/// A text, and its errors: tokens, and their messages.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

/// Checks that a text has these errors: a token, and the message. `{}` stands for the text, and words in capitals for
/// the constants.
fn check(rows: &[Row]) {
    const NICKNAMES: &str =
        "\"@yearly\", \"@annually\", \"@monthly\", \"@weekly\", \"@daily\", \"@midnight\" or \"@hourly\"";
    const MONTHS: &str = "`jan`, `feb`, `mar`, `apr`, `may`, `jun`, `jul`, `aug`, `sep`, `oct`, `nov` or `dec`";
    const DAYS: &str = "`sun`, `mon`, `tue`, `wed`, `thu`, `fri` or `sat`";
    const SPREAD: &str = "write a number; `splay` spreads tasks that are due at one time";
    const NEAREST: &str = "write a day of the month, or a day of the week such as `mon#1`";
    const ORDER: &str = "minute, hour, day of month, month, day of week";
    for (text, expected) in rows {
        let errors = Pattern::parse(text).expect_err(text);
        let found: Vec<(&str, String)> =
            errors.iter().map(|error| (&text[error.span()], error.message().to_owned())).collect();
        let in_full = |message: &str| {
            let message = message.replace("{}", &format!("{text:?}"));
            let message = message.replace("NICKNAMES", NICKNAMES).replace("MONTHS", MONTHS).replace("DAYS", DAYS);
            message.replace("ORDER", ORDER).replace("SPREAD", SPREAD).replace("NEAREST", NEAREST)
        };
        let expected: Vec<(&str, String)> =
            expected.iter().map(|(token, message)| (*token, in_full(message))).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn texts_without_five_fields() {
    check(&[
        ("", &[("", r#"{} has no fields: write for example "30 2 * * *""#)]),
        ("   ", &[("   ", r#"{} has no fields: write for example "30 2 * * *""#)]),
        ("0 2 * *", &[("0 2 * *", "{} has 4 fields, expected 5: minute, hour, day of month, month and day of week")]),
        ("0 0 2 * * *", &[("0 0 2 * * *", "{} has 6 fields, expected 5: leave out the seconds: \"0 2 * * *\"")]),
        ("0 0 2 * * 2027", &[("0 0 2 * * 2027", "{} has 6 fields, expected 5: a pattern has no year")]),
        (
            "0 0 2 * * * *",
            &[("0 0 2 * * * *", "{} has 7 fields, expected 5: leave out the seconds and the year: \"0 2 * * *\"")],
        ),
        (
            "0 15/20 9 1/1 * ? *",
            &[(
                "0 15/20 9 1/1 * ? *",
                "{} has 7 fields, expected 5: leave out the seconds and the year: \"15-59/20 9 */1 * *\"",
            )],
        ),
        ("0 0 2 * * 5", &[("0 0 2 * * 5", "{} has 6 fields, expected 5: leave out the seconds: \"0 2 * * 5\"")]),
        (
            "0 0 2 * * july",
            &[("0 0 2 * * july", "{} has 6 fields, expected 5: leave out the seconds: \"0 2 * * july\"")],
        ),
        ("0 2 * * * 2027", &[("0 2 * * * 2027", "{} has 6 fields, expected 5: a pattern has no year")]),
        ("*/10 * * * * *", &[("*/10 * * * * *", "{} has 6 fields, expected 5: seconds are said by `every`")]),
        ("*/10 * * * * * *", &[("*/10 * * * * * *", "{} has 7 fields, expected 5: seconds are said by `every`")]),
        ("0, 30 2 * * *", &[("0, 30 2 * * *", "{} has 6 fields, expected 5: there are no spaces within a field")]),
        ("0 9 - 17 * * *", &[("0 9 - 17 * * *", "{} has 7 fields, expected 5: there are no spaces within a field")]),
        (
            "* * * * * * * *",
            &[("* * * * * * * *", "{} has 8 fields, expected 5: minute, hour, day of month, month and day of week")],
        ),
        ("02:30", &[("02:30", r#"{} is a time of day: write "30 2 * * *""#)]),
        ("24:30", &[("24:30", "{} has 1 field, expected 5: minute, hour, day of month, month and day of week")]),
        ("10m", &[("10m", "{} is a duration: write `every = {}`")]),
        ("1h30m", &[("1h30m", "{} is a duration: write `every = {}`")]),
        ("daily", &[("daily", r#"unknown pattern {}, did you mean "@daily"?"#)]),
        ("Hourly", &[("Hourly", r#"unknown pattern {}, did you mean "@hourly"?"#)]),
        (
            "sometimes",
            &[("sometimes", "{} has 1 field, expected 5: minute, hour, day of month, month and day of week")],
        ),
        ("@dayly", &[("@dayly", r#"unknown pattern {}, did you mean "@daily"?"#)]),
        ("@Daily", &[("@Daily", r#"unknown pattern {}, did you mean "@daily"?"#)]),
        ("@fortnightly", &[("@fortnightly", "unknown pattern {}, expected five fields, NICKNAMES")]),
        ("@daily 5", &[("5", "`5` in {} follows a whole pattern: leave it out")]),
        (
            "@reboot",
            &[("@reboot", "`@reboot` in {} is of another dialect: without `cron`, a task starts with its tree")],
        ),
        ("@every 5m", &[("@every", r#"`@every` in {} is of another dialect: write for example `every = "5m"`"#)]),
        (
            "CRON_TZ=Asia/Tokyo 0 2 * * *",
            &[(
                "CRON_TZ=Asia/Tokyo 0 2 * * *",
                r#"{} has its zone within the pattern: write `zone = "Asia/Tokyo"` beside it"#,
            )],
        ),
    ]);
}

#[test]
fn items_that_are_wrong() {
    check(&[
        ("70 2 * * *", &[("70", "minute `70` in {} is not within 0 to 59")]),
        ("0 24 * * *", &[("24", "hour `24` in {} is not within 0 to 23")]),
        ("0 0 0 * *", &[("0", "day of month `0` in {} is not within 1 to 31")]),
        ("0 0 32 * *", &[("32", "day of month `32` in {} is not within 1 to 31")]),
        ("0 0 * 13 *", &[("13", "month `13` in {} is not within 1 to 12")]),
        ("0 0 * 0 *", &[("0", "month `0` in {} is not within 1 to 12")]),
        ("0 0 * * 8", &[("8", "day of week `8` in {} is not within 0 to 7")]),
        (
            "1-70,80 2 * * *",
            &[("70", "minute `70` in {} is not within 0 to 59"), ("80", "minute `80` in {} is not within 0 to 59")],
        ),
        (
            "99999999999999999999 2 * * *",
            &[("99999999999999999999", "minute `99999999999999999999` in {} is not within 0 to 59")],
        ),
        ("0 0 * * mno", &[("mno", "unknown day of week `mno` in {}, did you mean `mon`?")]),
        ("0 0 * * monday", &[("monday", "unknown day of week `monday` in {}, did you mean `mon`?")]),
        ("0 0 * * Tuesdays", &[("Tuesdays", "unknown day of week `Tuesdays` in {}, did you mean `tue`?")]),
        ("0 0 * foo *", &[("foo", "unknown month `foo` in {}, expected a number, MONTHS")]),
        ("0 0 * june *", &[("june", "unknown month `june` in {}, did you mean `jun`?")]),
        ("0 0 * * jun", &[("jun", "day of week `jun` in {} is a month: the fields are ORDER")]),
        ("0 0 * mon *", &[("mon", "month `mon` in {} is a day of week: the fields are ORDER")]),
        ("mon 0 * * *", &[("mon", "minute `mon` in {} is a day of week: the fields are ORDER")]),
        (
            "0 mon-fri * * *",
            &[
                ("mon", "hour `mon` in {} is a day of week: the fields are ORDER"),
                ("fri", "hour `fri` in {} is a day of week: the fields are ORDER"),
            ],
        ),
        ("0 0 * * dimanché", &[("dimanché", "unknown day of week `dimanché` in {}, expected a number, DAYS")]),
        ("1,,2 * * * *", &[("1,,2", "minute `1,,2` in {} has nothing on one side of a comma")]),
        (", * * * *", &[(",", "minute `,` in {} has nothing on one side of a comma")]),
        ("1, 2 * * *", &[("1,", "minute `1,` in {} has nothing on one side of a comma")]),
        ("0 17-9 * * *", &[("17-9", "range `17-9` in {} ends before it begins: write `0-9,17-23`")]),
        ("0 22-2 * * *", &[("22-2", "range `22-2` in {} ends before it begins: write `0-2,22,23`")]),
        ("50-10/5 * * * *", &[("50-10/5", "range `50-10/5` in {} ends before it begins: write `0,5,10,50,55`")]),
        ("0 0 * nov-feb *", &[("nov-feb", "range `nov-feb` in {} ends before it begins: write `jan,feb,nov,dec`")]),
        ("0 0 * * fri-mon", &[("fri-mon", "range `fri-mon` in {} ends before it begins: write `mon,fri-sun`")]),
        ("0 0 * * 5-0", &[("5-0", "range `5-0` in {} ends before it begins: write `fri-sun`")]),
        ("0 0 * * 7-3", &[("7-3", "range `7-3` in {} ends before it begins: write `mon-wed,sun`")]),
        ("0 0 31-1 * *", &[("31-1", "range `31-1` in {} ends before it begins: write `1,31`")]),
        ("5/15 * * * *", &[("5/15", "minute `5/15` in {} has a step, but no range: write `5-59/15`")]),
        ("0 0 * * 7/2", &[("7/2", "day of week `7/2` in {} has a step, but no range: write `0-6/2`")]),
        ("0 0 * * mon/2", &[("mon/2", "day of week `mon/2` in {} has a step, but no range: write `mon-sat/2`")]),
        (
            "70/90 * * * *",
            &[
                ("70", "minute `70` in {} is not within 0 to 59"),
                ("90", "step `90` in {} is too large: minute has 60 values"),
            ],
        ),
        ("*/0 * * * *", &[("0", "step `0` in {} is not a number from 1 to 60")]),
        ("*/90 * * * *", &[("90", "step `90` in {} is too large: minute has 60 values")]),
        ("0 0 * * mon#0", &[("0", "ordinal `0` in {} is not within 1 to 5: write for example `mon#1` or `mon#L`")]),
        ("0 0 * * mon#6", &[("6", "ordinal `6` in {} is not within 1 to 5: write for example `mon#1` or `mon#L`")]),
        ("0 0 * * 9#2", &[("9", "day of week `9` in {} is not within 0 to 7")]),
        ("0 0 * * mno#2", &[("mno", "unknown day of week `mno` in {}, did you mean `mon`?")]),
        (
            "0 0 * * mon#2/2",
            &[("2/2", "ordinal `2/2` in {} is not within 1 to 5: write for example `mon#1` or `mon#L`")],
        ),
        (
            "0 0 * * L",
            &[("L", "day of week `L` in {} is of another dialect: write for example `fri#L` for the last Friday")],
        ),
        ("0 0 * * 8L", &[("8", "day of week `8` in {} is not within 0 to 7")]),
        ("0 0 * * april", &[("april", "unknown day of week `april` in {}, expected a number, DAYS")]),
        ("0 0 ? * *", &[("?", "day of month `?` in {} is of another dialect: write `*`")]),
        ("H * * * *", &[("H", "minute `H` in {} is of another dialect: SPREAD")]),
        ("H/15 * * * *", &[("H/15", "minute `H/15` in {} is of another dialect: SPREAD")]),
        ("0 H(0-3) * * *", &[("H(0-3)", "hour `H(0-3)` in {} is of another dialect: SPREAD")]),
        ("0~30 * * * *", &[("0~30", "minute `0~30` in {} is of another dialect: SPREAD")]),
        ("0 0 15W * *", &[("15W", "day of month `15W` in {} is of another dialect: NEAREST")]),
        ("0 0 LW * *", &[("LW", "day of month `LW` in {} is of another dialect: NEAREST")]),
        (
            "0 0 L-3 * *",
            &[(
                "L-3",
                "day of month `L-3` in {} is of another dialect: `L` is the last day, and no days are counted from it",
            )],
        ),
        ("0 0 30 2-13 *", &[("13", "month `13` in {} is not within 1 to 12")]),
        (
            "70 24 32 13 8",
            &[
                ("70", "minute `70` in {} is not within 0 to 59"),
                ("24", "hour `24` in {} is not within 0 to 23"),
                ("32", "day of month `32` in {} is not within 1 to 31"),
                ("13", "month `13` in {} is not within 1 to 12"),
                ("8", "day of week `8` in {} is not within 0 to 7"),
            ],
        ),
        (
            "60-70 * * * *",
            &[("60", "minute `60` in {} is not within 0 to 59"), ("70", "minute `70` in {} is not within 0 to 59")],
        ),
    ]);
}

#[test]
fn patterns_that_never_come() {
    check(&[
        ("0 0 30 2 *", &[("30 2", "{} never comes: February has no day 30")]),
        ("0 0 31 feb,apr,jun *", &[("31 feb,apr,jun", "{} never comes: February, April and June have no day 31")]),
        (
            "0 0 31 4,6,9,11 */2",
            &[("31 4,6,9,11", "{} never comes: April, June, September and November have no day 31")],
        ),
        ("0 0 30-31 2 *", &[("30-31 2", "{} never comes: February has no day 30")]),
        ("0 0 */31 * mon#2", &[("*/31 * mon#2", "{} never comes: no day of month `*/31` is a day of week `mon#2`")]),
        ("0 0 */31 2 tue#4", &[("*/31 2 tue#4", "{} never comes: no day of month `*/31` is a day of week `tue#4`")]),
        (
            "70 0 30 2 *",
            &[("70", "minute `70` in {} is not within 0 to 59"), ("30 2", "{} never comes: February has no day 30")],
        ),
    ]);
}

#[test]
fn what_is_not_an_item_of_its_field_is_told_what_is() {
    const MINUTES: &str = "`*`, a number from 0 to 59, a range such as `0-29`, or a step such as `*/15`";
    const HOURS: &str = "`*`, a number from 0 to 23, a range such as `9-17`, or a step such as `*/2`";
    const DAYS_OF_MONTH: &str = "`*`, a number from 1 to 31, a range such as `1-7`, or `L` for the last day";
    const MONTHS: &str = "`*`, a name such as `jan`, a number from 1 to 12, or a range such as `jun-aug`";
    const DAYS_OF_WEEK: &str = "`*`, a name such as `mon`, a number from 0 to 7, a range such as `mon-fri`, or `mon#2`";
    for (text, token, items) in [
        ("-5 2 * * *", "-5", MINUTES),
        ("5- 2 * * *", "5-", MINUTES),
        ("1-2-3 2 * * *", "1-2-3", MINUTES),
        ("0 x * * *", "x", HOURS),
        ("0 + * * *", "+", HOURS),
        ("é 0 * * *", "é", MINUTES),
        ("*5 * * * *", "*5", MINUTES),
        ("** * * * *", "**", MINUTES),
        ("*-5 * * * *", "*-5", MINUTES),
        ("*/x * * * *", "*/x", MINUTES),
        ("*/ * * * *", "*/", MINUTES),
        ("/5 * * * *", "/5", MINUTES),
        ("*/5/2 * * * *", "*/5/2", MINUTES),
        ("*/-5 * * * *", "*/-5", MINUTES),
        ("*/+5 * * * *", "*/+5", MINUTES),
        ("0 0 * * mon#", "mon#", DAYS_OF_WEEK),
        ("0 0 * * #2", "#2", DAYS_OF_WEEK),
        ("0 0 * * mon-fri#2", "mon-fri#2", DAYS_OF_WEEK),
        ("? * * * *", "?", MINUTES),
        ("0 0 x * *", "x", DAYS_OF_MONTH),
        ("0 0 1-L * *", "1-L", DAYS_OF_MONTH),
        ("0 0 * jan- *", "jan-", MONTHS),
        ("0 0 * 1.5 *", "1.5", MONTHS),
    ] {
        let errors = Pattern::parse(text).expect_err(text);
        let [error] = errors.iter().as_slice() else { panic!("{text}: {errors}") };
        assert_eq!(&text[error.span()], token, "{text}");
        let expected = format!(" `{token}` in {text:?} is not valid, expected {items}");
        assert!(error.message().ends_with(&expected), "{text}: {error}");
    }
}

#[test]
fn a_text_that_is_too_long_is_cut_in_its_message() {
    let text = "é,".repeat(400);
    let errors = Pattern::parse(&text).unwrap_err();
    let begin = "é,".repeat(20);
    assert_eq!(errors.to_string(), format!("\"{begin}..\" has 1200 bytes, expected at most 1000"));
    let [error] = errors.iter().as_slice() else { panic!("{errors}") };
    assert_eq!(error.span(), 0..1_200);
}

#[test]
fn errors_are_joined() {
    let errors = "60 0 * 13 *".parse::<Pattern>().unwrap_err();
    assert_eq!(
        errors.to_string(),
        "minute `60` in \"60 0 * 13 *\" is not within 0 to 59; month `13` in \"60 0 * 13 *\" is not within 1 to 12"
    );
    let messages: Vec<String> = errors.into_iter().map(ToString::to_string).collect();
    assert_eq!(messages.join("; "), errors.to_string());
}

#[test]
fn a_step_needs_a_range_also_at_the_last_value() {
    for (text, write) in
        [("59/5 * * * *", "59-59/5"), ("0 0 * * 6/2", "6-6/2"), ("0 0 * * 7/2", "0-6/2"), ("5/5 * * * *", "5-59/5")]
    {
        let message = Pattern::parse(text).expect_err(text).to_string();
        assert!(message.ends_with(&format!("write `{write}`")), "{message}");
    }
}

#[test]
fn a_text_has_at_most_1000_bytes() {
    assert!(Pattern::parse(&format!("{:1000}", "0 2 * * *")).is_ok());
    let message = Pattern::parse(&format!("{:1001}", "0 2 * * *")).unwrap_err().to_string();
    assert!(message.ends_with("has 1001 bytes, expected at most 1000"), "{message}");
}
