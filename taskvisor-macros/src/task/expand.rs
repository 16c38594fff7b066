//! Generates the items beside the function: the struct, its `spec` and `NAME`, and its traits.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ReturnType, Type};

use super::Shape;
use crate::bindings;
use crate::function::{self, Function, Kind, find_word};
use crate::options::{Options, is_set, plain};
use crate::path::{self, hygienic, located};
use crate::reader::Binding;

/// Returns the function and the generated items.
pub(super) fn expand(function: &Function, shape: &Shape, options: &Options, bindings: &[Binding]) -> TokenStream {
    let generated = Generated {
        private: path::private(options.krate.as_ref()),
        name: function.struct_name(),
        function,
        shape,
        options,
        bindings,
    };
    let item_struct = generated.item_struct();
    let impls = [
        generated.impl_inherent(),
        generated.impl_named(),
        function.impl_debug(),
        generated.impl_task(),
        generated.impl_from(),
    ];
    let (conditions, deprecation, allowance) = (function.conditions(), function.deprecation(), function.allowance());
    quote! {
        #function
        #conditions #deprecation #item_struct
        #(#conditions #allowance #impls)*
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
        self.function.item_struct(Kind::Task, &doc, self.fields())
    }

    fn impl_inherent(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        let constant = self.function.constant_name(self.options.name.as_ref(), private);
        let (fields, types): (Vec<_>, Vec<_>) = self.fields().unzip();
        // Clippy checks the number of arguments on the function itself.
        let allow = (fields.len() > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]));
        quote! {
            impl #name {
                /// Returns the name of the task.
                pub const NAME: &'static #private::str = #constant;

                /// Returns the spec of the task with these arguments.
                #[must_use]
                #allow
                pub fn spec(#(#fields: #types),*) -> #private::TaskSpec {
                    <#private::TaskSpec as #private::From<Self>>::from(Self { #(#fields),* })
                }
            }
        }
    }

    fn impl_named(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        quote! {
            impl #private::Named for #name {
                const NAME: &'static #private::str = #name::NAME;
            }
        }
    }

    fn impl_task(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        // A thread cannot be dropped, so it gets time to clean up.
        let takes_context = self.shape.context.is_some() || self.is_blocking();
        let context = Ident::new("context", hygienic(name.span()));
        let attempt = self.attempt(&context);
        // `spawn` uses a trait object, so that a field that is not `Send` is not reported there too.
        quote! {
            #[automatically_derived]
            impl #private::Task for #name {
                fn name(&self) -> &#private::str {
                    Self::NAME
                }

                fn spawn(&self, token: #private::CancellationToken) -> #private::BoxTaskFuture {
                    #private::spawn(self, token)
                }

                fn attempt(&self, #context: #private::TaskContext) -> #private::BoxTaskFuture {
                    #attempt
                }

                fn takes_context(&self) -> ::core::primitive::bool {
                    #takes_context
                }
            }
        }
    }

    fn is_blocking(&self) -> bool {
        is_set(self.options.blocking.as_ref())
    }

    /// Returns the body of one attempt: clones of the fields, and a future that calls the function.
    fn attempt(&self, context: &Ident) -> TokenStream {
        let Self { private, name, .. } = self;
        let span = hygienic(name.span());
        let this = Ident::new("this", span);
        let mut arguments: Vec<Ident> = Vec::new();
        let mut clones = TokenStream::new();
        let from_context = if let Some(ty) = &self.shape.context {
            arguments.push(context.clone());
            let at = hygienic(ty.span());
            quote_spanned!(at=> let #context = <#ty as #private::FromContext>::from_context(#context);)
        } else {
            quote!(let _ = #context;)
        };
        for (position, (field, ty)) in self.fields().enumerate() {
            let local = format_ident!("argument{position}", span = span);
            let at = hygienic(ty.span());
            clones.extend(quote_spanned! {at=>
                let #local = <#ty as #private::TaskArg>::for_attempt(&#this.#field);
            });
            arguments.push(local);
        }
        let function = &self.function.signature.ident;
        let call = quote!(#function(#(#arguments),*));
        // The span of the function, because a future that is not `Send` is the future of the function.
        let private = located(private, span);
        let future = if self.is_blocking() {
            let outcome = self.outcome(&call);
            quote_spanned!(span=> #private::blocking(#context, move |#context| { #from_context #outcome }))
        } else {
            let outcome = self.outcome(&quote!(#call.await));
            quote_spanned! {span=> {
                #from_context
                let future: #private::BoxTaskFuture = #private::Box::pin(async move { #outcome });
                future
            } }
        };
        quote! {
            let #this = self;
            #clones
            #future
        }
    }

    /// Converts the return value to the result of the attempt.
    fn outcome(&self, returned: &TokenStream) -> TokenStream {
        let Self { private, .. } = self;
        if let Some(retry_if) = plain(self.options.retry_if.as_ref()) {
            return self.outcome_if(returned, &retry_if);
        }
        match &self.function.signature.output {
            ReturnType::Default => quote!(<() as #private::IntoTaskResult>::into_task_result(#returned)),
            ReturnType::Type(_, ty) => {
                let span = hygienic(ty.span());
                match &**ty {
                    // Stable Rust cannot name `!` here.
                    Type::Never(_) => quote!(match #returned {}),
                    ty if find_word(ty.to_token_stream(), "impl").is_some() => {
                        quote_spanned!(span=> #private::IntoTaskResult::into_task_result(#returned))
                    }
                    ty => quote_spanned! {span=>
                        <#ty as #private::IntoTaskResult>::into_task_result(#returned)
                    },
                }
            }
        }
    }

    /// Converts the return value, and passes an error to `retry_if`.
    fn outcome_if(&self, returned: &TokenStream, retry_if: &TokenStream) -> TokenStream {
        let Self { private, .. } = self;
        match &self.function.signature.output {
            ReturnType::Type(_, ty) if find_word(ty.to_token_stream(), "impl").is_none() => {
                let span = hygienic(ty.span());
                let private = located(private, span);
                // Exactly that type, so that another function is an error at its path.
                quote_spanned! {span=>
                    let retry_if: fn(&<#ty as #private::Fallible>::Error) -> ::core::primitive::bool = #retry_if;
                    #private::outcome_if::<#ty, _>(#returned, retry_if)
                }
            }
            _ => quote!(#private::Fallible::into_task_result_if(#returned, #retry_if)),
        }
    }

    fn impl_from(&self) -> TokenStream {
        let Self { private, name, .. } = self;
        let bindings = bindings::expand(self.bindings, private);
        let task = Ident::new("task", hygienic(name.span()));
        let spec = quote!(#private::TaskSpec::inherit(#private::Arc::new(#task)));
        let spec = self.options.of_task(spec, private);
        quote! {
            #[automatically_derived]
            impl #private::From<#name> for #private::TaskSpec {
                fn from(#task: #name) -> Self {
                    #bindings
                    #spec
                }
            }
        }
    }

    /// Returns the fields. Each has a type here; otherwise the fallback is expanded.
    fn fields(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        function::typed(&self.shape.fields)
    }
}
