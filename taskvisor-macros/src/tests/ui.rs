//! The macros report exactly what `ui-tests` expect from them, each error at its line and column, and nothing for what
//! compiles.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};

/// How the errors of the compiler itself begin, and those about what another macro has made of a function.
const OF_OTHERS: [&str; 8] = [
    "unexpected token: `;`",
    "expected expression, found `;`",
    "expected one of ",
    "character literal may only contain one codepoint",
    "parameter defaults are not supported",
    "unexpected `self` parameter in function",
    "future cannot be sent between threads safely",
    "a task runs on the runtime of the supervisor: write `async fn main_above`",
];

/// Messages with their line and column.
type Told = BTreeSet<(usize, usize, String)>;

/// Finds the errors of the macros in the source of a program.
#[derive(Default)]
pub(super) struct Program {
    told: Told,
}

impl Program {
    fn read(path: &Path) -> Told {
        crate::twice::FILE.set(Some(path.to_owned()));
        let told = Self::told(&fs::read_to_string(path).unwrap());
        crate::twice::FILE.set(None);
        told
    }

    pub(super) fn told(source: &str) -> Told {
        let mut program = Self::default();
        match source.parse() {
            Ok(tokens) => program.walk(tokens, LineColumn { line: 1, column: 0 }),
            // The compiler reads on after a wrong literal.
            Err(error) => assert!(source.contains("'5s'"), "{error}"),
        }
        program.told
    }

    /// Expands what the tokens call. `call` is where the macro was called that gave them.
    fn walk(&mut self, tokens: TokenStream, call: LineColumn) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        // The start of the attributes before this place.
        let mut item = 0;
        while let Some(tree) = trees.get(at) {
            if let Some(attribute) = attribute_at(&trees, at) {
                let (name, options) = name_of(attribute);
                let end = end_of(&trees, at + 2);
                let is_main = |tree: &TokenTree| matches!(tree, TokenTree::Ident(word) if word == "main");
                let expand: fn(TokenStream, TokenStream) -> TokenStream = match &*name {
                    "task" => crate::task::expand,
                    "subscriber" => crate::subscriber::expand,
                    "supervisor" => crate::supervisor::expand,
                    "cfg" if !is_active(&options) => |_, _| TokenStream::new(),
                    // Above another attribute, `#[tokio::main]` changes the function first. That of `main` is told all the same.
                    "main" if attribute_at(&trees, at + 2).is_some() && !trees[at..end].iter().any(is_main) => {
                        |_, _| TokenStream::new()
                    }
                    _ => {
                        at += 2;
                        continue;
                    }
                };
                let others = trees[item..at].iter().chain(&trees[at + 2..end]).cloned().collect();
                self.walk(expand(options, others), place(tree, call));
                at = end;
            } else if let Some((name, input, end)) = call_at(&trees, at) {
                match &*name {
                    "supervise" => self.walk(crate::supervise::expand(input.stream()), place(tree, call)),
                    "compile_error" => {
                        let message: syn::LitStr = syn::parse2(input.stream()).unwrap();
                        // `::core::compile_error!`
                        let LineColumn { line, column } = place(&trees[at.saturating_sub(5)], call);
                        self.told.insert((line, column + 1, message.value()));
                    }
                    "macro_rules" => {}
                    _ => self.walk(input.stream(), call),
                }
                at = end;
            } else {
                if let TokenTree::Group(group) = tree {
                    self.walk(group.stream(), call);
                }
                at += 1;
            }
            item = at;
        }
    }
}

/// Returns the place of a token, which is that of the call if the macro made it.
fn place(tree: &TokenTree, call: LineColumn) -> LineColumn {
    let start = tree.span().start();
    if start == (LineColumn { line: 1, column: 0 }) { call } else { start }
}

fn is_mark(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn attribute_at(trees: &[TokenTree], at: usize) -> Option<&Group> {
    match trees.get(at + 1) {
        Some(TokenTree::Group(group)) if is_mark(trees.get(at), '#') && group.delimiter() == Delimiter::Bracket => {
            Some(group)
        }
        _ => None,
    }
}

/// Returns the name of the macro that is called or defined here, its input, and the end of the call.
fn call_at(trees: &[TokenTree], at: usize) -> Option<(String, &Group, usize)> {
    let (TokenTree::Ident(name), true) = (&trees[at], is_mark(trees.get(at + 1), '!')) else { return None };
    let defined = usize::from(name == "macro_rules");
    match trees.get(at + 2 + defined) {
        Some(TokenTree::Group(input)) => Some((name.to_string(), input, at + 3 + defined)),
        _ => None,
    }
}

/// Returns the last name in the path of an attribute, and its options.
fn name_of(attribute: &Group) -> (String, TokenStream) {
    let mut trees: Vec<TokenTree> = attribute.stream().into_iter().collect();
    let options = match trees.last() {
        Some(TokenTree::Group(options)) => options.stream(),
        _ => TokenStream::new(),
    };
    trees.retain(|tree| matches!(tree, TokenTree::Ident(_)));
    (trees.pop().map(|name| name.to_string()).unwrap_or_default(), options)
}

/// Returns the end of the item, statement or field at this place.
fn end_of(trees: &[TokenTree], at: usize) -> usize {
    let is_end = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        tree => is_mark(Some(tree), ';'),
    };
    trees.iter().skip(at).position(is_end).map_or(trees.len(), |length| at + length + 1)
}

/// Returns `false` for the condition that the tests use for code that is not there.
fn is_active(condition: &TokenStream) -> bool {
    condition.to_string().replace(' ', "") != "any()"
}

/// Returns the errors in the output of the compiler that have no number.
fn expected(path: &Path) -> Told {
    let output = fs::read_to_string(path.with_extension("stderr")).unwrap();
    let mut told = Told::new();
    let mut message = None;
    for line in output.lines() {
        if let Some(text) = line.strip_prefix("error: ") {
            message = Some(text.to_owned()).filter(|text| !OF_OTHERS.iter().any(|others| text.starts_with(others)));
        } else if line.starts_with("error") || line.starts_with("warning") {
            message = None;
        } else if let (Some(place), Some(message)) = (line.trim_start().strip_prefix("--> "), message.take()) {
            let mut numbers = place.rsplit(':').map(|number| number.parse().unwrap());
            let (column, line) = (numbers.next().unwrap(), numbers.next().unwrap());
            told.insert((line, column, message));
        }
    }
    told
}

fn programs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests").join(folder);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn m03_each_error_is_told_at_its_place() {
    for folder in ["fail", "fail-rustc"] {
        for file in programs(folder) {
            assert_eq!(Program::read(&file), expected(&file), "{}", file.display());
        }
    }
    for file in programs("pass") {
        assert_eq!(Program::read(&file), Told::new(), "{}", file.display());
    }
}

#[test]
fn the_end_of_a_function_without_a_tree_is_its_last_expression_or_its_brace() {
    for (body, column) in [
        ("{ println!() }", 33),
        ("{ made! {} }", 33),
        ("{ println!(); }", 45),
        ("{ made() }", 33),
        ("{ made(); }", 41),
        ("{ }", 33),
    ] {
        let told = Program::told(&format!("#[supervisor] fn app() -> App {body}"));
        let places: Vec<_> = told.iter().map(|(line, column, _)| (*line, *column)).collect();
        assert_eq!(places, [(1, column)], "{body}: {told:?}");
    }
}
