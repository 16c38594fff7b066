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

fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-V").output();
    let output = output.expect("the compiler that built this test is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
