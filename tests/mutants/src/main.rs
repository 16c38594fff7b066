//! Prints where the expressions, arms and bodies of Rust files are, as JSON: what `mutants.py` needs beside a mutant's
//! own span. A place is `[line, column]`, from 1, in characters.

use proc_macro2::Span;
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

fn place(span: Span) -> Value {
    let (start, end) = (span.start(), span.end());
    json!([[start.line, start.column + 1], [end.line, end.column + 1]])
}

struct Nodes(Vec<Value>);

impl Nodes {
    fn body(&mut self, constness: Option<Span>, block: &syn::Block) {
        self.0.push(json!({"kind": "fn", "body": place(block.span()), "const": constness.map(place)}));
    }
}

impl<'a> Visit<'a> for Nodes {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.body(item.sig.constness.map(|token| token.span()), &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.body(item.sig.constness.map(|token| token.span()), &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(item.sig.constness.map(|token| token.span()), block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, e: &'a syn::ExprBinary) {
        let at = place(e.op.span());
        self.0.push(json!({"kind": "binary", "at": at, "all": place(e.span()), "left": place(e.left.span()), "right": place(e.right.span())}));
        visit::visit_expr_binary(self, e);
    }

    fn visit_expr_unary(&mut self, e: &'a syn::ExprUnary) {
        self.0.push(json!({"kind": "unary", "at": place(e.op.span()), "all": place(e.span()), "of": place(e.expr.span())}));
        visit::visit_expr_unary(self, e);
    }

    fn visit_arm(&mut self, arm: &'a syn::Arm) {
        let mut node = json!({"kind": "arm", "at": place(arm.span()), "arrow": place(arm.fat_arrow_token.span())});
        if let syn::Pat::Guard(guarded) = &arm.pat {
            node["guard"] = place(guarded.guard.span());
        }
        self.0.push(node);
        visit::visit_arm(self, arm);
    }

    fn visit_expr_match(&mut self, e: &'a syn::ExprMatch) {
        self.0.push(json!({"kind": "match", "all": place(e.span())}));
        visit::visit_expr_match(self, e);
    }

    fn visit_expr_struct(&mut self, e: &'a syn::ExprStruct) {
        if let Some(rest) = &e.rest {
            for field in &e.fields {
                let syn::Member::Named(name) = &field.member else { continue };
                self.0.push(json!({"kind": "field", "at": place(field.span()), "name": name.to_string(),
                    "short": field.colon_token.is_none(), "value": place(field.expr.span()), "rest": place(rest.span())}));
            }
        }
        visit::visit_expr_struct(self, e);
    }
}

fn main() {
    let mut files = serde_json::Map::new();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let file = syn::parse_file(&text).expect("a file that parses");
        let mut nodes = Nodes(Vec::new());
        nodes.visit_file(&file);
        files.insert(path, nodes.0.into());
    }
    println!("{}", Value::Object(files));
}
