//! What was meant as the elements of a list that is not written in brackets, so that their handles are there.

use syn::parse::Parser;
use syn::{Expr, Stmt};

use crate::argument::{self, List, peel};

/// Returns the elements of `(ping {}, pong {})`, `vec![ping {}]`, `&[ping {}]`, `{ ping {} }` or `ping {}`, as far as they
/// are certainly declared there: other expressions can be anything.
pub(crate) fn elements(value: &Expr) -> Vec<Expr> {
    let elements: Vec<Expr> = match peel(value) {
        Expr::Tuple(tuple) => tuple.elems.iter().cloned().collect(),
        Expr::Array(array) => array.elems.iter().cloned().collect(),
        Expr::Paren(paren) => return elements(&paren.expr),
        Expr::Reference(reference) => return elements(&reference.expr),
        Expr::Block(block) => match block.block.stmts.as_slice() {
            [Stmt::Expr(only, _)] => return elements(only),
            _ => Vec::new(),
        },
        Expr::Macro(call) if call.mac.path.is_ident("vec") => List::parse_terminated
            .parse2(call.mac.tokens.clone())
            .map_or_else(|_| Vec::new(), |list| list.into_iter().collect()),
        other => vec![other.clone()],
    };
    elements.into_iter().filter(is_declared).collect()
}

/// Returns `true` for `ping {}`, `label = ..`, `task(..)`, `slot(..)` and `limit(..)`.
fn is_declared(element: &Expr) -> bool {
    match peel(element) {
        Expr::Struct(_) => true,
        Expr::Assign(assign) => argument::as_ident(&assign.left).is_some(),
        element => ["task", "slot", "limit"].iter().any(|word| argument::call_of(element, word).is_some()),
    }
}
