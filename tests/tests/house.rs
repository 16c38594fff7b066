//! The house: what the repository says of itself, where it can be read off the files.

use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 7] = [
    "taskvisor",
    "taskvisor-cli",
    "taskvisor-console",
    "taskvisor-macros",
    "taskvisor-parse",
    "taskvisor-postgres",
    "taskvisor-redis",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below the folder, each with that ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

fn sources() -> Vec<PathBuf> {
    let sources: Vec<_> = CRATES.iter().flat_map(|name| files(&root().join(name).join("src"), "rs")).collect();
    assert!(sources.len() > 300, "{}", sources.len());
    sources
}

/// "A folder has a `mod.rs` that says what lives there." A folder of one file's parts has that file beside it.
#[test]
fn each_folder_says_what_lives_there() {
    let mut folders: Vec<_> = sources().iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let of_parts = folder.with_extension("rs");
        let heads = [folder.join("mod.rs"), folder.join("lib.rs"), folder.join("main.rs"), of_parts];
        let head = heads.iter().find(|head| head.exists());
        let head = head.unwrap_or_else(|| panic!("{} has no file that says what lives there", folder.display()));
        let text = read(head);
        assert!(text.starts_with("//!") || text.contains("#![doc = include_str!"), "{}", head.display());
    }
}

/// Files that are one table, or one machine whose states belong together, are longer than the others.
const LONG: [&str; 7] = [
    "taskvisor/src/events/data.rs",
    "taskvisor/src/fleet/machine.rs",
    "taskvisor/src/policy/options.rs",
    "taskvisor/src/runtime/group/machine.rs",
    "taskvisor/src/runtime/task/machine.rs",
    "taskvisor-macros/src/lib.rs",
    "taskvisor-macros/src/options/table.rs",
];

/// "Files of 100 to 400 lines": none is longer, beside those above.
#[test]
fn no_file_is_too_long() {
    let long = sources().into_iter().filter(|file| !file.to_string_lossy().ends_with("_test.rs"));
    let long = long.filter(|file| !file.to_string_lossy().contains("/src/tests/"));
    let mut long: Vec<_> = long.filter(|file| read(file).lines().count() > 400).collect();
    long.sort_unstable();
    let mut known: Vec<_> = LONG.iter().map(|file| root().join(file)).collect();
    known.sort_unstable();
    assert_eq!(long, known);
}

/// "One note at each lock": what it guards, or the order in which it is taken.
#[test]
fn each_lock_has_a_note() {
    let (mut locks, mut bare) = (0, Vec::new());
    for file in sources().iter().filter(|file| !file.to_string_lossy().ends_with("_test.rs")) {
        let text = read(file);
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let is_code = !line.starts_with("//") && !line.contains("fn ") && !line.starts_with("let ");
            let is_lock = ["Mutex<", "RwLock<"]
                .iter()
                .any(|lock| [": ", "(", "<"].iter().any(|before| line.contains(&format!("{before}{lock}"))));
            if !(is_code && is_lock && !line.starts_with("note =")) {
                continue;
            }
            locks += 1;
            let before = lines[..number].iter().rev().find(|line| !line.starts_with("#["));
            if !before.is_some_and(|line| line.starts_with("//")) {
                bare.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "no note above {bare:#?}");
    assert!(locks > 40, "{locks}");
}

/// The table of words, and one spelling. What SEED.md names stays: `cancelled()` is a name.
#[test]
fn prose_has_the_words_of_the_house() {
    const NOT: [&str; 8] =
        ["told to stop", "told to cancel", "physically", "misdeed", "unwell", " minded", "whoever", "who is told"];
    let mut texts = sources();
    texts.extend(files(&root().join("taskvisor/src/guide"), "md"));
    texts.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut wrong = Vec::new();
    for file in texts {
        for (number, line) in read(&file).lines().enumerate() {
            let at = format!("{}:{}: {line}", file.display(), number + 1);
            let lower = line.to_lowercase();
            for word in NOT {
                if lower.contains(word) {
                    wrong.push(format!("`{word}` in {at}"));
                }
            }
            let is_prose = line.trim_start().starts_with("//") || file.extension().is_some_and(|ending| ending == "md");
            for (place, word) in lower.match_indices("cancelled").filter(|_| is_prose) {
                let around = |c: char| c.is_alphanumeric() || matches!(c, '_' | '(' | '`' | '.' | ':');
                let is_name = lower[..place].ends_with(around) || lower[place + word.len()..].starts_with(around);
                if !is_name {
                    wrong.push(format!("`cancelled` in {at}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// "The README is an introduction of at most 200 lines": with a first program of at most 25 lines and its output, why not
/// something else, when not to use it, what is guaranteed, and where to read on.
#[test]
fn the_readme_is_an_introduction() {
    let readme = read(&root().join("README.md"));
    assert!(readme.lines().count() <= 200, "{}", readme.lines().count());
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let program = blocks.next().expect("it has a program");
    assert!(program.contains("async fn main()"), "{program}");
    let lines = program.lines().skip(1).filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
    assert!(blocks.next().is_some_and(|output| output.contains("alpha: read 1")), "its output follows");
    assert!(readme.contains("cargo add taskvisor"));
    for title in [
        "## Why not `JoinSet`, `TaskTracker` or a loop with `select!`",
        "## When not to use it",
        "## What is guaranteed",
    ] {
        assert!(readme.contains(title), "{title}");
    }
    let after = readme.split("## What is guaranteed").nth(1).expect("it is there");
    assert!(after.trim_start().starts_with("| "), "a table");
    assert!(after.contains("taskvisor/src/guide/"), "where to read on");
}

/// The guide's table of states has each state of a task.
#[test]
fn the_guide_lists_each_state_of_a_task() {
    let source = read(&root().join("taskvisor/src/inspect/status.rs"));
    let states =
        source.split("pub enum TaskState").nth(1).and_then(|text| text.split('}').next()).expect("it is there");
    let states: Vec<_> = states.lines().filter_map(|line| Some(line.trim().split_once(" = \"")?.0)).collect();
    let guide = read(&root().join("taskvisor/src/guide/tasks.md"));
    let table = guide.split("| [`TaskState`] |").nth(1).and_then(|text| text.split("\n\n").next()).expect("a table");
    assert!(states.len() > 10, "{states:?}");
    for state in states {
        assert!(table.contains(&format!("\n| `{state}` | ")), "`{state}` is not in the table");
    }
}
