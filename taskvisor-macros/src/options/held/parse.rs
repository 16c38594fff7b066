//! The values that are names: a limit, and a function of the program.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, ExprPath, Lit, Stmt};

use super::LimitName;
use crate::argument::{as_ident, peel};
use crate::path;
use crate::reader::{Reader, Value};

/// Returns `true` for a list that does not stand in parentheses right behind the key: `(first = "1s")` or
/// `{ first = "1s" }`.
pub(crate) fn has_fields(value: &Expr) -> bool {
    let is_field = |expr: &Expr| matches!(peel(expr), Expr::Assign(_));
    match peel(value) {
        Expr::Paren(paren) => is_field(&paren.expr),
        Expr::Tuple(tuple) => tuple.elems.first().is_some_and(is_field),
        Expr::Block(block) => {
            matches!(block.block.stmts.first(), Some(Stmt::Expr(first, _)) if is_field(first))
        }
        _ => false,
    }
}

/// Returns the name of a limit.
pub(super) fn parse_limit(key: &Ident, value: &Expr, reader: &mut Reader) -> Value<LimitName> {
    if reader.is_unreadable(value) {
        return Value::Refused;
    }
    let message = match peel(value) {
        Expr::Path(_) => match as_ident(value).filter(path::is_name) {
            Some(name) => return Value::Known(LimitName(name), value.to_token_stream()),
            None => format!("`{key}` is the bare name of a limit: write for example `{key} = db`"),
        },
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if syn::parse_str::<Ident>(&text.value()).is_ok() => {
                format!("`{key}` is a bare name, without quotes: write `{key} = {}`", text.value())
            }
            _ => format!(
                "`{key}` is the name of a limit: write `limits = [limit(db, {})]` in `supervise!`, and `{key} = db` here",
                value.to_token_stream()
            ),
        },
        _ if has_fields(value) => {
            format!("a limit of failures is a list without `=`: write `{key}(max_restarts = 5, within = \"60s\")`")
        }
        _ => format!("`{key}` is the bare name of a limit: write for example `{key} = db`"),
    };
    reader.errors.push(value, message);
    Value::Refused
}

/// Returns the path of the function.
pub(super) fn parse_function(key: &Ident, value: &Expr, reader: &mut Reader) -> Value<ExprPath> {
    if reader.is_unreadable(value) {
        return Value::Refused;
    }
    let message = match peel(value) {
        Expr::Path(path) => return Value::Known(path.clone(), path.to_token_stream()),
        Expr::Closure(_) => format!("`{key}` is the path of a function, and no closure: write `{key} = is_transient`"),
        Expr::Call(call) => {
            let function = path::text(&call.func);
            format!("`{key}` is the path of a function, which is not called here: write `{key} = {function}`")
        }
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => format!("`{key}` is a path, without quotes: write `{key} = {}`", text.value()),
            _ => format!("`{key}` is the path of a function: write for example `{key} = is_transient`"),
        },
        _ => format!("`{key}` is the path of a function: write for example `{key} = is_transient`"),
    };
    reader.errors.push(value, message);
    Value::Refused
}
