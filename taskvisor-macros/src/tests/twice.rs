use crate::source::Source;

/// Whether both functions `f` of the text are in one scope.
fn is_one_scope(text: &str) -> bool {
    let mut places = text.match_indices("fn f").map(|(at, _)| at + 3);
    let (first, second) = (places.next().unwrap(), places.last().unwrap());
    let source = Source::of(text.to_owned());
    let [first, second] = [first, second].map(|place| source.scope(place));
    first.is_some() && first == second
}

#[test]
fn m07_braces_around_a_function_tell_its_scope() {
    for text in [
        "fn f() {} fn f() {}",
        "mod m { fn f() { if a { b[0] } } struct S; fn f(n: u8) {} }",
        "fn f() {}\r\n// }\r\nfn f() {}",
        "fn f() {} /* } /* } */ } */ fn f() {}",
        "fn f() { \"}\\\"}\"; '}'; '\\''; '\\u{7d}'; b'}'; } fn f() {}",
        "fn f() { r\"}\\\"; r#\"}\"}\"#; br##\"}\"#\"##; r#loop; } fn f() {}",
        "fn f<'a>(a: &'a str, b: &'static str) { 'é'; 'b: loop {} } fn f() {}",
        "fn f() { println!(\"{\"); } fn f() {}",
        "mod m { fn g() -> bool { !(a) } } fn f() {} fn f() {}",
    ] {
        assert!(is_one_scope(text), "{text}");
    }
    for text in [
        "mod a { fn f() {} } mod b { fn f() {} }",
        "fn f() {} mod b { fn f() {} }",
        "mod b { fn f() {} } fn f() {}",
        "fn f() { fn f() {} }",
        "if a { fn f() {} } else { fn f() {} }",
        // A macro can put each of them in a module.
        "each! { fn f() {} fn f() {} }",
        "each!(fn f() {} mod m { fn f() {} } fn f() {});",
        "macro_rules! both { () => { fn f() {} fn f() {} } }",
        "macro_rules! /* } */ both\n{ (a) => { fn f() {} } (b) => { fn f() {} } }",
    ] {
        assert!(!is_one_scope(text), "{text}");
    }
    // Brackets that do not match.
    assert_eq!(Source::of("} fn f() {}".to_owned()).scope(5), None);
    assert_eq!(Source::of("fn f() {} {".to_owned()).scope(3), None);
}

#[test]
fn m07_a_name_is_found_by_its_line_and_column() {
    let source = Source::of("\u{feff}fn f() {}\r\n    /* é */ fn r#g() {}".to_owned());
    assert_eq!(source.find("f", 1, 3), Some(3));
    assert_eq!(source.find("r#g", 2, 15), Some(27));
    for (name, line, column) in [("g", 1, 3), ("f", 2, 3), ("f", 3, 0), ("f", 0, 3), ("f", 1, 99)] {
        assert_eq!(source.find(name, line, column), None, "{name} {line} {column}");
    }
}
