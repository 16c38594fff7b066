//! Two functions of one name in one scope. The compiler reports them, and would report all that is generated beside the
//! second as well.
//!
//! A macro does not see what stands around its function. So each function is kept with its place for as long as the
//! compiler runs, and for two of one name in one file, the braces around both are compared in the text of the file. A file is
//! read on such a suspicion, and once. Nothing is left out where a place is not known, as before Rust 1.88.
//!
//! The type beside a refused function is kept as well, if it has parameters: an entry of it is not checked for options.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

use crate::echo::is_editor;
use crate::source::{Scope, Source};

/// What has a name of the function already, in the same scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    Function,
    /// Only the type beside the function.
    Type,
}

/// The place of the name of a function. Lines are counted from 1, and columns from 0.
#[derive(Clone)]
struct Place {
    file: PathBuf,
    name: String,
    line: usize,
    column: usize,
    /// Filled on the first suspicion.
    scope: OnceCell<Option<Scope>>,
}

/// The functions of this compilation, by their name and by that of their type.
#[derive(Default)]
struct Seen {
    functions: HashMap<String, Vec<Place>>,
    types: HashMap<String, Vec<Place>>,
    /// The types beside refused functions that have type parameters.
    generic: HashSet<String>,
    /// The files that were read; `None` for one that cannot be read.
    sources: HashMap<PathBuf, Option<Source>>,
}

impl Seen {
    /// Reads the file, once.
    fn source(&mut self, file: &Path) -> Option<&Source> {
        read(&mut self.sources, file)
    }
}

fn read<'a>(sources: &'a mut HashMap<PathBuf, Option<Source>>, file: &Path) -> Option<&'a Source> {
    let read = || fs::read_to_string(file).ok().map(Source::of);
    sources.entry(file.to_owned()).or_insert_with(read).as_ref()
}

/// Held while a function is added and compared. It is a leaf.
static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);

/// Keeps the function, and returns what has one of its names already.
pub(crate) fn find(function: &Ident, ty: &Ident) -> Option<Twice> {
    let place = Place::of(function)?;
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Seen { functions, types, sources, .. } = &mut *seen;
    let is_function = is_repeated(&place, functions.entry(function.unraw().to_string()).or_default(), sources);
    let is_type = is_repeated(&place, types.entry(ty.unraw().to_string()).or_default(), sources);
    if is_function { Some(Twice::Function) } else { is_type.then_some(Twice::Type) }
}

/// Keeps the name of a type with parameters, which stands beside a refused function.
pub(crate) fn add_generic(ty: &Ident) {
    if Place::of(ty).is_some() {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.generic.insert(ty.unraw().to_string());
    }
}

/// Returns `true` if a type of that name is beside a refused function.
pub(crate) fn is_generic(ty: &Ident) -> bool {
    let is_known = Place::of(ty).is_some();
    is_known && SEEN.lock().unwrap_or_else(PoisonError::into_inner).generic.contains(&ty.unraw().to_string())
}

/// Returns `true` if the function is certainly one of an `impl` or a `trait`. The file is read for an attribute that does not
/// begin its line, which such a function has.
pub(crate) fn is_associated(function: &Ident) -> bool {
    let is_indented = cfg!(test) || Span::call_site().start().column > 0;
    let Some(place) = is_indented.then(|| Place::of(function)).flatten() else { return false };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let source = seen.source(&place.file);
    source.is_some_and(|source| place.scope(source).is_some_and(|scope| source.is_of_methods(scope)))
}

/// Returns `true` if the function certainly stands in no braces. The file is read, so this is for a mistake that is suspected.
pub(crate) fn is_at_root(function: &Ident) -> bool {
    let Some(place) = Place::of(function) else { return false };
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.source(&place.file).is_some_and(|source| place.scope(source) == Some(Scope::ROOT))
}

/// Returns `true` if the function is certainly in a file of that name.
pub(crate) fn is_in_file(function: &Ident, name: &str) -> bool {
    file_of(function).is_some_and(|file| file.ends_with(name))
}

/// Adds the place, and returns `true` if another in its file is in the same scope.
fn is_repeated(place: &Place, places: &mut Vec<Place>, sources: &mut HashMap<PathBuf, Option<Source>>) -> bool {
    let is_here = |other: &&Place| (other.line, other.column) == (place.line, place.column) && other.file == place.file;
    let is_other = |other: &&Place| other.file == place.file && !is_here(other);
    let is_suspicious = places.iter().any(|other| is_other(&other));
    let is_repeated = is_suspicious && {
        read(sources, &place.file).is_some_and(|source| {
            let own = place.scope(source);
            own.is_some() && places.iter().filter(is_other).any(|other| other.scope(source) == own)
        })
    };
    if !places.iter().any(|other| is_here(&other)) {
        places.push(place.clone());
    }
    is_repeated
}

#[cfg(test)]
std::thread_local! {
    /// The file whose text a test expands.
    pub(crate) static FILE: std::cell::RefCell<Option<PathBuf>> = const { std::cell::RefCell::new(None) };
}

fn file_of(name: &Ident) -> Option<PathBuf> {
    #[cfg(test)]
    if let Some(file) = FILE.with_borrow(Clone::clone) {
        return Some(file);
    }
    name.span().local_file()
}

impl Place {
    fn of(name: &Ident) -> Option<Self> {
        if is_editor() {
            return None;
        }
        let (file, start) = (file_of(name)?, name.span().start());
        Some(Self { file, name: name.to_string(), line: start.line, column: start.column, scope: OnceCell::new() })
    }

    fn scope(&self, source: &Source) -> Option<Scope> {
        let find = || source.scope(source.find(&self.name, self.line, self.column)?);
        *self.scope.get_or_init(find)
    }
}
