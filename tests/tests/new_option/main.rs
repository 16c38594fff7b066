//! A new option is one row in each of two tables, and touches few files.
//!
//! The test adds the option `badge = ".."` to a copy of the workspace by copying everything about `metric_label`. In
//! the copy it runs the tests of the macros, and the test that compares `#[task(badge = "..")]` with the setter.

// The modules that generate the record of the public API.
#[path = "../public_api/api.rs"]
mod api;
#[path = "../public_api/source.rs"]
mod source;
#[path = "../public_api/text.rs"]
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use api::public_api;
use source::Source;

/// The maximum number of files that a new option may touch.
const MOST: usize = 6;

const LIKE: &str = "metric_label";
const NEW: &str = "badge";

/// The copied packages, besides the one that runs the comparison.
const PACKAGES: [&str; 3] = ["taskvisor", "taskvisor-macros", "taskvisor-parse"];

const COMPARISON: &str = "ui-tests/pass/options.rs";

/// A package that runs the comparison.
const COMPARED: &str = r#"
[package]
name = "compared"
version = "0.0.0"
edition = "2024"

[[test]]
name = "options"
path = "../ui-tests/pass/options.rs"
harness = false

[dev-dependencies]
taskvisor = { workspace = true, features = ["fleet"] }
tokio = { workspace = true, features = ["full"] }
"#;

/// A copy of the workspace, which is kept between runs to reuse compiled code.
struct Copied {
    root: PathBuf,
    original: PathBuf,
    changed: Vec<&'static str>,
}

impl Copied {
    fn new() -> Self {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-option");
        let copied = Self { root, original, changed: Vec::new() };
        for package in PACKAGES {
            drop(fs::remove_dir_all(copied.root.join(package)));
            copied.folder(Path::new(package));
        }
        copied.folder(Path::new("ui-tests"));
        copied.file(Path::new("README.md"));
        copied.file(Path::new("CHANGELOG.md"));
        copied.file(Path::new("Cargo.lock"));
        let workspace = fs::read_to_string(copied.original.join("Cargo.toml")).unwrap();
        let lists = ["members", "exclude", "default-members"].map(|list| format!("{list} = "));
        let lines = workspace.lines().filter(|line| !lists.iter().any(|list| line.starts_with(list)));
        let members = "[workspace]\nmembers = [\"taskvisor\", \"taskvisor-macros\", \"compared\"]";
        let manifest = lines.collect::<Vec<_>>().join("\n").replacen("[workspace]", members, 1);
        copied.write("Cargo.toml", &manifest);
        copied.write("compared/Cargo.toml", COMPARED);
        copied
    }

    fn folder(&self, folder: &Path) {
        for entry in fs::read_dir(self.original.join(folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if self.original.join(&path).is_dir() { self.folder(&path) } else { self.file(&path) }
        }
    }

    /// Copies a file with its modification time, by which Cargo detects changes.
    fn file(&self, path: &Path) {
        let (from, to) = (self.original.join(path), self.root.join(path));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&from, &to).unwrap();
        let modified = from.metadata().unwrap().modified().unwrap();
        fs::File::options().write(true).open(&to).unwrap().set_modified(modified).unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn change(&mut self, path: &'static str, with: impl FnOnce(&str) -> String) {
        let before = self.read(path);
        let after = with(&before);
        assert_ne!(before, after, "{path}");
        self.write(path, &after);
        self.changed.push(path);
    }

    fn test(&self, arguments: &[&str]) {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--offline", "--quiet"])
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    }
}

/// Adds a second row after that of the copied option.
fn with_row(table: &str) -> String {
    let start = table.find(&format!("    {LIKE}: ")).expect("a row");
    let end = start + table[start..].find("\n    }\n").expect("the end of the row") + "\n    }\n".len();
    let row = &table[start..end];
    [&table[..end], "\n", &renamed(row), &table[end..]].concat()
}

/// Repeats each line about the copied option for the new one.
fn with_lines(text: &str) -> String {
    let lines = text.lines().flat_map(|line| {
        let again = line.contains(LIKE).then(|| renamed(line));
        [Some(line.to_owned()), again].into_iter().flatten()
    });
    lines.map(|line| line + "\n").collect()
}

fn renamed(text: &str) -> String {
    text.replace(LIKE, NEW)
}

#[test]
fn a_new_option_touches_at_most_six_files() {
    let mut copied = Copied::new();

    // The setter, and the option of the macros.
    copied.change("taskvisor/src/policy/options.rs", with_row);
    copied.change("taskvisor-macros/src/options/table.rs", with_row);
    // The test that compares the two.
    copied.change(COMPARISON, with_lines);
    // The example in the docs.
    let example = format!("{LIKE} = \"inbox\"");
    copied.change("taskvisor-macros/src/lib.rs", |docs| {
        docs.replacen(&example, &format!("{example}, {}", renamed(&example)), 1)
    });
    // The record of the API, and the changelog.
    let source = Source::load(&copied.root.join("taskvisor/src/lib.rs"), &|file| fs::read_to_string(file).ok());
    let api = public_api(&source, "taskvisor");
    copied.change("taskvisor/public-api.txt", |_| api.clone());
    copied
        .change("CHANGELOG.md", |log| log.replacen("### Added\n", "### Added\n\n- The option `badge` of tasks.\n", 1));
    assert!(copied.changed.len() <= MOST, "{:?}", copied.changed);

    assert!(api.contains("pub fn taskvisor::TaskSpec::badge(&self) -> Option<&str>\n"), "the getter");
    assert!(
        api.contains("pub fn taskvisor::TaskSpec::with_badge(self, label: impl Into<Arc<str>>) -> Self\n"),
        "the setter"
    );
    // A test that lists the options would have to list the new one, too.
    for file in fs::read_dir(copied.root.join("ui-tests/fail")).unwrap() {
        let file = file.unwrap().path();
        let lists = fs::read_to_string(&file).unwrap().contains(&format!("`{LIKE}`, "));
        assert!(!lists, "{} lists the options", file.display());
    }
    // These also check that the docs and the comparison cover the new option.
    copied.test(&["-p", "taskvisor-macros", "--lib", "--", "--skip", "fuzz"]);
    copied.test(&["-p", "compared"]);
}
