//! What is told about the lists of the macros, and what is not.

use std::str::FromStr;

use proc_macro2::TokenStream;

use super::messages;

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap()
}

fn options(list: &str) -> Vec<String> {
    messages(&crate::task::expand(tokens(list), tokens("async fn ping() {}")))
}

fn expand_tree(input: &str) -> (String, Vec<String>) {
    let expanded = crate::supervise::expand(tokens(input));
    (expanded.to_string(), messages(&expanded))
}

fn tree(input: &str) -> Vec<String> {
    expand_tree(input).1
}

/// Whether this is the value of a local, as it is or converted.
fn is_bound(expanded: &str, value: &str) -> bool {
    expanded.contains(&format!("= {value} ;")) || expanded.contains(&format!("({value})"))
}

/// Each input has these errors, and no others. A message that ends with `..` may go on.
fn assert_told(read: fn(&str) -> Vec<String>, cases: &[(&str, &[&str])]) {
    for (input, expected) in cases {
        let told = read(input);
        let is_same = |(told, expected): (&String, &&str)| match expected.strip_suffix("..") {
            Some(start) => told.starts_with(start),
            None => told == expected,
        };
        let are_same = told.len() == expected.len() && told.iter().zip(*expected).all(is_same);
        assert!(are_same, "{input}: {told:#?}, and not {expected:#?}");
    }
}

#[test]
fn one_mistake_in_a_list_is_one_error() {
    assert_told(
        options,
        &[
            ("timeout = ?", &["expected an expression"]),
            ("timeout value", &["a `,` is missing before this"]),
            ("name = a b", &["a `,` is missing before this"]),
            ("backoff = a b", &["a `,` is missing before this"]),
            ("restart = always(interval = \"5s\", 5)", &["`always` takes no list: write `restart = always`"]),
            ("max_retries = !5", &[]),
            ("cron = &PATTERN, timeout: \"1s\", restart = always", &["write `=` after `timeout`: `timeout = ..`"]),
            ("cron = &*PATTERN, timeout: \"1s\", restart = always", &["write `=` after `timeout`: `timeout = ..`"]),
            ("cron = *PATTERN, timeout: \"1s\", restart = always", &["write `=` after `timeout`: `timeout = ..`"]),
            ("restart = always, cron = \"0 2 * * *\" timeout = \"1s\"", &["a `,` is missing before this"]),
            (
                "restart = always, cron = 5, timeout: \"1s\"",
                &["write `=` after `timeout`: `timeout = ..`", "`cron` is a string: write `cron = \"30 2 * * *\"`"],
            ),
            ("#[inline] timeout = \"1s\"", &["no attribute can stand before an option"]),
            ("ping {}", &["expected an option, for example `restart = \"always\"`"]),
            ("limit = a, limit = b", &["`limit` is given twice, keep one", "`limit` is first given here"]),
            ("limit = a, limit(max_restarts = 5, within = \"60s\")", &[]),
            (
                "timeout = \"1s\", timeout(\"2s\")",
                &["`timeout` is given twice, keep one", "`timeout` is first given here"],
            ),
        ],
    );
    assert_told(
        tree,
        &[
            ("tasks = [generic::<A, B>(1), half { client: cl. }, pong {}]", &["a name is missing after the `.`"]),
            ("tasks [ping {}, half { client: cl }]", &["write `=` after `tasks`: `tasks = ..`"]),
            ("tasks [ping {}]", &["write `=` after `tasks`: `tasks = ..`"]),
            ("unknown [ping {}]", &["expected a key, for example `tasks = [..]`"]),
            ("unknown [ping {}, pong {}]", &["unexpected token, expected `]`", "unknown key `unknown`, expected .."]),
            ("tasks = [one after [two, three]]", &["a `,` is missing before this"]),
            ("tasks = [one + after [two, three]]", &["unexpected token, expected `]`"]),
            (
                "tasks (ping {}, half { client: cl. })",
                &["a name is missing after the `.`", "`tasks` is a list in brackets: write `tasks = [..]`"],
            ),
            ("= 5, tasks = []", &["a name is missing before this `=`"]),
            ("async, tasks = []", &["`async` is a keyword, and stands for nothing here"]),
            (
                "tasks = [ping { timeout = \"5s\" }]",
                &["an argument stands in the braces, as `timeout: ..`, and an option beside them: .."],
            ),
            ("tasks = [group store, ping {}]", &["write `group(..)`, with parentheses"]),
            ("fleet = a b, tasks = []", &["a `,` is missing before this"]),
            ("config = a b, tasks = []", &["a `,` is missing before this"]),
            ("overrides = a b, tasks = []", &["a `,` is missing before this"]),
            ("signals = a b, tasks = []", &["a `,` is missing before this"]),
            ("strategy = make(5), tasks = []", &[]),
            ("tasks = [struct = ping {}]", &["`struct` is a keyword: write `r#struct`, or another name"]),
        ],
    );
}

/// The compiler would report that there is no such field.
#[test]
fn m08_an_option_in_the_braces_is_not_in_the_expansion() {
    for (field, mended, stays) in [
        ("timeout = \"5s\"", "timeout : \"5s\"", false),
        ("timeout = 5", "timeout : 5", true),
        ("name = \"a\"", "name : \"a\"", true),
        ("size = \"5\"", "size : \"5\"", true),
    ] {
        let (expanded, errors) = expand_tree(&format!("tasks = [ping {{ {field}, other: 1 }}]"));
        assert_eq!((errors.len(), expanded.contains(mended)), (1, stays), "{field}: {errors:?} {expanded}");
        assert!(expanded.contains("other : 1"), "{field}: {expanded}");
    }
}

/// The function of a list with an unread value has its struct, and nothing that the compiler refuses once more.
#[test]
fn an_unread_value_is_not_in_the_expansion() {
    let expanded = crate::task::expand(tokens("name = a b, backoff = c d"), tokens("async fn ping() {}")).to_string();
    assert!(expanded.contains("struct ping") && !expanded.contains("a b") && !expanded.contains("c d"), "{expanded}");
    let (expanded, _) = expand_tree("tasks = [store = group(made(a b))]");
    assert!(!expanded.contains("a b"), "{expanded}");
    let (expanded, _) = expand_tree("tasks = [store = group(made, [ping {}])]");
    assert!(!expanded.contains("ping"), "{expanded}");
    for key in ["config", "fleet", "overrides", "signals", "controller"] {
        let (expanded, _) = expand_tree(&format!("{key} = a b, tasks = []"));
        assert!(!expanded.contains("a b"), "{key}: {expanded}");
        let (expanded, errors) = expand_tree(&format!("{key} = a, tasks = []"));
        assert!(errors.is_empty() && is_bound(&expanded, "a"), "{key}: {errors:?} {expanded}");
    }
}

#[test]
fn a_word_of_another_library_is_told_ours_or_where_ours_stands() {
    assert_told(
        options,
        &[
            ("backoff(multiplier = 2.0)", &["unknown `backoff` field `multiplier`: write `factor`"]),
            (
                "backoff(retries = 3)",
                &[
                    "unknown `backoff` field `retries`: the word is `max_retries`, which cannot be given here: it is an \
                   option of its own, beside `backoff(..)`",
                ],
            ),
            ("limit(window = \"60s\", max_restarts = 5)", &["unknown limit `window`: write `within`"]),
        ],
    );
    assert_told(
        tree,
        &[
            ("slots = [slot(jobs, queue = 5)]", &["unknown slot option `queue`: write `capacity`"]),
            // Not `max_concurrent`, which a slot has for another purpose.
            ("slots = [slot(jobs, parallelism = 4)]", &["unknown slot option `parallelism`: write `concurrency`"]),
        ],
    );
}

#[test]
fn what_is_no_list_in_brackets_is_told_how_to_be_one() {
    assert_told(
        tree,
        &[
            ("tasks = vec![ping {}]", &["`tasks` is a list in brackets: write `tasks = [..]`, without `vec!`"]),
            ("tasks = made![ping {}]", &["`tasks` is a list: write `tasks = [..]`"]),
            (
                "tasks = made()",
                &["`tasks` is a list: write `tasks = [..]`, with `..` before an expression that is an iterator"],
            ),
            (
                "tasks = made",
                &["`tasks` is a list: write `tasks = [..made]` for all of an iterator, or `tasks = [made]` for one"],
            ),
            ("tasks = [task(ping {}, after = vec![store])]", &["`after` is a list: write `after = [..]`"]),
            ("tasks = [task(ping {}, after = made())]", &["`after` is a list: write `after = [..]`"]),
            ("tasks = [task(ping {}, after = store)]", &["`after` is a list: write `after = [store]`"]),
        ],
    );
}

#[test]
fn limits_of_one_name_collide_where_both_are_there() {
    let (expanded, errors) = expand_tree("limits = [#[cfg(a)] limit(db, 1), #[cfg(b)] limit(db, 2)], tasks = []");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(expanded.contains("# [cfg (a)] # [cfg (b)] :: core :: compile_error !"), "{expanded}");
    assert!(expanded.contains("# [cfg (b)] # [cfg (not (all (all (a))))] let builder"), "{expanded}");
}

#[test]
fn the_parts_of_a_tree_are_declared() {
    for (input, part) in [
        ("limits = [limit(db, 2)], tasks = []", ". with_named_limit (\"db\" , 2usize)"),
        ("slots = [slot(jobs, capacity = 5)], tasks = []", ":: SlotSpec :: new (\"jobs\") . with_capacity (5usize)"),
        (
            "slots = [slot(jobs, fleet = flag)], fleet = f, tasks = []",
            "if value0 { slot . with_fleet () } else { slot }",
        ),
        ("fleet = f, tasks = []", ". with_fleet ("),
        ("max_starting = 8, tasks = []", "max_starting"),
        ("tasks = [store = group(max_starting = 3, tasks = [])]", ". with_max_starting (3usize)"),
        ("tasks = [store = group(max_concurrent = 3, tasks = [])]", ". with_max_concurrent (3usize)"),
        ("strategy = chosen, tasks = []", "value0"),
        ("tasks = [store = group(strategy = chosen, tasks = [])]", ":: Group :: new (\"store\" , value0)"),
        ("tasks = [store = group(strategy = one_for_all, tasks = [])]", "(\"store\" , __tv :: Strategy :: OneForAll)"),
        ("config = c, tasks = []", "; let declared = { { let config = value0 ;"),
        ("#[cfg(a)] config = c, tasks = []", ":: default () ; # [cfg (a)] let config = value0 ;"),
        ("tasks = [a = group(tasks = [b = group(tasks = [ping {}])])]", "let group1 = "),
        ("tasks = [path::half { client: cl. }]", "pub half :"),
        ("#[cfg(a)] tasks = [store = group(tasks = [ping {}])]", "# [cfg (a)] pub store"),
    ] {
        let (expanded, _) = expand_tree(input);
        assert!(expanded.contains(part), "{input}: {expanded}");
    }
}

#[test]
fn a_task_is_told_from_what_is_none() {
    assert_told(
        tree,
        &[
            // Calls of the user.
            ("tasks = [made().with_timeout(five)]", &[]),
            ("tasks = [ping {}.with_name(\"x\")]", &[]),
            ("tasks = [ping {}.anything()]", &[]),
            ("tasks = [&made]", &[]),
            ("tasks = [made()?]", &[]),
            ("tasks = [made().await]", &[]),
            ("tasks = [made!()]", &[]),
            ("tasks = [made[0]]", &[]),
            ("tasks = [limit(1)]", &["a limit with a name stands in `limits = [..]`, and not among the tasks"]),
            // Mistakes.
            (
                "tasks = [ping {}.with_timeout(five)]",
                &["an option of an entry stands in `task(..)`: write `task(ping { .. }, timeout = ..)`"],
            ),
            ("tasks = [&ping {}]", &["the tree takes a task by value: leave out the `&`"]),
            ("tasks = [ping {}?]", &["a task is no result: leave out the `?`"]),
            ("tasks = [group![ping {}]]", &["`group` is no macro: write `group(..)`, without `!`"]),
            ("tasks = [group[ping {}]]", &["a group has its options in parentheses: write `group(tasks = [..])`"]),
        ],
    );
}

#[test]
fn the_name_in_a_group_is_its_label() {
    assert_told(
        tree,
        &[
            (
                "tasks = [group(cache, [ping {}])]",
                &["the name of a group is its label: write `cache = group(tasks = [..])`"],
            ),
            ("tasks = [store = group(made, critical = false)]", &[]),
            ("tasks = [store = group(made, [ping {}])]", &["the members of a group stand in `tasks = [..]`"]),
            ("tasks = [store = group(ping {})]", &["the members of a group stand in `tasks = [..]`"]),
            // The name of an option of tasks is no group.
            (
                "tasks = [store = group(watchdog)]",
                &["`watchdog` cannot be given here: each task has its own, in `#[task(..)]` or `task(..)`"],
            ),
            ("tasks = [group(made)]", &["a group needs a label, which is its name: write `label = group(..)`"]),
        ],
    );
}

#[test]
fn fields_like_options_are_checked_by_the_compiler() {
    let checks = |entry: &str| expand_tree(&format!("tasks = [{entry}]")).0.matches(":: check_argument (").count();
    for (entry, count) in [
        ("ping { timeout: \"5s\" }", 1),
        ("ping { after: [store] }", 1),
        ("ping { restart: always, timeout: \"5s\" }", 2),
        // A value that no option has, the name of no option, a variable of that name, and a type of the user.
        ("ping { timeout: five() }", 0),
        ("ping { number: 5 }", 0),
        ("ping { timeout }", 0),
        ("Ping { timeout: \"5s\" }", 0),
        ("ping::<A> { timeout: \"5s\" }", 0),
        ("<A as B>::ping { timeout: \"5s\" }", 0),
        ("<A>::ping { timeout: \"5s\" }", 0),
    ] {
        assert_eq!(checks(entry), count, "{entry}");
    }
    let (expanded, _) = expand_tree("tasks = [a::ping { timeout: \"5s\" }]");
    assert!(expanded.contains("| entry : a :: ping | (& entry) . taskvisor_name ()"), "{expanded}");
}

#[test]
fn groups_of_one_name_have_numbered_structs() {
    let input = "tasks = [a = group(tasks = [b_c = group(tasks = [ping {}])]), a_b = group(tasks = [c = group(tasks = [ping {}])]), \
                 a_b_c = group(tasks = [ping {}])]";
    let (expanded, errors) = expand_tree(input);
    assert!(errors.is_empty(), "{errors:?}");
    for name in ["TasksOfABC", "TasksOfABC2", "TasksOfABC3"] {
        assert!(expanded.contains(&format!("struct {name} {{")), "{name}: {expanded}");
    }
}

#[test]
fn k2_debounce_max_can_be_as_long_as_debounce() {
    let slot = |debounce: &str, most: &str| {
        let given = format!("admission = latest, debounce = \"{debounce}\", debounce_max = \"{most}\"");
        tree(&format!("slots = [slot(jobs, {given})], tasks = []"))
    };
    assert_eq!(slot("1s", "1s"), Vec::<String>::new());
    assert_eq!(slot("1s", "999ms"), ["`debounce_max` must be at least `debounce`, which is 1s"]);
    assert_told(
        tree,
        &[
            ("slots = [slot(crate)], tasks = []", &["a keyword cannot be the name of a slot.."]),
            ("slots = [slot(a::jobs)], tasks = []", &["the name of a slot is a bare name, as in `slot(deploy)`.."]),
        ],
    );
}

#[test]
fn a_limit_of_a_strategy_has_names() {
    assert_told(
        tree,
        &[
            (
                "strategy = one_for_all(5, \"60s\"), tasks = []",
                &["a limit has names: write `one_for_all(max_restarts = 5, within = \"60s\")`"],
            ),
            (
                "strategy = Strategy::OneForAll(max_restarts = 5), tasks = []",
                &["a limit stands after the word: write `strategy = one_for_all(max_restarts = 5, within = \"60s\")`"],
            ),
            ("strategy = OneForAll(made), tasks = []", &[]),
            (
                "strategy = one_for_all(), tasks = []",
                &["a limit is missing: write `one_for_all(max_restarts = 5, within = \"60s\")`, or `one_for_all`"],
            ),
        ],
    );
}

#[test]
fn an_argument_in_an_option_is_told_and_left_out() {
    for (option, instead) in [
        ("timeout = number", ":: core :: time :: Duration :: ZERO"),
        ("max_retries = number", "0"),
        ("backoff(factor = number)", "1.0"),
        ("readiness = number", "false"),
        ("metric_label = number", "\"\""),
        ("backoff = (number).policy()", ":: core :: unreachable ! ()"),
    ] {
        let expanded = crate::task::expand(tokens(option), tokens("async fn ping(number: u8) {}"));
        let errors = messages(&expanded);
        assert!(errors.len() == 1 && errors[0].contains("cannot see the argument `number`"), "{option}: {errors:?}");
        assert!(is_bound(&expanded.to_string(), instead), "{option}: {expanded}");
    }
    for option in ["timeout = other.number", "timeout = number::limit()", "timeout = number!()", "timeout = a::number"]
    {
        let expanded = crate::task::expand(tokens(option), tokens("async fn ping(number: u8) {}"));
        assert_eq!(messages(&expanded), Vec::<String>::new(), "{option}");
    }
}

#[test]
fn a_function_that_returns_a_future_is_told_its_output() {
    let told = |output: &str| {
        let item = format!("fn ping(number: u8) -> {output} {{}}");
        messages(&crate::task::expand(TokenStream::new(), tokens(&item)))
    };
    for (output, instead) in [
        ("impl Future<Output = u8>", "write `async fn ping(..) -> u8`"),
        ("Pin<Box<dyn Future<Output = Result<(), E>> + Send>>", "write `async fn ping(..) -> Result<(), E>`"),
        ("impl Into<(Box<dyn Future<Output = u8>>)>", "write `async fn ping(..) -> u8`"),
        ("Future<u8>", "write `async fn ping`"),
        ("Output", "write `async fn ping`"),
    ] {
        let errors = told(output);
        assert!(errors.len() == 1 && errors[0].contains(instead), "{output}: {errors:?}");
    }
}

#[test]
fn a_refused_context_is_no_field_and_the_next_argument_is() {
    let item = "async fn ping(number: u8, ctx: &TaskContext, text: &str) {}";
    let expanded = crate::task::expand(TokenStream::new(), tokens(item)).to_string();
    assert!(expanded.contains("pub number : u8") && expanded.contains("pub text :"), "{expanded}");
    assert!(!expanded.contains("pub ctx"), "{expanded}");
    let of_token = "`watchdog` needs a `TaskContext`, to call its `heartbeat()`: take it in place of the `CancellationToken`, \
                    which is its `token()`";
    let of_none = "`watchdog` needs a `TaskContext`, to call its `heartbeat()`: make it the first argument";
    for (arguments, message) in [("token: CancellationToken", of_token), ("number: u8", of_none), ("", of_none)] {
        let expanded =
            crate::task::expand(tokens("watchdog = \"1s\""), tokens(&format!("async fn ping({arguments}) {{}}")));
        assert_eq!(messages(&expanded), [message], "{arguments}");
    }
}

#[test]
fn the_struct_has_the_name_that_is_given() {
    let expanded = crate::task::expand(tokens("struct = PingTask"), tokens("async fn ping() {}")).to_string();
    assert!(expanded.contains("struct PingTask") && !expanded.contains("struct ping"), "{expanded}");
}
