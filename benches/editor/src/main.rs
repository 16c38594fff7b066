//! Asks rust-analyzer what an editor shows at marked places in the macros, and prints a table.
//!
//! `places.rs.txt` has the places. Run it with `benches/editor.sh`.

mod ask;
mod place;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ra_ap_ide::{Analysis, AnalysisHost, FileId};
use ra_ap_ide_db::ChangeWithProcMacros;
use ra_ap_load_cargo::{LoadCargoConfig, ProcMacroServerChoice, load_workspace_at};
use ra_ap_proc_macro_api::ProcMacroClient;
use ra_ap_project_model::{CargoConfig, RustLibSource};
use ra_ap_vfs::{AbsPathBuf, VfsPath};

use crate::place::Place;

fn main() -> Result<()> {
    let root = Path::new(".");
    let only = std::env::args().nth(1);
    let places = Place::read(&std::fs::read_to_string(root.join("places.rs.txt"))?)?;
    let mut editor = Editor::open(&root.join("fixture"))?;
    let mut rows = vec![["place", "hover", "completion", "definition", "rename"].map(str::to_owned)];
    let mut wrong = Vec::new();
    for place in places.iter().filter(|place| only.as_ref().is_none_or(|only| place.title.contains(only))) {
        let cells = editor.show(place, |analysis, file| ask::all(analysis, file, place))?;
        let [hover, completion, definition, rename] = cells;
        rows.push([place.title.clone(), hover, completion, definition, rename]);
        if place.completion.is_empty() {
            let errors = editor.show(place, ask::errors)?;
            wrong.extend(errors.iter().map(|error| format!("{}: {error}", place.title)));
        }
        if only.is_some() {
            editor.explain(place)?;
        }
    }
    print(&rows);
    ensure!(wrong.is_empty(), "rust-analyzer reports errors:\n{}", wrong.join("\n"));
    Ok(())
}

/// rust-analyzer with the fixture open.
struct Editor {
    host: AnalysisHost,
    file: FileId,
    /// Ends when it is dropped, and expands macros until then.
    _server: Option<ProcMacroClient>,
}

impl Editor {
    fn open(fixture: &Path) -> Result<Self> {
        let sources = std::env::var("RUST_SRC").ok().map(|path| AbsPathBuf::assert(path.into()));
        let cargo =
            CargoConfig { sysroot: Some(RustLibSource::Discover), sysroot_src: sources, ..CargoConfig::default() };
        let load = LoadCargoConfig {
            load_out_dirs_from_check: true,
            with_proc_macro_server: ProcMacroServerChoice::Sysroot,
            prefill_caches: false,
            num_worker_threads: 1,
            proc_macro_processes: 1,
        };
        let (db, files, server) = load_workspace_at(fixture, &cargo, &load, &|_| ())?;
        ensure!(server.is_some(), "the toolchain has no server for procedural macros");
        let source = AbsPathBuf::assert_utf8(fixture.join("src/lib.rs").canonicalize()?);
        let (file, _) = files.file_id(&VfsPath::from(source)).context("the fixture was not loaded")?;
        Ok(Self { host: AnalysisHost::with_database(db), file, _server: server })
    }

    /// Replaces the text of the fixture with that of the place.
    fn show<T>(&mut self, place: &Place, ask: impl FnOnce(&Analysis, FileId) -> Result<T>) -> Result<T> {
        let mut change = ChangeWithProcMacros::default();
        change.change_file(self.file, Some(place.text.clone()));
        self.host.apply_change(change);
        ask(&self.host.analysis(), self.file)
    }

    /// Prints all answers in full.
    fn explain(&mut self, place: &Place) -> Result<()> {
        self.show(place, |analysis, file| {
            println!("## {}\n{}\n", place.title, place.text);
            println!("{}\n", ask::explain(analysis, file, place)?);
            Ok(())
        })
    }
}

fn print(rows: &[[String; 5]]) {
    let widths: Vec<usize> =
        (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            println!("| {} |", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join(" | "));
        }
    }
}
