//! What is told, and at which place, about inputs that are close to others with another message.

use super::ui::Program;

/// Each input, in place of `@` in the program, has the messages that stand beside it. A `^` in the input is the place of one,
/// in their order. A message that ends with `..` may go on.
fn assert_told(program: &str, cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        let marked = program.replacen('@', input, 1);
        let places = marked.match_indices('^').enumerate().map(|(before, (at, _))| at - before + 1);
        let source = marked.replace('^', "");
        let expected: Vec<_> = places.zip(expected.iter().copied()).collect();
        assert_eq!(expected.len(), input.matches('^').count(), "{input}");
        let told = Program::told(&source);
        let is_same = |((_, column, message), (place, expected)): (&(usize, usize, String), &(usize, &str))| {
            let is_said = expected.strip_suffix("..").map_or(message == expected, |start| message.starts_with(start));
            column == place && is_said
        };
        let are_same = told.len() == expected.len() && told.iter().zip(&expected).all(is_same);
        assert!(are_same, "{source}: {told:#?}, and not {expected:#?}");
    }
}

const NO_COMMA: &str = "a `,` is missing before this";

#[test]
fn m10_an_option_beside_an_entry_is_told_as_one() {
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("critical ^ping()", &[NO_COMMA]),
            ("critical ^task[ping {}]", &[NO_COMMA]),
            ("{} ^critical", &[NO_COMMA]),
            ("ping {} ^critical", &["`critical` is an option of an entry: write `task(ping { .. }, critical)`"]),
            ("ping {} ^after", &["`after` is an option of an entry: write `task(ping { .. }, after)`"]),
            ("a + ping {} ^after = [b]", &[NO_COMMA]),
        ],
    );
}

/// A `#[cfg(..)]` that is not heeded would be one that the user believes in.
#[test]
fn m10_an_attribute_in_another_place_is_told() {
    const OF_LABEL: &str = "an attribute of an entry stands before the label";
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("task(^#[cfg(a)] ping {}, critical)", &["an attribute of an entry stands before `task(..)`"]),
            ("alpha = ^#[cfg(a)] ping {}", &[OF_LABEL]),
            ("alpha = ^#[cfg(a)] (ping::spec())", &[OF_LABEL]),
            ("alpha = ^#[cfg(a)] task(ping {})", &[OF_LABEL]),
            ("alpha = ^#[inline] #[cfg(a)] group(tasks = [#[cfg(b)] ping {}])", &[OF_LABEL]),
            (
                "ping {}, task(pong {}, after = [^#[cfg(a)] ping])",
                &["an attribute stands before an entry: a name is left out with the entry that has it"],
            ),
            ("task(ping {}, timeout = ^#[cfg(a)] \"5s\")", &["no attribute can stand before the value of an option"]),
        ],
    );
    assert_told(
        "supervise!(@, tasks = []);",
        &[("grace = ^#[cfg(a)] \"5s\"", &["no attribute can stand before the value of a key"])],
    );
    assert_told(
        "supervise!(limits = [@], tasks = []);",
        &[
            ("limit(^#[cfg(a)] db, 3)", &["an attribute of a limit stands before `limit(..)`"]),
            ("limit(db, ^#[cfg(a)] 3)", &["an attribute of a limit stands before `limit(..)`"]),
        ],
    );
}

#[test]
fn m08_a_word_before_an_entry_and_its_label_are_two_mistakes() {
    const OF_MOVE: &str = "leave out `move`: an entry is `ping { .. }`";
    let told =
        |entry: &str| Program::told(&format!("supervise!(tasks = [{entry}]);")).into_iter().map(|(.., said)| said);
    for (entry, of_label) in [
        ("alpha == move ping {}", "a label has one `=` behind it: write `alpha = ping { .. }`"),
        ("alpha: move ping {}", "write `=` after `alpha`: `alpha = ..`"),
        ("alpha => move ping {}", "write `=` after `alpha`: `alpha = ..`"),
    ] {
        let mut said: Vec<_> = told(entry).collect();
        let mut expected = [of_label, OF_MOVE];
        said.sort();
        expected.sort_unstable();
        assert_eq!(said, expected, "{entry}");
    }
}

#[test]
fn m10_an_entry_among_the_options_of_a_group_is_told_as_one() {
    const OF_INNER: &str = "`inner` is no option: an entry stands in a list, as in `tasks = [inner = ..]`";
    assert_told(
        "supervise!(tasks = [store = group(@)]);",
        &[
            ("^inner = group(tasks = [ping {}])", &[OF_INNER]),
            ("^inner = ping {}, tasks = [pong {}]", &[OF_INNER]),
            ("^inner = task(ping {}, critical), strategy = one_for_all", &[OF_INNER]),
            ("^bakoff = ping {}", &["unknown option `bakoff`, did you mean `backoff`?"]),
            ("^inner = made()", &["unknown option `inner`, expected .."]),
        ],
    );
}

#[test]
fn m08_a_label_in_another_place_is_told_as_one() {
    const BEHIND: &str = "a label stands before its entry: write `alpha = ping { .. }`";
    const WITH_PARENTHESES: &str = "write `task(..)`, with parentheses";
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("ping {} ^@ alpha", &[BEHIND]),
            ("ping {} ^! alpha", &[NO_COMMA]),
            ("ping {} +^> alpha", &["expected an expression"]),
            ("task(ping {}) ^@ alpha", &["a label stands before its entry: write `alpha = task(..)`"]),
            ("made(a) ^@ alpha", &[NO_COMMA]),
            ("task[ping {}, critical] ^@ alpha", &[NO_COMMA]),
            ("alpha ^made(a)", &[NO_COMMA]),
            ("#[cfg(a)] ping {} ^@ alpha", &[BEHIND]),
            ("#[cfg(a)] #[cfg(b)] ping {} ^@ alpha", &[BEHIND]),
            ("&[a] ^ping {} @ alpha", &[NO_COMMA]),
            ("#[cfg(a)] ^move ping {}", &["leave out `move`: an entry is `ping { .. }`"]),
            ("#^(a) move ping {}", &["expected square brackets"]),
            ("a + new ^ping {}", &[NO_COMMA]),
            ("crate ^ping {}", &[NO_COMMA]),
            ("foo ^alpha = ping {}", &[NO_COMMA]),
            ("^task alpha = ping {}", &["leave out `task`: a label stands alone before the `=`"]),
            ("task ^alpha: ping {}", &[WITH_PARENTHESES]),
            ("task ^ping {} x", &[WITH_PARENTHESES]),
            ("alpha ^ping {} x", &[NO_COMMA]),
            ("group ^ping {}", &["a `=` or a `,` is missing before this: write `group = ping { .. }` for a label"]),
            ("alpha = made as Spec", &[]),
            ("alpha = ping {} ^as Spec", &["an entry has one label"]),
            ("^alpha + beta = ping {}", &["a label is a plain name, as in `label = ping { .. }`"]),
            // An operator of the user.
            ("alpha <= ping {}, alpha - ping {}", &[]),
        ],
    );
    assert_told("supervise!(subscribers = [@]);", &[("alpha ^log {}", &[NO_COMMA])]);
}

#[test]
fn m10_several_entries_in_one_are_told_where_they_are_no_expression() {
    const THEN: &str = "write `,` in place of `then`, between entries";
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("ping {} ^then pong {}", &[THEN]),
            ("ping {} ^or pong {}", &[NO_COMMA]),
            ("^{ping {}, pong {}}", &["leave out these braces: the entries stand side by side in the list"]),
            ("{ let map: Map<A, B> = made(); ping { map } }, pong {} ^then ping {}", &[THEN]),
            ("alpha = { let map: Map<A, B> = made(); ping { map } }, pong {} ^then ping {}", &[THEN]),
            ("made^[ping {}^, pong {}]", &["a list is no task: ..", "unexpected token, expected `]`"]),
            ("..all.map(|n| { count(total = n); ping {} })", &[]),
            ("..all.map(|n| { ^task(ping {}, timeout = n) })", &["options of what is spread are given by methods, .."]),
        ],
    );
}

#[test]
fn m10_the_list_of_a_map_is_shown_with_its_values() {
    assert_told(
        "supervise!(@);",
        &[
            ("limits = ^{ db: 3 }", &["`limits` is a list in brackets: write `limits = [limit(db, 3)]`"]),
            ("limits = ^{ db: many }", &["`limits` is a list in brackets: write `limits = [limit(db, 4)]`"]),
            (
                "slots = ^{ deploy: slot(capacity = 1) }",
                &["`slots` is a list in brackets: write `slots = [slot(deploy, capacity = 1)]`"],
            ),
            (
                "slots = ^{ deploy: slot { capacity: 1 } }",
                &["`slots` is a list in brackets: write `slots = [slot(deploy)]`"],
            ),
            ("limits = [limit ^db 4]", &["write `limit(..)`, with parentheses"]),
            ("slots = [slot ^db 4]", &["write `slot(..)`, with parentheses"]),
            ("slots = [slot ^db[capacity = 1]]", &["write `slot(..)`, with parentheses"]),
            ("slots = [a ^b]", &[NO_COMMA]),
        ],
    );
}

#[test]
fn m10_a_mark_that_is_missing_is_told_where_it_belongs() {
    assert_told(
        "supervise!(@);",
        &[
            ("a ^tasks { ping {} }", &[NO_COMMA]),
            ("tasks = [ping::^5 {}]", &["expected identifier"]),
            ("a ^limits { db: 3 }, tasks = []", &[NO_COMMA]),
        ],
    );
    assert_told(
        "#[task(@)] async fn ping() {}",
        &[("&[a] ^timeout \"5s\"", &[NO_COMMA]), ("&(a) ^timeout: \"5s\"", &[NO_COMMA])],
    );
}

#[test]
fn m20_a_group_in_other_words_is_told_as_one() {
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("^Group(tasks = [ping {}])", &["unknown `Group(..)`, did you mean `group(..)`?"]),
            ("^one_for_all(tasks = [ping {}])", &["`one_for_all` is the strategy of a group: .."]),
            ("^store(tasks = [ping {}])", &["the name of a group is its label: write `store = group(tasks = [..])`"]),
            ("alpha = ^store(tasks = [ping {}])", &["unknown `store(..)`: .."]),
            ("alpha = ^group[ping {}]", &["a group has its options in parentheses: write `group(tasks = [..])`"]),
            // These can be values of the user.
            ("alpha = list[ping {}], task[number], *shared, !flag, Group { size: 5 }", &[]),
        ],
    );
}

#[test]
fn m10_a_key_that_is_close_to_another_is_told_as_that() {
    const KEY: &str = "expected a key, for example `tasks = [..]`";
    const OPTION: &str = "expected an option, for example `restart = \"always\"`";
    assert_told(
        "supervise!(@);",
        &[
            ("^\"other\" = 5, tasks = []", &[KEY]),
            ("^made![ping {}], tasks = []", &[KEY]),
            ("^tasks += ping {}", &["a value is given by one `=`: write `tasks = [..]`"]),
            ("^grace == 5", &["a value is given by one `=`: write `grace = 5`"]),
            ("^m = 5", &["unknown key `m`, expected `tasks`, .."]),
            ("^ma = 5", &["unknown key `ma`, did you mean `max_concurrent` or `max_starting`?"]),
            (
                "limits = [limit(db, ^\"four\")]",
                &["the number of a limit is a whole one: write for example `limit(db, 4)`"],
            ),
            ("limits = [limit(db, ^\"4\")]", &["a number stands without quotes: write `limit(db, 4)`"]),
            ("slots = ^(slot(a, b = 5), slot(c, d = 6))", &["`slots` is a list: write `slots = [..]`"]),
            (
                "tasks = ^[ping {}; 3], grace^: \"5s\"",
                &["`tasks` is a list, and `;` repeats nothing: ..", "write `=` after `grace`: `grace = ..`"],
            ),
            ("slots = ^name = \"jobs\"", &["`slots` is a list: write `slots = [slot(jobs)]`"]),
            ("slots = ^size = \"jobs\"", &["`slots` is a list: write `slots = [..]`"]),
        ],
    );
    assert_told(
        "#[task(@)] async fn ping() {}",
        &[
            ("^[5]", &[OPTION]),
            ("^max-retries = 5", &["an option is one word, without quotes: write `max_retries = 5`"]),
            ("^max+retries = 5", &[OPTION]),
            ("^policy = \"one_for_all\"", &["unknown option `policy`: write `restart`"]),
        ],
    );
}

#[test]
fn m10_any_expression_can_be_a_subscriber() {
    const ALONE: &str = "a subscriber stands alone, as `log { .. }`: ..";
    assert_told(
        "supervise!(subscribers = [@]);",
        &[
            ("made() as Log, made().await, made()?, &made(), made().queue(5), ..others", &[]),
            ("if flag { log {} } else { other {} }", &[]),
            ("subscriber(value), task(value), group(value)", &[]),
            ("^subscriber(queue = 5), ^subscriber(log {})", &[ALONE, ALONE]),
            ("^task(log {})", &["`task(..)` stands in `tasks = [..]`, and a subscriber alone, as `log { .. }`"]),
        ],
    );
}

#[test]
fn m11_each_circle_of_entries_is_told_once() {
    let [all, both] = ["`a`, `b` and `c`", "`b` and `c`"]
        .map(|names| format!("{names} wait for each other: leave one of them out of the `after` of another"));
    assert_told(
        "supervise!(tasks = [@]);",
        &[
            ("task(a {}, after = [^b]), task(b {}, after = [^c]), task(c {}, after = [b, a])", &[&all, &both]),
            ("task(a {}, after = [^b]), task(b {}, after = [c]), task(c {}, after = [a])", &[&all]),
        ],
    );
}

#[test]
fn m10_what_was_meant_is_told_by_the_value() {
    const DURATION: &str = "`timeout` is a duration with a unit, in quotes: `timeout = \"1s\"` for seconds";
    const HALF: &str = "`timeout` is a duration with a unit, in quotes: `timeout = \"30s\"` for seconds";
    const OPTION: &str = "expected an option, for example `restart = \"always\"`";
    assert_told(
        "#[task(@)] async fn ping() {}",
        &[
            ("max_retries = 1,^50", &[OPTION]),
            ("max_retries = ^1,500", &["a number has no `,` in it: write `max_retries = 1500`"]),
            ("timeout = ^1,^5", &[DURATION, OPTION]),
            ("timeout = ^1,5s", &["a number has no `,` in it: write `timeout = \"1.5s\"`"]),
            ("^readiness_probe = \"ready\"", &["unknown option `readiness_probe`: write `ready`"]),
            ("^restart_policy = \"always\"", &["unknown option `restart_policy`: write `restart`"]),
            ("timeout = ^60 - 30", &[HALF]),
            ("timeout = ^60 / 2", &[HALF]),
            ("timeout = ^([5])", &["`timeout` is a duration: write for example `timeout = \"10s\"`"]),
            ("name = ^[\"a\"; 2]", &["`name` is a string: write `name = \"a\"`"]),
            ("max_retries = ^Some(5)", &["`max_retries` is a number: write `max_retries = 5`, without `Some`"]),
            ("max_retries = ^Some(5, 6)", &["`max_retries` is a whole number: write for example `max_retries = 5`"]),
            ("timeout = made(5)", &[]),
            ("limit(^9, \"30s\", 7)", &["a limit has names: write `limit(max_restarts = 5, within = \"60s\")`"]),
            ("cron = \"0 2 * * *\", restart = always, missed = skip, late = \"60s\"", &[]),
            ("^policy = \"skip\"", &["unknown option `policy`: write `missed = \"skip\"`"]),
        ],
    );
}

#[test]
fn m14_what_the_compiler_reports_is_told_once() {
    for item in [
        "#[subscriber] async fn listen(event) {}",
        "#[subscriber] unsafe async fn listen(event: &Event) {}",
        "#[supervisor] pub unsafe async fn app() -> App { supervise!(tasks = [ping {}]) }",
    ] {
        assert_told(item, &[("", &[])]);
    }
}

#[test]
fn m24_a_tree_in_other_words_or_one_of_several_is_told() {
    const NO_MACRO: &str = "the tree is made by a macro: write `supervise!(..)`";
    assert_told(
        "#[supervisor] fn app() -> App { @ }",
        &[
            ("if a { ^supervise(tasks = [ping {}]) }", &[NO_MACRO]),
            ("let a = 1; ^supervise(tasks = [ping {}])", &[NO_MACRO]),
            ("let a = 1; ^supervisor!(tasks = [ping {}])", &[NO_MACRO]),
            (
                "match a { 0 => ^a::supervise!(tasks = []), 1 => f(supervise!(tasks = []), 2), _ => supervise!(tasks = []) }",
                &["a function under `#[supervisor]` has one tree: .."],
            ),
            ("f(^App::new()); supervise!(tasks = [])", &["`App` is made here, as the type of `supervise!(..)`: .."]),
            ("f(App::make()); supervise!(tasks = [])", &[]),
        ],
    );
}
