//! Generates the items beside the function: the struct, its `NAME` and its traits.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::Options;
use crate::bindings;
use crate::function::{self, Field, Function, Kind};
use crate::options::plain;
use crate::path::{self, hygienic, located};
use crate::reader::{Binding, Given, Value};

/// Returns the function and the generated items.
pub(super) fn expand(
    function: &Function,
    event: &Type,
    state: &[Field],
    options: &Options,
    bindings: &[Binding],
) -> TokenStream {
    let (private, import) = (path::alias(), path::import(options.krate.as_ref()));
    let item_struct = function.item_struct(Kind::Subscriber, &doc(function, options), state);
    let impls = [
        impl_inherent(function, options, &private),
        function.impl_debug(&private),
        impl_function_subscriber(function, event, state, options, bindings, &private),
    ];
    let (conditions, deprecation, allowance) = (function.conditions(), function.deprecation(), function.allowance());
    quote! {
        #function
        #conditions #deprecation #item_struct
        #conditions #allowance
        const _: () = {
            #import
            #(#impls)*
        };
    }
}

fn doc(function: &Function, options: &Options) -> String {
    let title = function.title();
    let name = match options.name.as_ref().map(|given| &given.value) {
        Some(Value::Known(name, _)) => format!("`{}`", name.value()),
        Some(_) => "computed".to_owned(),
        None => format!("`{title}`"),
    };
    let queue = match options.queue.as_ref().map(Given::known) {
        Some(Some((queue, _))) => queue.to_string(),
        Some(None) => "computed".to_owned(),
        None => "1024".to_owned(),
    };
    format!(
        "The subscriber [`{title}`](fn@{title}) as a value, with a field for each argument after the event. Each event \
         gets clones of them.\n\n- `name`: {name}\n- `queue`: {queue}"
    )
}

fn impl_inherent(function: &Function, options: &Options, private: &TokenStream) -> TokenStream {
    let (name, constant) = (function.struct_name(), function.constant_name(options.name.as_ref(), private));
    let doc = function.standard_doc("The name of the subscriber in reports about it.");
    quote! {
        impl #name {
            #doc
            pub const NAME: &'static #private::str = #constant;
        }
    }
}

/// Returns `queue_capacity`, if it is given.
pub(super) fn queue_capacity(options: &Options, bindings: &[Binding], private: &TokenStream) -> Option<TokenStream> {
    let queue = plain(options.queue.as_ref())?;
    let bindings = bindings::expand(bindings, private);
    Some(quote! {
        fn queue_capacity(&self) -> ::core::primitive::usize {
            #bindings
            #queue
        }
    })
}

fn impl_function_subscriber(
    function: &Function,
    event: &Type,
    state: &[Field],
    options: &Options,
    bindings: &[Binding],
    private: &TokenStream,
) -> TokenStream {
    let name = function.struct_name();
    let span = hygienic(name.span());
    let at = hygienic(event.span());
    let [this, taken, given] = ["this", "event", "given"].map(|local| Ident::new(local, span));
    let mut arguments = vec![given.clone()];
    let mut clones = TokenStream::new();
    for (position, (field, ty)) in function::typed(state).enumerate() {
        let local = format_ident!("argument{position}", span = span);
        clones.extend(quote_spanned! {hygienic(ty.span())=>
            let #local = <#ty as #private::SubscriberState>::for_event(&#this.#field);
        });
        arguments.push(local);
    }
    // An argument that is not `&Event` is an error at its type.
    let mut taken_there = taken.clone();
    taken_there.set_span(at);
    let event = quote_spanned!(at=> let #given: #event = #taken_there;);
    let call = &function.signature.ident;
    // The span of the function, because a future that is not `Send` is the future of the function.
    let located = located(private, span);
    let future = quote_spanned! {span=>
        let delivery: #located::Delivery<'_> = #located::Box::pin(async move { #call(#(#arguments),*).await });
        delivery
    };
    let (constant, queue) =
        (function.own_name(options.name.as_ref(), private), queue_capacity(options, bindings, private));
    quote! {
        #[automatically_derived]
        impl #private::FunctionSubscriber for #name {
            const NAME: &'static #private::str = #constant;

            fn on_event<'a>(&'a self, #taken: &'a #private::Event) -> #private::Delivery<'a> {
                #event
                let #this = self;
                #clones
                #future
            }

            #queue
        }
    }
}
