use crate::twice::scope;

/// Whether both functions `f` of the text are in one scope.
fn is_one_scope(text: &str) -> bool {
    let mut places = text.match_indices("fn f").map(|(at, _)| at + 3);
    let (first, second) = (places.next().unwrap(), places.last().unwrap());
    let [first, second] = [first, second].map(|place| scope(text, place));
    first.is_some() && first == second
}

#[test]
fn m07_braces_around_a_function_tell_its_scope() {
    for text in [
        "fn f() {} fn f() {}",
        "mod m { fn f() { if a { b[0] } } struct S; fn f(n: u8) {} }",
        "\u{feff}fn f() {}\r\n// }\r\nfn f() {}",
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
    // Not a place of the text.
    assert_eq!(scope("\"fn f() {}\"", 4), None);
    assert_eq!(scope("} fn f() {}", 5), None);
    assert_eq!(scope("fn f() {}", 99), None);
}
