//! `let` statements that evaluate the user's expressions, each once and in the written order.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Expr;
use syn::parse::Parser;
use syn::spanned::Spanned;

use crate::arms;
use crate::options::singleton::ENABLED as FLEET;
use crate::path::{hygienic, located};
use crate::reader::{Binding, Purpose};

/// Returns the statements that fill the locals. User expressions cannot see the generated names, which have
/// `Span::mixed_site()`; generated items must be outside their scope.
pub(crate) fn expand(bindings: &[Binding], private: &TokenStream) -> TokenStream {
    bindings
        .iter()
        .map(|binding| {
            let cfgs = &binding.cfgs;
            let statement = statement(binding, private);
            quote!(#(#cfgs)* #statement)
        })
        .collect()
}

fn statement(binding: &Binding, private: &TokenStream) -> TokenStream {
    let Binding { local, expr, .. } = binding;
    let span = local.span();
    let private = &located(private, span);
    let typed = |ty: TokenStream| quote_spanned!(span=> let #local: #ty = #expr;);
    let convert = quote_spanned!(span=> #private::IntoTaskSpec::into_task_spec);
    match binding.purpose {
        Purpose::Duration => typed(quote_spanned!(span=> #private::Duration)),
        Purpose::Restart => typed(quote_spanned!(span=> #private::RestartPolicy)),
        Purpose::Ready => typed(quote_spanned!(span=> #private::Ready)),
        Purpose::SpanScope => typed(quote_spanned!(span=> #private::SpanScope)),
        Purpose::Jitter => typed(quote_spanned!(span=> #private::JitterPolicy)),
        Purpose::Backoff => typed(quote_spanned!(span=> #private::BackoffPolicy)),
        Purpose::Strategy => typed(quote_spanned!(span=> #private::Strategy)),
        Purpose::Admission if cfg!(feature = "controller") => typed(quote_spanned!(span=> #private::AdmissionPolicy)),
        Purpose::Missed if cfg!(feature = "cron") => typed(quote_spanned!(span=> #private::Missed)),
        Purpose::LastRun => quote_spanned! {span=>
            let #local = #private::Into::<#private::Option<::std::time::SystemTime>>::into(#expr);
        },
        Purpose::Fleet if FLEET => typed(quote_spanned!(span=> #private::Fleet)),
        Purpose::Lease if FLEET => quote_spanned! {span=>
            let #local = #private::IntoSingleton::into_singleton(#expr);
        },
        Purpose::Standby if FLEET => typed(quote_spanned!(span=> #private::Standby)),
        Purpose::Overrun if FLEET => typed(quote_spanned!(span=> #private::Overrun)),
        Purpose::Ticks if FLEET => typed(quote_spanned!(span=> #private::Ticks)),
        Purpose::Signals => quote_spanned!(span=> let #local = #private::Into::<#private::Signals>::into(#expr);),
        Purpose::SignalAction => typed(quote_spanned!(span=> #private::SignalAction)),
        Purpose::U32 => typed(quote_spanned!(span=> ::core::primitive::u32)),
        Purpose::Usize => typed(quote_spanned!(span=> ::core::primitive::usize)),
        Purpose::Factor => typed(quote_spanned!(span=> ::core::primitive::f64)),
        Purpose::Switch => typed(quote_spanned!(span=> ::core::primitive::bool)),
        Purpose::Config => typed(quote_spanned!(span=> #private::SupervisorConfig)),
        Purpose::Controller if cfg!(feature = "controller") => typed(quote_spanned!(span=> #private::ControllerConfig)),
        Purpose::Overrides => typed(quote_spanned!(span=> #private::Overrides)),
        Purpose::Admission
        | Purpose::Controller
        | Purpose::Missed
        | Purpose::Fleet
        | Purpose::Lease
        | Purpose::Standby
        | Purpose::Overrun
        | Purpose::Ticks => quote_spanned!(span=> let #local = #expr;),
        Purpose::Text => quote_spanned! {span=>
            let #local = #private::Into::<#private::Arc<#private::str>>::into(#expr);
        },
        Purpose::Subscriber => quote_spanned!(span=> let #local = #private::IntoSubscriber::into_subscriber(#expr);),
        Purpose::Subscribers => {
            let iterator = iterator(expr);
            quote_spanned! {span=>
                let #local = {
                    let mut subscribers = ::std::vec::Vec::<#private::Arc<dyn #private::Subscribe>>::new();
                    #[allow(for_loops_over_fallibles)]
                    for subscriber in #iterator {
                        subscribers.push(#private::IntoSubscriber::into_subscriber(subscriber));
                    }
                    subscribers
                };
            }
        }
        Purpose::Dynamic => typed(quote_spanned!(span=> #private::Dynamic)),
        // The setter is called here, so that a function of another type is one error, at the function.
        Purpose::Maker => quote_spanned! {span=>
            let #local = { let make = #expr; move |group: #private::Group| #private::Group::fresh(group, make) };
        },
        Purpose::Group => typed(quote_spanned!(span=> #private::Group)),
        Purpose::Spec => {
            let mut arms = expr.clone();
            let expr = if arms::convert(&mut arms, &convert) { &arms } else { expr };
            quote_spanned!(span=> let #local = #convert(#expr);)
        }
        // Consumed in place, so that the iterator can borrow from temporaries.
        Purpose::Specs => {
            let iterator = iterator(expr);
            quote_spanned! {span=>
                let #local = {
                    let mut specs = ::std::vec::Vec::<#private::TaskSpec>::new();
                    #[allow(for_loops_over_fallibles)]
                    for spec in #iterator { specs.push(#convert(spec)); }
                    specs
                };
            }
        }
    }
}

/// Returns the expression for a `for` loop, where a struct literal needs parentheses.
fn iterator(expr: &Expr) -> TokenStream {
    let (span, expr) = (hygienic(expr.span()), expr.to_token_stream());
    let is_plain = Expr::parse_without_eager_brace.parse2(expr.clone()).is_ok();
    if is_plain { expr } else { quote_spanned!(span=> (#expr)) }
}
