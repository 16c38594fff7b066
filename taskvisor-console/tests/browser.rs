//! Says that the page is tested elsewhere.

use std::io::Write as _;
use std::path::Path;

/// No test of the workspace needs a browser. What the page does in one, `browser/run.sh` tests, which installs it.
#[test]
fn the_page_in_a_browser_is_tested_by_a_script() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let script = std::fs::read_to_string(folder.join("run.sh")).expect("the script");
    assert!(script.contains("tests/*.test.js"), "{script}");
    assert!(folder.join("tests/states.test.js").exists());
    let text = "SKIPPED, and so not tested: the page in a browser. To run it: taskvisor-console/browser/run.sh";
    let _ = writeln!(std::io::stderr(), "\n{text}");
}
