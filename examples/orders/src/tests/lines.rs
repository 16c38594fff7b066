//! Checks that supervision is a small part of the service.

use std::fs;
use std::path::Path;

/// Lines that are neither empty nor comments, in the sources without tests: all, and those of supervision.
#[derive(Debug, Default)]
struct Lines {
    all: usize,
    supervision: usize,
}

/// Counts as supervision: the attributes of tasks, the call of `supervise!`, and each line that uses a context, a supervisor
/// or another item of taskvisor.
fn count(folder: &Path, lines: &mut Lines) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                count(&path, lines);
            }
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // The indentation of the construct that the line is in.
        let mut inside: Option<usize> = None;
        for line in text.lines() {
            let code = line.trim_start();
            if code.is_empty() || code.starts_with("//") || code.starts_with("--") {
                continue;
            }
            lines.all += 1;
            let indent = line.len() - code.len();
            let begins = code.starts_with("#[task(") || code.starts_with("supervise!(");
            let uses =
                ["ctx.", "ctx:", "taskvisor", "TaskSpec", "supervisor", "Overrides", "Fleet", "tree.", "TaskOutcome"];
            if begins || inside.is_some() || uses.iter().any(|word| code.contains(word)) {
                lines.supervision += 1;
            }
            let ends_here = code.ends_with(")]") || code.ends_with(')');
            match inside {
                None if begins && !ends_here => inside = Some(indent),
                Some(of) if of == indent => inside = None,
                _ => {}
            }
        }
    }
}

#[test]
fn at_most_a_tenth_of_the_service_is_supervision() {
    let mut lines = Lines::default();
    count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut lines);
    println!("{lines:?}");
    assert!(lines.supervision * 10 <= lines.all, "{lines:?}");
}
