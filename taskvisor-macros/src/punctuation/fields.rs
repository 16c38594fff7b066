//! Mends the fields in the braces of an entry: `ping { argument = value }`.

use proc_macro2::{Ident, Punct, Spacing, TokenStream, TokenTree};

use super::labels::Elements;
use super::{Punctuation, is_keyword};
use crate::options::Place;
use crate::supervise;

impl Punctuation {
    /// Returns the fields of a struct literal with `:` after their names, and without what is an option.
    pub(super) fn mend_fields(&mut self, task: &Ident, fields: TokenStream, of: Option<Elements>) -> TokenStream {
        let is_mark = |tree: &TokenTree, mark: char| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark && punct.spacing() == Spacing::Alone);
        let mut mended: Vec<TokenTree> = Vec::new();
        let mut fields = fields.into_iter().peekable();
        while let Some(tree) = fields.next() {
            let starts = mended.last().is_none_or(|last| is_mark(last, ','));
            let (TokenTree::Ident(field), true) = (&tree, starts) else {
                mended.push(tree);
                continue;
            };
            if is_keyword(field) && fields.peek().is_some_and(|next| is_mark(next, ':')) {
                self.found.push((field.span(), format!("`{field}` is a keyword: write `r#{field}`")));
                mended.push(Ident::new_raw(&field.to_string(), field.span()).into());
                continue;
            }
            let Some(equals) = fields.next_if(|next| is_mark(next, '=')) else {
                mended.push(tree);
                continue;
            };
            let of_subscriber = supervise::option_of_subscriber(field).filter(|_| of == Some(Elements::Subscribers));
            let is_of_subscriber = of_subscriber.is_some();
            let message = if let Some(message) = of_subscriber {
                message
            } else if field == "after" {
                format!("`after` is an option of an entry: write `task({task} {{ .. }}, after = [..])`")
            } else if Place::Entry.names().iter().any(|option| field == option) {
                format!(
                    "an argument stands in the braces, as `{field}: ..`, and an option beside them: \
                     `task({task} {{ .. }}, {field} = ..)`"
                )
            } else {
                format!("an argument is a field of the struct: write `{field}: ..`")
            };
            self.found.push((equals.span(), message));
            if is_of_subscriber || field == "after" || is_option(field, fields.peek()) {
                while fields.next_if(|next| !is_mark(next, ',')).is_some() {}
                fields.next();
            } else {
                let mut colon = Punct::new(':', Spacing::Alone);
                colon.set_span(equals.span());
                mended.extend([tree, colon.into()]);
            }
        }
        mended.into_iter().collect()
    }
}

/// Returns `true` for a field that is certainly meant as an option. Text can be an argument `name` as well, but hardly an
/// argument with the name of another option.
fn is_option(field: &Ident, value: Option<&TokenTree>) -> bool {
    let is_text = matches!(value, Some(TokenTree::Literal(text)) if text.to_string().starts_with('"'));
    is_text && field != "name" && Place::Entry.names().iter().any(|option| field == option)
}
