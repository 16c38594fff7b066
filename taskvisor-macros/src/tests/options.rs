use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use crate::argument::parse_list;
use crate::options::{Choice, Options, Place};
use crate::reader::{Given, Reader, Value};
use crate::suggest;

fn read(place: Place, tokens: TokenStream) -> (Options, Vec<String>) {
    let mut reader = Reader::default();
    let list = parse_list(tokens, &mut reader);
    let options = Options::parse(place, &list, &mut reader);
    options.check(place, &mut reader.errors);
    (options, reader.errors.messages())
}

fn known<T: Copy>(given: Option<&Given<T>>) -> Option<T> {
    given.and_then(Given::known).map(|(value, _)| *value)
}

#[test]
fn each_option_is_read() {
    let (options, errors) = read(
        Place::Attribute,
        quote!(
            name = "x",
            restart = "always",
            interval = "1s",
            initial_delay = "2s",
            timeout = "7s",
            stop_timeout = "4s",
            cleanup = "4500ms",
            final_attempt,
            readiness = false,
            metric_label = "label",
            start_timeout = "5s",
            ready = "signal",
            watchdog = "6s",
            critical,
            significant = false,
            blocking,
            retry_if = a::is_transient,
            max_retries = 5,
            backoff(first = "6s", max = "7s", factor = 8, jitter = "full", reset_after = "9s"),
            crate = "a::b",
        ),
    );
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(known(options.interval.as_ref()), Some(Duration::from_secs(1)));
    assert_eq!(known(options.initial_delay.as_ref()), Some(Duration::from_secs(2)));
    assert_eq!(known(options.timeout.as_ref()), Some(Duration::from_secs(7)));
    assert_eq!(known(options.stop_timeout.as_ref()), Some(Duration::from_secs(4)));
    assert_eq!(known(options.cleanup.as_ref()), Some(Duration::from_millis(4500)));
    assert_eq!(known(options.final_attempt.as_ref()), Some(true));
    assert_eq!(known(options.readiness.as_ref()), Some(false));
    assert!(options.metric_label.is_some_and(|label| label.known().is_some()));
    assert_eq!(known(options.start_timeout.as_ref()), Some(Duration::from_secs(5)));
    assert_eq!(known(options.watchdog.as_ref()), Some(Duration::from_secs(6)));
    assert_eq!(known(options.critical.as_ref()), Some(Choice::On));
    assert_eq!(known(options.significant.as_ref()), Some(false));
    assert_eq!(known(options.blocking.as_ref()), Some(Choice::On));
    assert!(options.retry_if.is_some_and(|path| path.known().is_some()));
    assert_eq!(known(options.max_retries.as_ref()), Some(5));
    let backoff = options.backoff.unwrap();
    assert_eq!(known(backoff.factor.as_ref()), Some(8.0));
    assert_eq!(known(backoff.reset_after.as_ref()), Some(Duration::from_secs(9)));
    assert!(options.krate.is_some_and(|path| path.segments.len() == 2));
}

#[test]
fn an_unknown_option_is_told_which_there_are() {
    let (_, errors) = read(Place::Attribute, quote!(frobnicate));
    let expected = suggest::list(Place::Attribute.names(), '`');
    assert_eq!(errors, [format!("unknown option `frobnicate`, expected {expected}")]);
    assert!(expected.starts_with("`restart`, `interval`, `every`, ") && expected.ends_with("`struct` or `crate`"));
}

#[test]
fn expressions_are_bound_in_written_order() {
    let mut reader = Reader::default();
    let tokens = quote!(timeout = a(), backoff(max = b()), stop_timeout = "1s", max_retries = c());
    let list = parse_list(tokens, &mut reader);
    let options = Options::parse(Place::Entry, &list, &mut reader);
    let bound: Vec<String> =
        reader.bindings.iter().map(|binding| quote::ToTokens::to_token_stream(&binding.expr).to_string()).collect();
    assert_eq!(bound, ["a ()", "b ()", "c ()"]);
    assert!(matches!(options.timeout.unwrap().value, Value::Bound(_)));
}

#[test]
fn all_errors_are_reported_at_once() {
    let (_, errors) = read(
        Place::Attribute,
        quote!(
            restrat = "always",
            timeout = 5,
            timeout = "1s",
            max_retries = -1,
            backoff(factor = 0.5),
            interval = "1s"
        ),
    );
    assert_eq!(errors.len(), 7, "{errors:#?}");
}

#[test]
fn a_value_that_was_refused_contradicts_nothing() {
    let (_, errors) = read(Place::Attribute, quote!(restart = "alwys", interval = "1s", every = "x"));
    assert_eq!(errors.len(), 4, "{errors:#?}");
    let (_, errors) = read(Place::Attribute, quote!(restart = "alwys", interval = "1s"));
    assert_eq!(errors, ["unknown `restart` \"alwys\", did you mean \"always\"?"]);
    let (_, errors) = read(Place::Attribute, quote!(backoff(first = "x", max = "1ms")));
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

#[test]
fn what_waits_for_success_is_not_always() {
    let always = quote!(restart = "always", significant, ready = "completed");
    let (_, errors) = read(Place::Attribute, always.clone());
    assert_eq!(errors.len(), 2, "{errors:#?}");
    for fine in [
        quote!(restart = "always", significant = false, ready = "signal"),
        quote!(restart = "alwys", significant),
        quote!(significant, ready = "completed"),
    ] {
        let (_, errors) = read(Place::Entry, fine);
        assert!(errors.iter().all(|error| error.starts_with("unknown")), "{errors:#?}");
    }
}

#[test]
fn what_is_asked_about_retries_is_a_function_and_there_are_some() {
    for (tokens, expected) in [
        (quote!(retry_if = is_transient), 0),
        (quote!(retry_if = <E as Transient>::is_transient, max_retries = 1), 0),
        (quote!(retry_if = is_transient, max_retries = RETRIES), 0),
        (quote!(retry_if = |error| true), 1),
        (quote!(retry_if = "is_transient"), 1),
        (quote!(retry_if = is_transient(x)), 1),
        (quote!(retry_if = 5), 1),
        (quote!(retry_if = a + b), 1),
        (quote!(retry_if = is_transient, restart = "never"), 1),
        (quote!(retry_if = is_transient, max_retries = 0), 1),
        (quote!(max_retries = 0), 0),
    ] {
        let text = tokens.to_string();
        let (_, errors) = read(Place::Attribute, tokens);
        assert_eq!(errors.len(), expected, "{text}: {errors:#?}");
        assert!(errors.iter().all(|error| error.contains("`retry_if`")), "{text}: {errors:#?}");
    }
}

#[test]
fn the_place_decides_what_there_is() {
    for (place, tokens) in [
        (Place::Entry, quote!(crate = "x")),
        (Place::Entry, quote!(blocking)),
        (Place::Entry, quote!(retry_if = x)),
        (Place::Defaults, quote!(blocking)),
        (Place::Defaults, quote!(retry_if = x)),
        (Place::Defaults, quote!(name = "x")),
        (Place::Defaults, quote!(every = "1s")),
        (Place::Defaults, quote!(initial_delay = "1s")),
        (Place::Defaults, quote!(critical)),
        (Place::Defaults, quote!(after = [x])),
        (Place::Attribute, quote!(after = [x])),
        (Place::Attribute, quote!(strategy = one_for_one)),
        (Place::Attribute, quote!(grace = "1s")),
    ] {
        let text = tokens.to_string();
        let (_, errors) = read(place, tokens);
        assert!(
            errors.len() == 1 && errors.iter().all(|error| error.contains("cannot be given here")),
            "{text}: {errors:?}"
        );
    }
    let (_, errors) = read(Place::Defaults, quote!(restart = "never", max_retries = 3, backoff()));
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_half_typed_list_is_one_error() {
    for tokens in [
        quote!(restart = ),
        quote!(restart "always"),
        quote!(restart = "always" timeout = "5s"),
        quote!(timeout = "5s", = ),
        quote!(timeout = "5s", backoff(first = , max = "1s")),
        quote!(, timeout = "5s"),
        quote!(timeout = a.),
    ] {
        let text = tokens.to_string();
        let (_, errors) = read(Place::Attribute, tokens);
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
    }
    let (options, _) = read(Place::Attribute, quote!(restart = , timeout = "5s"));
    assert_eq!(known(options.timeout.as_ref()), Some(Duration::from_secs(5)));
}
