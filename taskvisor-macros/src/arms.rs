//! Different tasks in the arms of an `if` or a `match`.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Block, Expr, Macro, Stmt};

use crate::path::{hygienic, located};

/// Converts what each arm of an `if` or a `match` gives, so that the arms have one type. Returns `false` for another
/// expression, and if an arm gives anything but a struct literal: the arms could have one type already. The expression
/// is then incomplete.
pub(crate) fn convert(expr: &mut Expr, function: &TokenStream) -> bool {
    match expr {
        Expr::Group(group) => convert(&mut group.expr, function),
        Expr::If(choice) => match &mut choice.else_branch {
            Some((_, otherwise)) => {
                convert_block(&mut choice.then_branch, function) && convert_arm(otherwise, function)
            }
            None => false,
        },
        Expr::Match(choice) => choice.arms.iter_mut().all(|arm| convert_arm(&mut arm.body, function)),
        _ => false,
    }
}

fn convert_arm(expr: &mut Expr, function: &TokenStream) -> bool {
    match expr {
        Expr::Block(block) if block.label.is_none() => convert_block(&mut block.block, function),
        Expr::Struct(_) => {
            let span = hygienic(expr.span());
            let function = located(function, span);
            *expr = Expr::Verbatim(quote_spanned!(span=> #function(#expr)));
            true
        }
        Expr::Macro(call) => never_returns(&call.mac),
        Expr::Return(_) => true,
        _ => convert(expr, function),
    }
}

fn convert_block(block: &mut Block, function: &TokenStream) -> bool {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(last, None)) => convert_arm(last, function),
        Some(Stmt::Macro(last)) => never_returns(&last.mac),
        _ => false,
    }
}

/// Returns `true` for a macro of the standard library that ends the program or the thread.
fn never_returns(call: &Macro) -> bool {
    let name = call.path.segments.last();
    name.is_some_and(|name| ["panic", "unreachable", "todo", "unimplemented"].iter().any(|never| name.ident == never))
}
