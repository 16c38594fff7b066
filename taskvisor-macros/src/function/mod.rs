//! A function under `#[task]` or `#[subscriber]`. It stays as written, and gets a struct beside it with a field for
//! each argument.

mod check;
mod fallback;
mod main;
mod parse;
mod refused;
mod types;

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, LitStr, Signature, Token, Type, Visibility};

pub(crate) use self::check::{
    check_alone, check_async, check_attributes, check_free, check_generics, check_qualifiers, compact, push_field,
    read_field,
};
pub(crate) use self::fallback::Fallback;
pub(crate) use self::parse::{is_told, not_a_function};
pub(crate) use self::types::{find_word, is_context, is_inferred, is_string, last_ident};
use crate::path::{self, defining, hygienic, located};
use crate::reader::{Given, Value};
use crate::twice::Twice;

/// The kind of item that is made from the function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Subscriber,
}

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Subscriber => "subscriber",
        }
    }
}

/// The function as written. The body stays unparsed, so that an incomplete body never fails the macro.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
    /// The name of the struct, if it is not that of the function.
    pub(crate) struct_name: Option<Ident>,
}

impl Function {
    /// Returns the name of the struct. As a generated name, it may be in snake case.
    pub(crate) fn struct_name(&self) -> Ident {
        let mut name = self.struct_name.as_ref().unwrap_or(&self.signature.ident).clone();
        name.set_span(defining(name.span()));
        name
    }

    /// Returns the function whose name, or that of its struct, is taken. The compiler reports that name, and would report
    /// whatever else is there.
    pub(crate) fn to_repeated_tokens(&self, twice: Twice) -> TokenStream {
        let function = self.to_refused_tokens();
        let (conditions, visibility, name) = (self.conditions(), &self.visibility, self.struct_name());
        let span = hygienic(name.span());
        let (keyword, end) = (Token![struct](span), Token![;](span));
        match twice {
            Twice::Function => function,
            Twice::Type => quote!(#function #conditions #visibility #keyword #name #end),
        }
    }

    /// Returns the name as text, without `r#`.
    pub(crate) fn title(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// Returns the expression for `NAME`: the given name, or the name of the function.
    pub(crate) fn constant_name(&self, name: Option<&Given<LitStr>>, private: &TokenStream) -> TokenStream {
        match name.map(|given| &given.value) {
            Some(Value::Known(name, _)) => name.to_token_stream(),
            Some(Value::Constant(name)) => {
                let constant = Ident::new("CONSTANT", hygienic(name.span()));
                let private = located(private, hygienic(name.span()));
                quote_spanned!(name.span()=> {
                    const #constant: &#private::str = #name;
                    #private::checked_name(#constant)
                })
            }
            _ => self.title().to_token_stream(),
        }
    }

    /// Returns the expression for the name in a trait: `Self::NAME` if that is an expression of the user, which is there
    /// once. `Self::NAME` is ambiguous beside a second function of the same name, which would be one more error.
    pub(crate) fn own_name(&self, name: Option<&Given<LitStr>>, private: &TokenStream) -> TokenStream {
        match name.map(|given| &given.value) {
            Some(Value::Constant(_)) => quote!(Self::NAME),
            _ => self.constant_name(name, private),
        }
    }

    /// Returns `#[cfg(..)]`, which every generated item needs.
    pub(crate) fn conditions(&self) -> TokenStream {
        self.attributes_named("cfg").collect()
    }

    /// Returns `#[deprecated]`, which the struct needs.
    pub(crate) fn deprecation(&self) -> TokenStream {
        self.attributes_named("deprecated").collect()
    }

    /// Allows the generated items to use the deprecated struct and function.
    pub(crate) fn allowance(&self) -> TokenStream {
        self.attributes_named("deprecated").map(|_| quote!(#[allow(deprecated)])).collect()
    }

    /// Returns the docs of a generated item, if it needs any.
    pub(crate) fn standard_doc(&self, text: &str) -> Option<TokenStream> {
        path::standard_doc(&self.visibility, text)
    }

    fn attributes_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = TokenStream> + 'a {
        let named = self.attributes.iter().filter(move |attribute| attribute.path().is_ident(name));
        named.map(ToTokens::to_token_stream)
    }

    /// Returns the struct, with a public field for each argument. It has the docs of the function and of the arguments.
    pub(crate) fn item_struct(&self, kind: Kind, doc: &str, fields: &[Field]) -> TokenStream {
        let (visibility, name) = (&self.visibility, self.struct_name());
        let must_use = format!("a {} does nothing until it is given to a supervisor", kind.noun());
        let docs: Vec<TokenStream> = self.attributes_named("doc").collect();
        let doc = if docs.is_empty() { doc.to_owned() } else { format!("\n\n{doc}") };
        let fields = fields.iter().filter_map(|Field { name, ty, docs, .. }| {
            let ty = ty.as_ref()?;
            let text = || format!("The argument `{}`.", name.unraw());
            let standard = if docs.is_empty() { self.standard_doc(&text()) } else { None };
            Some(quote!(#standard #(#docs)* pub #name: #ty))
        });
        // With the span of the name, where the compiler says that it is defined.
        let span = hygienic(self.struct_name.as_ref().unwrap_or(&self.signature.ident).span());
        let keyword = Token![struct](span);
        let mut fields = Group::new(Delimiter::Brace, quote!(#(#fields),*));
        fields.set_span(span);
        quote! {
            #(#docs)*
            #[doc = #doc]
            #[must_use = #must_use]
            #visibility #keyword #name #fields
        }
    }

    /// Returns a `Debug` for the struct that needs no trait of its fields.
    pub(crate) fn impl_debug(&self, private: &TokenStream) -> TokenStream {
        let (name, title) = (self.struct_name(), self.title());
        quote! {
            #[automatically_derived]
            impl #private::fmt::Debug for #name {
                fn fmt(&self, f: &mut #private::Formatter<'_>) -> #private::fmt::Result {
                    #private::debug(f, #title)
                }
            }
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.to_tokens_with(self.signature.clone(), self.body.clone()));
    }
}

impl Function {
    fn to_tokens_with(&self, mut signature: Signature, body: TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        // The macro requires `async`, or owned arguments.
        tokens.extend(if self.signature.asyncness.is_some() {
            quote!(#[allow(clippy::unused_async)])
        } else {
            quote!(#[allow(clippy::needless_pass_by_value)])
        });
        for attribute in &self.attributes {
            attribute.to_tokens(&mut tokens);
        }
        self.visibility.to_tokens(&mut tokens);
        for argument in &mut signature.inputs {
            if let FnArg::Typed(argument) = argument {
                argument.attrs.retain(|attribute| !attribute.path().is_ident("doc"));
            }
        }
        signature.to_tokens(&mut tokens);
        tokens.extend(body);
        tokens
    }
}

/// An argument that becomes a field.
pub(crate) struct Field {
    pub(crate) name: Ident,
    /// `None` if a field cannot have the type of the argument, which was reported.
    pub(crate) ty: Option<Type>,
    /// The doc comments of the argument, which a function itself cannot have.
    pub(crate) docs: Vec<Attribute>,
    /// What a pattern binds, which was refused. `None` for a plain name.
    pub(crate) bound: Option<Vec<Ident>>,
}

/// Returns the fields, if each has its type.
pub(crate) fn typed(fields: &[Field]) -> impl Iterator<Item = (&Ident, &Type)> {
    fields.iter().filter_map(|Field { name, ty, .. }| Some((name, ty.as_ref()?)))
}
