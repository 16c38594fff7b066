//! Each check, at the edge of what it refuses.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};

use super::messages;
use crate::argument::parse_list;
use crate::options::{Options, Place};
use crate::reader::Reader;

fn tokens(text: &str) -> TokenStream {
    TokenStream::from_str(text).unwrap()
}

/// The expansion and the errors of a function under `#[task(..)]`.
fn task(options: &str, item: &str) -> (String, Vec<String>) {
    let expanded = crate::task::expand(tokens(options), tokens(item));
    (expanded.to_string(), messages(&expanded))
}

fn options(list: &str) -> Vec<String> {
    task(list, "async fn ping() {}").1
}

fn tree(input: &str) -> Vec<String> {
    messages(&crate::supervise::expand(tokens(input)))
}

/// What `macro_rules!` makes of a fragment.
fn fragment(text: &str) -> TokenStream {
    TokenTree::Group(Group::new(Delimiter::None, tokens(text))).into()
}

#[test]
fn the_last_valid_value_is_no_error_and_the_next_one_is() {
    for (valid, invalid) in [
        ("backoff(factor = 1.0)", "backoff(factor = 0.99)"),
        ("restart = always, cron = \"@daily\", late = \"1s\"", "restart = always, cron = \"@daily\", late = \"999ms\""),
        ("backoff(first = \"1s\", max = \"1s\")", "backoff(first = \"1001ms\", max = \"1s\")"),
        (&format!("singleton = {:?}", "x".repeat(512)), &format!("singleton = {:?}", "x".repeat(513))),
    ] {
        assert_eq!(options(valid), Vec::<String>::new(), "{valid}");
        assert_eq!(options(invalid).len(), 1, "{invalid}: {:?}", options(invalid));
    }
}

/// To write it as `"0s"` would be refused next.
#[test]
fn m10_a_zero_without_a_unit_is_refused_as_one_with_a_unit_is() {
    let of_tasks = [
        "timeout = 0",
        "restart = \"always\", every = 0",
        "watchdog = 0",
        "start_timeout = 0, ready = \"signal\"",
        "backoff(reset_after = 0)",
        "limit(max_restarts = 5, within = 0)",
        #[cfg(feature = "cron")]
        "restart = \"always\", cron = \"@daily\", late = 0",
    ];
    let of_task = |list: &str| task(list, "async fn ping(ctx: TaskContext) {}").1;
    let of_slot = |slot: &str| tree(&format!("slots = [slot({slot})]"));
    let check = |list: &str, errors: &dyn Fn(&str) -> Vec<String>| {
        for zero in ["0", "0u64", "0.0", "\"0\"", "\"0.0\"", "\"0 s\"", "\"00:00\"", "\"PT0S\""] {
            let found = errors(&list.replace("= 0", &format!("= {zero}")));
            assert!(found.len() == 1 && found[0].contains("must be longer than zero: "), "{list}: {zero}: {found:?}");
            assert!(found[0].ends_with("= \"10s\"`"), "{found:?}");
        }
        assert_eq!(errors(&list.replace("= 0", "= \"10s\"")), Vec::<String>::new(), "{list}");
    };
    for list in of_tasks {
        check(list, &of_task);
    }
    check("db, admission = \"latest\", debounce = 0", &of_slot);
    // Others can be zero.
    assert!(options("initial_delay = 0")[0].contains("initial_delay = \"0s\""));
}

/// A `Self` of an item inside of the body is none of the type around the function.
#[test]
fn m24_only_the_self_of_the_type_around_is_refused() {
    for (body, is_refused) in [
        ("Self::run()", true),
        ("spawn(1).then(Self::run)", true),
        ("struct Inner; Self::run()", true),
        ("impl Inner { fn new() -> Self { Self } } Self::run()", true),
        ("impl Inner { fn new() -> Self { Self } }", false),
        ("impl From<(u8, u8)> for Inner { fn from(_: (u8, u8)) -> Self { Self } }", false),
        ("impl<T: Copy> From<T> for Inner { fn from(_: T) -> Self { Self } }", false),
        ("trait Named { fn named(&self) -> Self; }", false),
        ("enum One { Of(Box<Self>) }", false),
        ("union One { of: *const Self }", false),
        ("stringify!(Self)", false),
        ("stringify!(Inner)(Self::run)", true),
        ("macro_rules! make { () => { Self } }", false),
        ("!(Self::is_on())", false),
    ] {
        let (_, errors) = task("", &format!("async fn ping() {{ {body} }}"));
        assert_eq!(!errors.is_empty(), is_refused, "{body}: {errors:?}");
    }
}

#[test]
fn only_an_attribute_with_the_path_of_a_runtime_starts_one() {
    for (attribute, is_refused) in
        [("tokio::main", true), ("tokio::test", true), ("test", false), ("main", false), ("tracing::instrument", false)]
    {
        let (_, errors) = task("", &format!("#[{attribute}] async fn ping() {{}}"));
        assert_eq!(!errors.is_empty(), is_refused, "{attribute}: {errors:?}");
    }
}

#[test]
fn what_is_no_function_is_told_and_a_broken_function_has_the_error_of_the_parser() {
    let (_, errors) = task("", "struct Ping { number: u8 }");
    assert_eq!(errors, ["`#[task]` stands on an `async fn`"]);
    let (_, errors) = task("", "async fn ping();");
    assert!(errors.len() == 1 && !errors[0].contains("stands on"), "{errors:?}");
    // The compiler has told these before.
    for function in [
        "async fn ping(number) {}",
        "async fn ping(n: u8 = 5) {}",
        "fn ping(n: u8, self) {}",
        "unsafe async fn ping() {}",
    ] {
        assert_eq!(task("", function).1, [""; 0], "{function}");
    }
}

/// A borrow is found at each place of a type, also if the type comes from `macro_rules!`.
#[test]
fn a_borrow_is_found_anywhere_in_a_type() {
    for ty in [
        "&u8",
        "[&u8; 2]",
        "(&u8)",
        "*const &u8",
        "Box<[&u8]>",
        "(u8, &u8)",
        "Vec<&u8>",
        "Box<dyn Iterator<Item = &u8>>",
        "Box<dyn Named<&u8>>",
        "Box<dyn Named + '_>",
        "Text<'_>",
        "&'static &u8",
        "Cow<'static, &u8>",
    ] {
        let (_, errors) = task("", &format!("async fn ping(value: {ty}) {{}}"));
        assert!(errors.len() == 1 && errors[0].contains("a task owns its arguments"), "{ty}: {errors:?}");
        let ty = fragment(ty);
        let expanded = crate::task::expand(TokenStream::new(), quote!(async fn ping(value: #ty) {}));
        assert_eq!(messages(&expanded), errors, "{ty} of a macro");
    }
    for ty in
        ["[u8; 2]", "(u8)", "*const u8", "fn(&u8) -> &u8", "Box<dyn Fn(&u8)>", "&'static str", "Cow<'static, str>"]
    {
        assert_eq!(task("", &format!("async fn ping(value: {ty}) {{}}")).1, Vec::<String>::new(), "{ty}");
    }
}

#[test]
fn a_type_without_a_size_is_told() {
    for (ty, instead) in [("[u8]", "`Vec<u8>`"), ("dyn Named", "`Arc<dyn Trait + Send + Sync>`"), ("str", "`String`")] {
        let (_, errors) = task("", &format!("async fn ping(value: {ty}) {{}}"));
        assert!(errors.len() == 1 && errors[0].contains(instead), "{ty}: {errors:?}");
    }
}

/// The compiler would report the types of the function once more.
#[test]
fn the_types_of_a_refused_function_are_accepted() {
    for (ty, accepted) in [
        ("[u8]", "& 'static ([u8])"),
        ("dyn Named", "& 'static (dyn Named)"),
        ("str", "& 'static (str)"),
        ("(str)", "(& 'static (str))"),
        ("Cow<str>", "Cow < 'static , str >"),
        ("(a::Cow<str>)", "(a :: Cow < 'static , str >)"),
        ("Cow<'a, str>", "Cow < 'a , str >"),
        ("Text<u8>", "Text < u8 >"),
        ("a::str", "a :: str"),
        ("u8", "u8"),
    ] {
        let (expanded, _) = task("unknown", &format!("async fn ping(value: {ty}) {{}}"));
        assert!(expanded.contains(&format!("async fn ping (value : {accepted})")), "{ty}: {expanded}");
        let ty = fragment(ty);
        let expanded = crate::task::expand(tokens("unknown"), quote!(async fn ping(value: #ty) {})).to_string();
        assert!(expanded.contains(&format!("async fn ping (value : {accepted})")), "{ty} of a macro: {expanded}");
    }
}

/// The compiler reports the name.
#[test]
fn a_function_with_two_arguments_of_one_name_has_no_working_task() {
    let (once, twice) =
        ("async fn ping(event: &Event, a: u8, b: u8) {}", "async fn ping(event: &Event, a: u8, a: u8) {}");
    for (item, is_working) in [(once, true), (twice, false)] {
        let expanded = crate::subscriber::expand(TokenStream::new(), tokens(item));
        assert_eq!((messages(&expanded), runs(&expanded.to_string())), (Vec::new(), is_working), "{item}: {expanded}");
        let item = item.replace("event: &Event, ", "");
        let (expanded, errors) = task("", &item);
        assert_eq!((errors, runs(&expanded)), (Vec::new(), is_working), "{item}: {expanded}");
    }
}

/// Whether the struct in an expansion calls the function, which is there as well.
fn runs(expanded: &str) -> bool {
    expanded.matches("ping (").count() > 1
}

#[test]
fn the_context_is_found_in_parentheses_and_in_a_fragment() {
    for ty in [tokens("TaskContext"), tokens("(TaskContext)"), fragment("a::TaskContext"), fragment("(TaskContext)")] {
        let item = quote!(async fn ping(ctx: #ty, number: u8) {});
        let expanded = crate::task::expand(TokenStream::new(), item);
        assert_eq!(messages(&expanded), Vec::<String>::new(), "{ty}");
        assert!(!expanded.to_string().contains("pub ctx"), "{ty}");
    }
}

#[test]
fn the_struct_of_a_generic_function_names_none_of_its_generics() {
    let (expanded, errors) = task("", "async fn ping<T>(one: T, two: Vec<T>) {}");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(expanded.contains("struct ping < Any0 , Any1 > { pub one : Any0 , pub two : Any1 }"), "{expanded}");
}

#[test]
fn the_generated_items_have_what_stands_at_the_function() {
    let item = "#[deprecated = \"old\"] async fn r#loop(/** What. */ number: u8) {}";
    let (expanded, errors) = task("", item);
    assert_eq!(errors, Vec::<String>::new());
    assert!(expanded.contains(":: debug (f , \"loop\")"), "{expanded}");
    assert!(expanded.contains("str = \"loop\""), "{expanded}");
    assert_eq!(expanded.matches("# [deprecated = \"old\"]").count(), 2, "{expanded}");
    assert!(expanded.contains("# [allow (deprecated)]"), "{expanded}");
    // On the field, and not on the argument, where the compiler refuses it.
    assert_eq!(expanded.matches("What.").count(), 1, "{expanded}");
    assert!(expanded.contains("(number : u8)"), "{expanded}");
}

#[test]
fn the_name_of_a_task_can_be_a_constant() {
    let (expanded, errors) = task("name = NAME", "async fn ping() {}");
    assert_eq!(errors, Vec::<String>::new());
    assert!(expanded.contains("= NAME ;") && expanded.contains(":: checked_name (CONSTANT)"), "{expanded}");
    assert!(expanded.contains("Self :: NAME"), "{expanded}");
    let (expanded, _) = task("name = \"pong\"", "async fn ping() {}");
    assert!(expanded.contains("str = \"pong\"") && !expanded.contains("CONSTANT"), "{expanded}");
}

#[test]
fn the_maker_of_a_fresh_group_in_quotes_is_told() {
    for (value, message) in [
        ("\"make\"", "`fresh` is a function, without quotes: write `fresh = make`"),
        ("\"two words\"", "`fresh` is a function that makes the tasks of the group: write for example `fresh = make`"),
        ("\"\"", "`fresh` is a function that makes the tasks of the group: write for example `fresh = make`"),
        ("5", "`fresh` is a function that makes the tasks of the group: write for example `fresh = make`"),
    ] {
        assert_eq!(tree(&format!("tasks = [store = group(fresh = {value})]")), [message], "{value}");
    }
    assert_eq!(tree("tasks = [store = group(fresh = make!())]"), Vec::<String>::new());
}

#[test]
fn the_path_to_taskvisor_is_a_plain_one() {
    let message = "`crate` is a path: write for example `crate = \"my_crate::taskvisor\"`";
    for path in ["<A as B>::taskvisor", "\"a b\"", "5"] {
        assert_eq!(options(&format!("crate = {path}")), [message], "{path}");
    }
    assert_eq!(options("crate = a::b"), Vec::<String>::new());
}

#[test]
fn the_name_of_a_limit_is_a_plain_one() {
    for (value, part) in [
        ("\"db\"", "is a bare name, without quotes: write `limit = db`"),
        ("\"two words\"", "is the name of a limit"),
        ("a::db", "is the bare name of a limit"),
        ("<A>::db", "is the bare name of a limit"),
        ("5", "write `limits = [limit(db, 5)]`"),
        ("(max_restarts = 5, within = \"60s\")", "without `=`: write `limit(max_restarts = 5, within = \"60s\")`"),
        ("{ max_restarts = 5; }", "without `=`: write `limit(max_restarts = 5, within = \"60s\")`"),
    ] {
        let errors = options(&format!("limit = {value}"));
        assert!(errors.len() == 1 && errors[0].contains(part), "{value}: {errors:?}");
    }
}

#[test]
fn a_group_that_is_incomplete_may_have_the_key_that_is_missing() {
    let missing = "`start_timeout` of a group is how long `fresh` may take: write `fresh = make` beside it, or \
                   `start_timeout` at the tasks";
    assert_eq!(tree("tasks = [store = group(start_timeout = \"1s\", tasks = [])]"), [missing]);
    let errors = tree("tasks = [store = group(start_timeout = \"1s\", fresh x)]");
    assert!(!errors.is_empty() && !errors.iter().any(|error| error == missing), "{errors:?}");
}

/// The attributes of an entry, in each form that an entry can have.
#[test]
fn each_form_of_an_entry_can_be_conditional() {
    for entry in [
        "ping {}",
        "ping::spec()",
        "ping {}.with_name(\"x\")",
        "label = ping {}",
        "label = task(ping {})",
        "store = group(tasks = [ping {}])",
        "spec",
        "made.spec",
        "make!()",
        "{ make() }",
        "if true { one() } else { two() }",
        "match x { _ => one() }",
    ] {
        for entry in [tokens(entry), fragment(entry)] {
            let expanded = crate::supervise::expand(quote!(tasks = [#[cfg(some)] #entry]));
            assert_eq!(messages(&expanded), Vec::<String>::new(), "{entry}");
            let expanded = expanded.to_string();
            assert!(expanded.contains("# [cfg (some)] let value0"), "{entry}: {expanded}");
            assert!(!expanded.contains("(# [cfg") && !expanded.contains("= # [cfg"), "{entry}: {expanded}");
            let errors = messages(&crate::supervise::expand(quote!(tasks = [#[inline] #entry])));
            assert_eq!(errors, ["only `#[cfg(..)]` and doc comments can stand before an entry"], "{entry}");
        }
    }
    for refused in ["\"ping\"", "[ping {}]"] {
        let entry = tokens(refused);
        let errors = messages(&crate::supervise::expand(quote!(tasks = [#[inline] #entry])));
        assert_eq!(errors.len(), 2, "{refused}: {errors:?}");
    }
}

#[test]
fn each_option_is_told_in_the_docs_of_the_struct() {
    for (list, lines) in [
        ("timeout = \"90s\", stop_timeout = make()", "- `timeout`: 1m30s\n- `stop_timeout`: computed"),
        ("max_retries = 3", "- `max_retries`: 3"),
        ("metric_label = \"x\"", "- `metric_label`: `x`"),
        ("final_attempt, readiness = false", "- `final_attempt`: true\n- `readiness`: false"),
        ("critical", "- `critical`: true"),
        ("critical = false", "- `critical`: false"),
        ("critical = any_end", "- `critical`: any_end"),
        ("blocking = \"pool\"", "- `blocking`: pool"),
        ("restart = never", "- `restart`: never"),
        ("restart = policy()", "- `restart`: computed"),
        ("ready = signal", "- `ready`: signal"),
        ("span = none", "- `span`: none"),
        ("retry_if = a::b", "- `retry_if`: `a::b`"),
        ("limit = db", "- `limit`: `db`"),
        (
            "limit = db, limit(max_restarts = 5, within = \"60s\")",
            "- `limit`: `db`\n- `limit.max_restarts`: 5\n- `limit.within`: 1m",
        ),
        (
            "backoff(first = \"1s\", max = \"2s\", factor = 2.5, jitter = full, reset_after = \"3s\")",
            "- `backoff.first`: 1s\n- `backoff.max`: 2s\n- `backoff.factor`: 2.5\n- `backoff.jitter`: full\n- \
             `backoff.reset_after`: 3s",
        ),
        ("backoff = make()", "- `backoff`: computed"),
        (
            "restart = always, cron = \"0 2 * * *\", zone = \"Europe/Berlin\", missed = once, late = \"1h\"",
            "- `restart`: always\n- `cron`: `0 2 * * *`\n- `zone`: `Europe/Berlin`\n- `missed`: once\n- `late`: 1h",
        ),
        ("singleton", "- `singleton`: true"),
        ("singleton = false", "- `singleton`: false"),
        ("singleton = \"ledger\"", "- `singleton`: `ledger`"),
        ("singleton, standby = not_ready", "- `singleton`: true\n- `standby`: not_ready"),
    ] {
        let mut reader = Reader::default();
        let read = parse_list(tokens(list), &mut reader);
        let options = Options::parse(Place::Attribute, &read, &mut reader);
        assert_eq!(reader.errors.messages(), Vec::<String>::new(), "{list}");
        let title = "How it is supervised (the rest is inherited from the supervisor):\n\n";
        assert_eq!(options.describe(), format!("{title}{lines}"), "{list}");
    }
    let mut reader = Reader::default();
    let read = parse_list(tokens("last_run = saved"), &mut reader);
    let options = Options::parse(Place::Entry, &read, &mut reader);
    assert!(options.describe().ends_with("\n\n- `last_run`: computed"), "{}", options.describe());
    assert_eq!(Options::default().describe(), "How it is supervised is inherited from the supervisor.");
}

#[test]
fn each_option_becomes_the_call_of_its_setter() {
    for (list, calls) in [
        ("timeout = \"90s\"", ".with_timeout(p::Duration::from_secs(90))"),
        ("timeout = None", ".with_timeout(::core::time::Duration::ZERO)"),
        ("timeout = NEVER", ".with_timeout(value0)"),
        ("stop_timeout = NONE", ".with_stop_timeout(value0)"),
        ("metric_label = \"x\"", ".with_metric_label(\"x\")"),
        ("span = none", ".with_span(p::SpanScope::None)"),
        ("span = attempt", ".with_span(p::SpanScope::Attempt)"),
        ("limit = db", ".with_named_limit(\"db\")"),
        ("cron = \"@daily\"", ".with_cron(\"@daily\")"),
        ("zone = \"UTC\"", ".with_zone(<p::Arc<p::str>asp::From<_>>::from(\"UTC\"))"),
        ("missed = skip", ".with_missed(p::Missed::Skip)"),
        ("last_run = saved", ".with_last_run(value0)"),
        ("readiness = false", ".without_readiness()"),
        ("paused", ".with_paused(true)"),
        ("singleton", ".with_singleton()"),
        ("singleton = false", ".without_singleton()"),
        ("singleton = \"k\"", ".with_singleton_key(\"k\")"),
    ] {
        let mut reader = Reader::default();
        let read = parse_list(tokens(list), &mut reader);
        let options = Options::parse(Place::Entry, &read, &mut reader);
        assert_eq!(reader.errors.messages(), Vec::<String>::new(), "{list}");
        let expanded = options.of_task(quote!(s), &quote!(p)).to_token_stream().to_string().replace(' ', "");
        assert_eq!(expanded, format!("s{calls}"), "{list}");
    }
}
