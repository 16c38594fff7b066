use std::fs;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::messages;
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
        "fn f() { a / b } fn f() {}",
        "fn f() { \"\\\"{\"; } fn f() {}",
        "fn f() { if c == 'a'{'b: loop {}} } fn f() {}",
        "fn f() { r\"\\\"; } fn f() {}",
        "fn f() { r#\"{\"{\"#; } fn f() {}",
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
        "macro_rules! /* a */ both { () => { fn f() {} fn f() {} } }",
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

/// Expands each `#[task]` of the text, which is in a file of that name.
fn expand_in(file: &str, text: &str) -> Vec<TokenStream> {
    let path = std::env::temp_dir().join(format!("taskvisor-{}-{file}", std::process::id()));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    crate::twice::FILE.set(Some(path.clone()));
    let trees: Vec<TokenTree> = text.parse::<TokenStream>().unwrap().into_iter().collect();
    let is_end = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let items = trees.split_inclusive(is_end).map(|item| item.iter().skip(2).cloned().collect());
    let expanded = items.map(|item| crate::task::expand(TokenStream::new(), item)).collect();
    crate::twice::FILE.set(None);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    expanded
}

/// Whether each has its struct.
fn structs(expanded: &[TokenStream]) -> Vec<bool> {
    expanded.iter().map(|expanded| expanded.to_string().contains("struct")).collect()
}

#[test]
fn m07_only_the_second_function_of_a_name_in_a_scope_has_no_struct() {
    let twice = "#[task] async fn repeated() {}\n#[task] async fn repeated() {}";
    let expanded = expand_in("twice/a.rs", twice);
    assert_eq!(structs(&expanded), [true, false]);
    assert!(expanded[1].to_string().contains("async fn repeated ()"), "{}", expanded[1]);
    // The compiler can expand a function again, and there are other files.
    let again = "#[task] async fn again() {}";
    for file in ["again/a.rs", "again/a.rs", "again/b.rs"] {
        assert_eq!(structs(&expand_in(file, again)), [true], "{file}");
    }
    assert_eq!(
        structs(&expand_in("again/c.rs", "#[task] async fn again2() {}\n#[task] async fn again() {}")),
        [true; 2]
    );
}

#[test]
fn m14_the_main_of_a_program_is_told() {
    for (file, text, is_told) in [
        ("main/main.rs", "#[task] pub async fn main() {}", true),
        ("main/other.rs", "#[task] pub async fn main() {}", false),
        ("main/bin.rs", "#[task] async fn main() {}", true),
    ] {
        let told = messages(&expand_in(file, text)[0]);
        assert_eq!(told.iter().any(|told| told.starts_with("`main` runs the tree")), is_told, "{file}: {told:?}");
    }
}

#[test]
fn m14_a_self_outside_of_an_impl_is_not_in_the_expansion() {
    for (body, is_kept) in [("self.run().await", false), ("Self::run().await", false), ("run().await", true)] {
        let expanded = expand_in("stray/a.rs", &format!("#[task] async fn stray(&self) {{ {body} }}"))[0].to_string();
        assert_eq!(expanded.contains("async fn stray () { loop { } }"), !is_kept, "{expanded}");
        assert_eq!(expanded.contains("{ run () . await }"), is_kept, "{expanded}");
    }
}
