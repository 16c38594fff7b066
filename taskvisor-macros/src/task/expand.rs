//! Generates the items beside the function: the struct, its `spec` and `NAME`, and its traits.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{ReturnType, Type};

use super::Shape;
use crate::bindings;
use crate::function::{self, Function, Kind};
use crate::options::{Choice, Options, Place, chosen, plain};
use crate::path::{self, hygienic, located};
use crate::reader::{Binding, Value};

/// Returns the function and the generated items.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let generated =
        Generated { private: path::alias(), name: function.struct_name(), function, shape, options, bindings };
    let import = path::import(options.krate.as_ref());
    let item_struct = generated.item_struct();
    let refused_alias = generated.refuse_alias();
    let impls = [
        generated.impl_inherent(),
        generated.impl_function_task(),
        generated.impl_clone(),
        function.impl_debug(&generated.private),
    ];
    let (conditions, deprecation, allowance) = (function.conditions(), function.deprecation(), function.allowance());
    let name = generated.impl_name().map(|name| quote!(#conditions #allowance #name));
    quote! {
        #function
        #conditions #deprecation #item_struct
        #name
        #conditions #allowance
        const _: () = {
            #import
            #refused_alias
            #(#impls)*
        };
    }
}

struct Generated<'a> {
    private: TokenStream,
    name: Ident,
    function: &'a Function,
    shape: &'a Shape,
    options: &'a Options,
    bindings: &'a [Binding],
}

impl Generated<'_> {
    fn item_struct(&self) -> TokenStream {
        let title = self.function.title();
        let doc = format!(
            "The task [`{title}`](fn@{title}) as a value, with a field for each argument. Each attempt \
             gets clones of them.\n\n{}",
            self.options.describe()
        );
        self.function.item_struct(Kind::Task, &doc, &self.shape.fields)
    }

    /// Returns the `impl` with a name that is a constant, which stands beside the others: an error in the constant is
    /// reported with the path of its item.
    fn impl_name(&self) -> Option<TokenStream> {
        let name = &self.name;
        self.options.name.as_ref().filter(|name| matches!(name.value, Value::Constant(_)))?;
        let private = path::private(self.options.krate.as_ref());
        let constant = self.function.constant_name(self.options.name.as_ref(), &private);
        let doc = self.doc_of_name();
        Some(quote! {
            impl #name {
                #doc
                pub const NAME: &'static ::core::primitive::str = #constant;
            }
        })
    }

    fn doc_of_name(&self) -> Option<TokenStream> {
        self.function.standard_doc("The name of the task.")
    }

    fn impl_inherent(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        let constant = self.impl_name().is_none().then(|| {
            let constant = self.function.constant_name(self.options.name.as_ref(), private);
            let doc = self.doc_of_name();
            quote! {
                #doc
                pub const NAME: &'static #private::str = #constant;
            }
        });
        let fields: Vec<_> = self.fields().map(|(field, _)| field).collect();
        let types = self
            .fields()
            .map(|(_, ty)| if function::is_string(ty) { quote!(impl #private::Into<#ty>) } else { quote!(#ty) });
        let values = self.fields().map(|(field, ty)| {
            if function::is_string(ty) { quote!(#field: #private::Into::into(#field)) } else { quote!(#field) }
        });
        // Clippy checks the number of arguments on the function itself.
        let allow = (fields.len() > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]));
        let doc = self.function.standard_doc("Returns the spec of the task with these arguments.");
        quote! {
            impl #name {
                #constant

                #doc
                #allow
                pub fn spec(#(#fields: #types),*) -> #private::TaskSpec {
                    #private::Into::into(Self { #(#values),* })
                }
            }
        }
    }

    fn impl_function_task(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        let span = hygienic(name.span());
        let [context, task] = ["context", "task"].map(|local| Ident::new(local, span));
        let ty = match &self.shape.context {
            // A thread cannot be dropped, so it gets time to clean up.
            _ if self.is_blocking() => quote!(#private::TaskContext),
            Some(ty) => ty.to_token_stream(),
            None => quote!(()),
        };
        let this = quote!(self);
        let context_argument = self.shape.context.iter().map(|_| quote!(#context));
        let arguments = context_argument.chain(self.fields().map(|(field, _)| quote!(#this.#field)));
        // The same errors as in `clone`, so that the compiler does not report the future as well.
        let checks = self.fields().filter(|(_, ty)| may_be_unsendable(&ty.to_token_stream())).map(|(_, ty)| {
            let clone = clone_of(ty, private);
            quote!(let _ = #clone;)
        });
        let function = &self.function.signature.ident;
        let future = self.future(&context, &quote_spanned!(span=> #function(#(#arguments),*)));
        let constant = self.function.own_name(self.options.name.as_ref(), private);
        let bindings = bindings::expand(self.bindings, private);
        let spec = self.options.of_task(quote!(#private::Given(#task).taskvisor_spec()), private);
        // For an entry that has an option of that name between its braces.
        let options = Place::Entry.names();
        let like_options: Vec<_> =
            self.fields().map(|(field, _)| field.to_string()).filter(|field| options.contains(&&**field)).collect();
        let like_options = (!like_options.is_empty()).then(|| {
            quote! {
                const LIKE_OPTIONS: #private::Arguments = #private::Option::Some(&[#(#like_options),*]);
            }
        });
        let is_used = self.shape.context.is_some() || self.is_blocking();
        let context = if is_used { quote!(#context) } else { quote!(()) };
        quote! {
            impl #private::FunctionTask for #name {
                const NAME: &'static #private::str = #constant;
                #like_options
                type Context = #ty;

                fn attempt(self, #context: #ty) -> #private::BoxTaskFuture {
                    #(#checks)*
                    #future
                }

                fn spec_of(#task: Self) -> #private::TaskSpec {
                    #bindings
                    #spec
                }
            }
        }
    }

    fn is_blocking(&self) -> bool {
        self.blocks_on().is_some()
    }

    /// Returns the function that runs an attempt that blocks.
    fn blocks_on(&self) -> Option<TokenStream> {
        match chosen(self.options.blocking.as_ref())? {
            Choice::Off => None,
            Choice::On => Some(quote!(blocking)),
            Choice::Word => Some(quote!(blocking_on_pool)),
        }
    }

    /// Returns the future of an attempt, which has the span of the function: a future that is not `Send` is that of the
    /// function.
    fn future(&self, context: &Ident, call: &TokenStream) -> TokenStream {
        let span = hygienic(self.name.span());
        let private = located(&self.private, span);
        let convert = self.convert();
        let Some(blocking) = self.blocks_on() else {
            // Costs more to compile, but the compiler does not report the same type again as captured by the future.
            let may_be_unsendable = self.fields().any(|(_, ty)| may_be_unsendable(&ty.to_token_stream()));
            let call = if may_be_unsendable { quote_spanned!(span=> async move { #call.await }) } else { call.clone() };
            return quote_spanned!(span=> #private::Attempt::attempt(#call, #convert));
        };
        let blocking = respanned(&blocking, span);
        let from_context = self.shape.context.as_ref().map(|ty| {
            let at = hygienic(ty.span());
            quote_spanned!(at=> let #context = <#ty as #private::FromContext>::from_context(#context);)
        });
        quote_spanned!(span=> #private::#blocking(#context, move |#context| { #from_context (#convert)(#call) }))
    }

    /// Returns the closure that converts the return value to the result of the attempt. The type is inferred, so that an
    /// error in it is reported once, in the signature of the function. The function that converts is a local, so that a
    /// type that is not a result is an error at that type.
    fn convert(&self) -> TokenStream {
        if let Some(converted) = self.convert_known() {
            return converted;
        }
        let ty = match &self.function.signature.output {
            ReturnType::Default => &syn::parse_quote_spanned!(hygienic(self.name.span())=> ()),
            // Stable Rust cannot name `!` here.
            ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => return quote!(|never| match never {}),
            ReturnType::Type(_, ty) => &**ty,
        };
        let [start, end] = ends(ty);
        let private = respanned(&self.private, start);
        if let Some(retry_if) = plain(self.options.retry_if.as_ref()) {
            let [check, decide, always] =
                [quote!(Fallible::into_result), quote!(IntoTaskError::retried_if), quote!(always_retried)]
                    .map(|path| respanned(&path, end));
            // A function of another type is told at its name, by the type of one that would do.
            quote_spanned! {start=> |returned| {
                let (check, decide) = (#private::#check, #private::#decide);
                let returned = check(returned);
                #[allow(unused_assignments)]
                let mut retry_if = #private::#always(&returned);
                retry_if = #retry_if;
                decide(returned, retry_if)
            } }
        } else {
            let function = quote_spanned!(end=> IntoTaskResult::into_task_result);
            quote_spanned!(start=> |returned| { let convert = #private::#function; convert(returned) })
        }
    }

    /// Returns the function that converts a return value that is certainly valid. For another, the compiler would report
    /// the error at each of its uses.
    fn convert_known(&self) -> Option<TokenStream> {
        let is_known = match &self.function.signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => {
                let ty = ty.to_token_stream().to_string().replace(' ', "");
                ["Result<(),TaskError>", "Result<(),String>", "Result<(),std::io::Error>"].contains(&&*ty)
            }
        };
        let private = &self.private;
        (is_known && self.options.retry_if.is_none()).then(|| quote!(#private::IntoTaskResult::into_task_result))
    }

    /// Clones each field as for an attempt, so that an invalid type is the same error.
    fn impl_clone(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        let this = quote!(self);
        let clones = self.fields().map(|(field, ty)| {
            let clone = clone_of(ty, private);
            quote!(#field: #clone(&#this.#field))
        });
        quote! {
            #[automatically_derived]
            impl #private::Clone for #name {
                fn clone(&self) -> Self {
                    Self { #(#clones),* }
                }
            }
        }
    }

    /// Refuses a first argument with the name of a context whose type is a context under another name.
    fn refuse_alias(&self) -> Option<TokenStream> {
        const NAMES: [&str; 6] = ["ctx", "context", "cx", "token", "cancel", "shutdown"];
        let private = &self.private;
        let (field, ty) = self.fields().next().filter(|_| self.shape.context.is_none())?;
        let name = field.unraw();
        let is_alias = matches!(ty, Type::Path(_)) && NAMES.iter().any(|known| name == known);
        let at = hygienic(ty.span());
        let check = quote_spanned!(at=> refuse_context(<__tv::Probe<#ty>>::IS_CONTEXT));
        is_alias.then(|| quote!(const _: () = { use #private::{NoContext as _, refuse_context}; #check };))
    }

    /// Returns the fields. Each has a type here; otherwise the fallback is expanded.
    fn fields(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        function::typed(&self.shape.fields)
    }
}

/// Returns the function that clones a field for an attempt. It is located at the whole type, where an error is reported.
fn clone_of(ty: &Type, private: &TokenStream) -> TokenStream {
    let [start, end] = ends(ty);
    let private = located(private, end);
    let open = quote_spanned!(start=> <);
    let close = quote_spanned!(end=> as #private::TaskArg>::for_attempt);
    quote!(#open #ty #close)
}

/// Returns the tokens with that span, which has to give their names the same meaning.
fn respanned(tokens: &TokenStream, span: Span) -> TokenStream {
    let respan = |mut tree: TokenTree| {
        tree.set_span(span);
        tree
    };
    tokens.clone().into_iter().map(respan).collect()
}

/// Returns the spans of the first and the last token of a type.
fn ends(ty: &Type) -> [Span; 2] {
    let mut tokens = ty.to_token_stream().into_iter().map(|tree| tree.span());
    let start = tokens.next().unwrap_or_else(Span::call_site);
    [start, tokens.last().unwrap_or(start)].map(hygienic)
}

/// Returns `true` for a type with a part that is often not `Send`.
fn may_be_unsendable(ty: &TokenStream) -> bool {
    ty.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => ["dyn", "Rc", "Weak", "Cell", "RefCell", "OnceCell", "MutexGuard", "NonNull"]
            .iter()
            .any(|part| word == part),
        TokenTree::Punct(mark) => mark.as_char() == '*',
        TokenTree::Group(group) => may_be_unsendable(&group.stream()),
        TokenTree::Literal(_) => false,
    })
}
