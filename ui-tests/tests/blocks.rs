//! Clippy accepts the examples of the documentation: each code block becomes a program of a generated crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A part of a program may leave names and placeholders unused.
const HEAD: &str = "#![allow(dead_code, unused_variables)]\n";

const MANIFEST: &str = r#"
[package]
name = "blocks"
version = "0.0.0"
edition = "2024"

[dependencies]
async-trait = "*"
taskvisor = { path = "../../../taskvisor", features = [
    "anyhow", "controller", "fleet", "history", "logging", "metrics", "process", "serde", "systemd", "test-util", "tracing",
] }
tokio = { version = "1", features = ["full", "test-util"] }

[workspace]
"#;

/// Finds the sources under a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text of the doc comments in a source.
fn documentation(source: &str) -> String {
    let docs = |line: &str| {
        let line = line.trim_start();
        let docs = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        docs.map(|docs| docs.strip_prefix(' ').unwrap_or(docs).to_owned()).unwrap_or_default()
    };
    source.lines().map(docs).collect::<Vec<_>>().join("\n")
}

/// The code blocks that are compiled, including their hidden lines.
fn blocks(text: &str, is_readme: bool) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, Vec<&str>)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                let compiled = matches!((kind, is_readme), ("rust", _) | ("" | "no_run", false));
                open = Some((compiled, Vec::new()));
            }
            (Some(_), Some(_)) => {
                let (compiled, lines) = open.take().unwrap();
                if compiled {
                    blocks.push(program(&lines));
                }
            }
            (Some((_, lines)), None) if line.trim() == "#" => lines.push(""),
            (Some((_, lines)), None) => lines.push(line.trim_start().strip_prefix("# ").unwrap_or(line)),
            (None, None) => {}
        }
    }
    blocks
}

fn program(lines: &[&str]) -> String {
    let code = lines.join("\n");
    if code.contains("fn main()") { format!("{HEAD}{code}\n") } else { format!("{HEAD}fn main() {{\n{code}\n}}\n") }
}

#[test]
fn k5n_clippy_passes_what_the_documentation_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let home = root.join("target/tests/blocks");
    let _ = fs::remove_dir_all(home.join("src"));
    fs::create_dir_all(home.join("src/bin")).unwrap();
    fs::write(home.join("Cargo.toml"), MANIFEST).unwrap();
    // Uses the same versions of the dependencies.
    let _ = fs::copy(root.join("Cargo.lock"), home.join("Cargo.lock"));

    let mut files = Vec::new();
    sources(&root.join("taskvisor/src"), &mut files);
    files.push(root.join("taskvisor-macros/src/lib.rs"));
    let documented = files.iter().flat_map(|file| {
        let docs = documentation(&fs::read_to_string(file).unwrap());
        let name = file.strip_prefix(root).unwrap().with_extension("").display().to_string().replace(['/', '\\'], "-");
        blocks(&docs, false).into_iter().map(move |code| (name.clone(), code)).collect::<Vec<_>>()
    });
    let readme = blocks(&fs::read_to_string(root.join("README.md")).unwrap(), true);
    let all: Vec<_> = readme.into_iter().map(|code| ("readme".to_owned(), code)).chain(documented).collect();
    assert!(all.len() > 40, "{} blocks were found", all.len());
    for (number, (name, code)) in all.iter().enumerate() {
        fs::write(home.join(format!("src/bin/{name}-{number}.rs")), code).unwrap();
    }

    let clippy = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--offline", "--keep-going", "--bins", "--", "-D", "warnings"])
        .env("CARGO_TARGET_DIR", home.join("target"))
        .current_dir(&home)
        .output()
        .unwrap();
    assert!(clippy.status.success(), "{}", String::from_utf8_lossy(&clippy.stderr));
}
