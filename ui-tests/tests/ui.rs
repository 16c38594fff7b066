//! Compiles each case, compares the output of the compiler, and runs those that pass.

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

/// M10: what the compiler says names nothing internal, and nothing twice at one place.
#[test]
fn m10_no_output_names_something_internal_or_says_one_thing_twice() {
    let mut read = 0;
    for folder in ["fail", "fail-rustc"] {
        for file in std::fs::read_dir(folder).expect("the tests run in their package") {
            let path = file.expect("it can be listed").path();
            if path.extension().is_none_or(|extension| extension != "stderr") {
                continue;
            }
            read += 1;
            let output = std::fs::read_to_string(&path).expect("it is text");
            assert!(!output.contains("__private") && !output.contains("macro_support"), "{}", path.display());
            let lines: Vec<&str> = output.lines().collect();
            let pairs = lines.iter().zip(lines.iter().skip(1));
            let is_error = |(message, place): &(&&str, &&str)| {
                message.starts_with("error") && place.trim_start().starts_with("-->")
            };
            let mut said: Vec<_> = pairs.filter(is_error).collect();
            let all = said.len();
            said.sort_unstable();
            said.dedup();
            assert_eq!(said.len(), all, "{}: an error is there twice", path.display());
        }
    }
    assert!(read > 20, "{read}");
}

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-V").output();
    let output = output.expect("the compiler that built this test is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
