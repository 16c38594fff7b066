//! Compiles each case, compares the output of the compiler, and runs those that pass.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler version with the wording of `fail-rustc`.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn what_must_compile() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

#[test]
fn what_our_macros_refuse() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

#[test]
fn what_the_compiler_refuses() {
    if compiler().starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("fail-rustc/*.rs");
    } else {
        println!("skipped: written for {COMPILER}x");
    }
}

/// M10: what the compiler says names nothing internal, and says no one thing twice.
#[test]
fn m10_no_output_names_something_internal_or_says_one_thing_twice() {
    let internal = internal_names();
    for name in ["FunctionTask", "NamedTask", "refuse_context", "checked_name"] {
        assert!(internal.iter().any(|known| known == name), "`{name}` is not among the names that are looked for");
    }
    for (path, output) in outputs() {
        for line in output.lines().filter(|line| !is_code(line)) {
            assert!(!line.contains("__private") && !line.contains("macro_support"), "{}: {line}", path.display());
            let named = words(line).find(|word| internal.iter().any(|name| name == word));
            assert_eq!(named, None, "{}: {line}", path.display());
        }
        // The compiler checks the bound of an `async fn` also at the call and its `.await`.
        let mut said = errors(&output, path.ends_with("run_until.stderr"));
        assert!(!said.is_empty(), "{}: no error was found", path.display());
        let all = said.len();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), all, "{}: an error is there twice", path.display());
    }
}

/// Each id of the contract has a test that is named by it: a file here, a function, or for M30 to M33 a place of
/// `benches/editor`, which needs the crates of rust-analyzer.
#[test]
fn each_id_has_a_test_of_its_name() {
    let mut names: Vec<String> = Vec::new();
    for folder in ["pass", "fail", "fail-rustc", "tests", "../taskvisor-macros/src/tests"] {
        for path in files(folder, "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            let source = std::fs::read_to_string(&path).expect("it is text");
            let functions = source.split("fn ").skip(1).filter_map(|rest| words(rest).next().map(str::to_owned));
            names.extend(functions);
        }
    }
    let ids = (1..=16).chain(20..=25).chain([34]);
    for id in ids.map(|number| format!("m{number:02}")) {
        let is_named = |name: &String| name.split('_').any(|part| part == id);
        assert!(names.iter().any(is_named), "no test is named {id}");
    }
    let places = std::fs::read_to_string("../benches/editor/places.rs.txt").expect("it is text");
    let titles: Vec<_> = places.lines().filter(|line| line.starts_with("//- ") && line.ends_with(')')).collect();
    for id in 30..=33 {
        let name = format!("M{id}");
        assert!(titles.iter().any(|title| words(title).any(|word| word == name)), "no place is named {name}");
    }
    assert!(!names.iter().any(|name| name.split('_').any(|part| part == "m99")));
}

/// The files of a folder with that extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the tests run in their package");
    let mut files: Vec<_> = entries.map(|file| file.expect("it can be listed").path()).collect();
    files.retain(|path| path.extension().is_some_and(|other| other == extension));
    files.sort();
    files
}

/// What the compiler says of each case that must fail. There are no others in the workspace.
fn outputs() -> Vec<(PathBuf, String)> {
    let mut outputs = Vec::new();
    for folder in ["fail", "fail-rustc"] {
        let (cases, said) = (files(folder, "rs"), files(folder, "stderr"));
        let stems = |paths: &[PathBuf]| paths.iter().map(|path| path.with_extension("")).collect::<Vec<_>>();
        assert_eq!(stems(&cases), stems(&said), "each case has its output");
        outputs.extend(said.into_iter().map(|path| {
            let output = std::fs::read_to_string(&path).expect("it is text");
            (path, output)
        }));
    }
    assert_eq!(outputs.len(), count_outputs(Path::new("..")), "outputs that nobody checks");
    outputs
}

fn count_outputs(directory: &Path) -> usize {
    let entries =
        std::fs::read_dir(directory).expect("it can be listed").map(|entry| entry.expect("it is there").path());
    let count = |path: PathBuf| match path.file_name().and_then(|name| name.to_str()) {
        Some("target" | ".git" | "node_modules" | "wip") => 0,
        _ if path.is_dir() && !path.is_symlink() => count_outputs(&path),
        Some(name) => usize::from(name.ends_with(".stderr")),
        None => 0,
    };
    entries.map(count).sum()
}

/// The names that `macro_support` defines, and that no user sees elsewhere. A single plain word is no name.
fn internal_names() -> Vec<String> {
    let public = std::fs::read_to_string("../taskvisor/public-api.txt").expect("it is in the workspace");
    let mut names = Vec::new();
    for path in files("../taskvisor/src/macro_support", "rs") {
        let source = std::fs::read_to_string(path).expect("it is text");
        for line in source.lines().map(str::trim_start) {
            let mut parts = words(line).skip_while(|word| matches!(*word, "pub" | "const" | "async"));
            let is_item = line.starts_with("pub ") && matches!(parts.next(), Some("trait" | "struct" | "type" | "fn"));
            names.extend(parts.next().filter(|_| is_item).map(str::to_owned));
        }
    }
    names.retain(|name| name.contains('_') || name.chars().any(char::is_uppercase));
    names.retain(|name| !words(&public).any(|word| word == name) || name.starts_with("Function"));
    // Words of messages, such as the option `any_end`.
    names.retain(|name| name != "any_end" && !name.starts_with("words_of_"));
    names
}

/// The identifiers in a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Returns `true` for a line with code of the case.
fn is_code(line: &str) -> bool {
    line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
}

/// The errors in an output: message and place, which is a line where the message says what is wrong.
fn errors(output: &str, with_columns: bool) -> Vec<(&str, &str)> {
    let lines: Vec<&str> = output.lines().collect();
    let pairs = lines.iter().zip(lines.iter().skip(1));
    let errors = pairs.filter(|(message, place)| message.starts_with("error") && place.trim_start().starts_with("-->"));
    let place = |message: &str, place: &'_ str| -> usize {
        let is_general = with_columns || message.ends_with("mismatched types") || message.starts_with("error: ");
        if is_general { place.len() } else { place.rfind(':').unwrap_or(place.len()) }
    };
    errors.map(|(message, at)| (*message, &at[..place(message, at)])).collect()
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-V").output();
    let output = output.expect("the compiler that built this test is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
