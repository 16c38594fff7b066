//! What was refused is in the expansion as far as it was meant, so that the compiler does not report its uses as well.

use proc_macro2::{Delimiter, Group, TokenStream};

use super::messages;

/// Returns the errors, and the names of the handles in the expansion.
fn expand(input: &str) -> (usize, Vec<String>) {
    let expanded = crate::supervise::expand(input.parse().unwrap());
    let text = expanded.to_string();
    let fields = text.split("pub ").skip(1).filter_map(|rest| rest.split_once(" :"));
    (messages(&expanded).len(), fields.map(|(name, _)| name.to_owned()).collect())
}

#[test]
fn m10_entries_in_a_refused_list_have_handles() {
    for (input, handles) in [
        ("[ping {}]", "ping"),
        ("ping {}", "ping"),
        ("\"tasks\" = [ping {}]", "ping"),
        ("\"children\" = ping {}", "ping"),
        ("tasks == [ping {}]", "ping"),
        ("tasks += ping {}", "ping"),
        ("tasks - [ping {}]", "ping"),
        ("task[ping {}]", "ping"),
        ("tasks![ping {}, fast]", "ping"),
        ("task(ping {}, critical)", "ping"),
        ("slot(db, capacity = 1)", "db"),
        ("slots = [slot db]", "db"),
        ("tasks = vec![ping {}]", "ping"),
        // Any other macro can give anything.
        ("tasks = made![ping {}]", ""),
        ("tasks = [ping {}; pong {}]", "ping pong"),
        ("tasks = (ping {}, pong {}, fast)", "ping pong"),
        ("tasks = ({ &[ping {}] })", "ping"),
        ("children = [ping {}, fast]", "ping fast"),
        ("alpha = task(ping {})", "alpha"),
        ("policy = ping {}", "policy"),
        ("graces = ping {}", ""),
        ("TASKS = [ping {}]", "ping"),
        ("group = [ping {}]", "ping"),
        ("slot = [slot(db)]", "db"),
        ("tasks = [alpha = group[ping {}]]", "ping alpha"),
        ("tasks = [alpha = group[5]]", "alpha"),
    ] {
        assert_eq!(expand(input), (1, handles.split_whitespace().map(str::to_owned).collect()), "{input}");
    }
    // The options are read as well, and a limit is declared.
    assert_eq!(expand("task(ping {}, timeout = 5)").0, 2);
    for declared in ["limit(db, 4)", "limits = [limit db 4]"] {
        assert_eq!(expand(&format!("{declared}, tasks = [task(ping {{}}, limit = db)]")).0, 1, "{declared}");
    }
}

#[test]
fn m10_a_refused_entry_has_the_handle_of_the_entry_in_it() {
    for (entry, handles) in [
        ("ping {}.await", "ping"),
        ("ping {}(5)", "ping"),
        ("critical(ping {})", "ping"),
        ("ping {}.with_timeout(time)", "ping"),
        ("&ping {}", "ping"),
        ("ping {}?", "ping"),
        ("(ping {}, critical)", "ping"),
        ("!ping {}", "ping"),
        ("if flag { ping {} }", "ping"),
        ("if flag { ping {}; }", ""),
        ("task(critical(ping {}))", "ping"),
        ("[ping {}, pong {}]", ""),
        ("task[ping {}]", "ping"),
        ("alpha = task[ping {}]", "alpha"),
        ("path::ping { client. }", "ping"),
        ("path::ping(client.)", ""),
        ("alpha = [ping {}, pong {}]", "ping pong alpha"),
    ] {
        let (errors, told) = expand(&format!("tasks = [{entry}]"));
        assert_eq!((errors, told.join(" ")), (1, handles.to_owned()), "{entry}");
    }
    // Another name was to be the label.
    assert_eq!(expand("tasks = [5 = critical(ping {})]"), (2, vec![]));
}

#[test]
fn m20_a_mended_entry_keeps_its_condition() {
    let expanded = crate::supervise::expand("tasks = [#[cfg(a)] move ping {}]".parse().unwrap()).to_string();
    assert!(expanded.contains("# [cfg (a)] pub ping :"), "{expanded}");
}

/// Expands the function with its attribute.
fn function(source: &str) -> String {
    let (attribute, item) = source.split_once(' ').unwrap();
    let item = item.parse().unwrap();
    match attribute {
        "#[task]" => crate::task::expand(TokenStream::new(), item),
        "#[subscriber]" => crate::subscriber::expand(TokenStream::new(), item),
        "#[supervisor]" => crate::supervisor::expand(TokenStream::new(), item),
        _ => panic!("{attribute}"),
    }
    .to_string()
}

#[test]
fn m14_a_function_that_awaits_is_kept_as_async() {
    for (body, is_async) in [
        ("a.await", true),
        ("if a { b.await }", true),
        ("f(async { a.await }, b.await)", true),
        ("async { a }; b.await", true),
        ("async { a }.await", true),
        ("async { a.await }", false),
        ("async move { a.await }", false),
        ("async move (a).await", false),
        ("a.b()", false),
        ("a + b", false),
        ("await(a)", false),
    ] {
        for qualifier in ["", "const "] {
            let expanded = function(&format!("#[task] {qualifier}fn ping() {{ {body} }}"));
            let (item, _) = expanded.split_once("struct ping").unwrap();
            assert_eq!(item.contains("async fn ping"), is_async, "{qualifier}{body}: {item}");
        }
    }
}

#[test]
fn m14_a_refused_pattern_is_bound_in_the_body_and_its_names_are_the_fields() {
    for (pattern, fields, is_moved) in [
        ("(a, b)", "a b", false),
        ("(a)", "a", false),
        ("&a", "a", false),
        ("Point { x, y: z }", "x z", false),
        ("Pair(a, b)", "a b", true),
        ("[a, b]", "a b", true),
        ("(Some(a))", "", true),
        ("&Some(a)", "", true),
        ("Point { x: Some(a) }", "a", true),
        ("(Some(a), b)", "a b", true),
        ("all @ Some(_)", "all", true),
        ("5", "", true),
    ] {
        let expanded = function(&format!("#[task] async fn ping({pattern}: Any) {{ body }}"));
        let told = expanded.split("pub ").skip(1).filter_map(|rest| rest.split_once(" :")).map(|(name, _)| name);
        let told: Vec<_> = told.take_while(|name| !name.contains("const")).collect();
        if !fields.is_empty() {
            assert_eq!(told.join(" "), fields, "{pattern}: {expanded}");
        }
        assert_eq!(expanded.contains("= argument0 else { loop { } } ; body }"), is_moved, "{pattern}: {expanded}");
    }
}

#[test]
fn m14_a_text_without_a_lifetime_is_kept_as_a_static_one() {
    let expanded = function("#[task] async fn ping(text: Cow<str>) {}");
    assert!(expanded.contains("pub text : Cow < 'static , str >"), "{expanded}");
}

#[test]
fn m14_a_placeholder_is_found_anywhere_in_a_type() {
    for ty in ["_", "[_; 3]", "(_)", "&_", "(u8, _)", "Vec<_>", "a::Vec<u8, _>"] {
        assert!(crate::function::is_inferred(&syn::parse_str(ty).unwrap()), "{ty}");
    }
    for ty in ["u8", "[u8; 3]", "(u8)", "&u8", "(u8, u8)", "Vec<u8>", "fn(u8)"] {
        assert!(!crate::function::is_inferred(&syn::parse_str(ty).unwrap()), "{ty}");
    }
    // As a macro of the user gives it.
    let group = Group::new(Delimiter::None, quote::quote!(_));
    assert!(crate::function::is_inferred(&syn::parse_quote!(#group)));
}

#[test]
fn m14_a_type_that_the_compiler_refuses_is_in_no_field() {
    for source in [
        "#[task] async fn ping(all: Vec<_>, other: u8) {}",
        "#[subscriber] async fn listen(event: &Event, all: Vec<_>, other: u8) {}",
    ] {
        let expanded = function(source);
        assert!(expanded.contains("pub other : u8") && expanded.contains("pub all : Any0"), "{expanded}");
    }
}

#[test]
fn m15_an_option_that_was_refused_is_not_checked_for_its_context() {
    for (watchdog, errors, is_checked) in [("\"5s\"", 0, true), ("5", 1, false), ("\"0s\"", 1, false)] {
        let input = format!("tasks = [task(ping {{}}, watchdog = {watchdog})]");
        let expanded = crate::supervise::expand(input.parse().unwrap());
        assert_eq!(messages(&expanded).len(), errors, "{watchdog}");
        assert_eq!(expanded.to_string().contains("check_context"), is_checked, "{watchdog}: {expanded}");
    }
}

#[test]
fn t5_a_lease_is_converted_and_given_to_the_task() {
    let expanded = crate::supervise::expand("tasks = [task(ping {}, singleton = lease)]".parse().unwrap()).to_string();
    assert!(expanded.contains(":: IntoSingleton :: into_singleton (lease)"), "{expanded}");
    assert!(expanded.contains(":: with_singleton ("), "{expanded}");
}

#[test]
fn m14_the_trees_of_a_refused_function_are_in_use() {
    let expanded = function(
        "#[supervisor] fn app() -> App { f(); match a { 0 => a::supervise!(tasks = []), _ => supervise!(tasks = [ping {}]) } }",
    );
    assert!(expanded.contains("0 => { let _ = a :: supervise ! (tasks = []) ;"), "{expanded}");
    let expanded = function("#[supervisor] fn app() -> App { f(App::new()); supervise!(tasks = [ping {}]) }");
    assert!(expanded.contains("pub ping :"), "{expanded}");
}

#[test]
fn m10_a_refused_subscriber_is_in_use() {
    for subscriber in ["alpha = log { value }", "log { value } as alpha", "subscriber(log { value })"] {
        let expanded = crate::supervise::expand(format!("subscribers = [{subscriber}]").parse().unwrap());
        assert_eq!(messages(&expanded).len(), 1, "{subscriber}");
        assert!(expanded.to_string().contains("into_subscriber (log { value })"), "{subscriber}: {expanded}");
    }
}
