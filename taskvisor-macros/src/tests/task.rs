use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::task::expand;

fn expand_with(options: TokenStream, item: TokenStream) -> (String, Vec<String>) {
    let expanded = expand(options, item);
    let errors = messages(&expanded);
    (expanded.to_string(), errors)
}

#[test]
fn the_function_is_kept_as_written() {
    let item = quote! {
        /// Docs.
        #[inline]
        pub(crate) async fn ping(ctx: TaskContext, mut client: Client) -> Result<(), Error> { client. ; }
    };
    let (expanded, errors) = expand_with(quote!(restart = "always"), item.clone());
    assert!(errors.is_empty(), "{errors:?}");
    assert!(expanded.contains(&item.to_string()), "{expanded}");
    assert!(expanded.contains("pub (crate) struct ping"), "{expanded}");
    syn::parse_str::<syn::File>(
        &expand(
            quote!(),
            quote!(
                async fn ping(a: A) {}
            ),
        )
        .to_string(),
    )
    .unwrap();
}

#[test]
fn a_function_that_is_refused_is_still_there_with_its_struct() {
    for item in [
        quote!(
            fn ping(number: u8) {}
        ),
        quote!(
            async unsafe fn ping(number: u8) {}
        ),
        quote!(
            async extern "C" fn ping(number: u8) {}
        ),
        quote!(
            const fn ping(number: u8) {}
        ),
        quote!(
            async fn ping<T>(number: T) {}
        ),
        quote!(
            async fn ping(number: &u8) {}
        ),
        quote!(
            async fn ping(number: impl Copy) {}
        ),
        quote!(
            async fn ping((number, _): (u8, u8)) {}
        ),
        quote!(
            async fn ping(number: u8, context: TaskContext) {}
        ),
    ] {
        let (expanded, errors) = expand_with(quote!(), item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:#?}");
        assert!(expanded.contains(&item.to_string()), "{expanded}");
        assert!(expanded.contains("struct ping"), "{expanded}");
        syn::parse_str::<syn::File>(&expanded).unwrap();
    }
}

#[test]
fn what_cannot_have_items_beside_it_gets_none() {
    for item in [
        quote!(
            async fn ping(&self) {}
        ),
        quote!(
            async fn ping(service: Vec<Self>) {}
        ),
        quote!(
            struct Ping;
        ),
        quote!(
            async fn ping();
        ),
    ] {
        let (expanded, errors) = expand_with(quote!(), item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:#?}");
        assert!(!expanded.contains("struct ping"), "{expanded}");
    }
}

#[test]
fn references_that_are_not_borrowed_from_anyone_pass() {
    let item = quote!(
        async fn ping(a: &'static str, b: fn(&str) -> &str, c: Arc<dyn Fn(&u8) + Send + Sync>, d: Cow<'static, str>) {}
    );
    let (_, errors) = expand_with(quote!(), item);
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn errors_of_options_and_function_come_together() {
    let (_, errors) = expand_with(
        quote!(timout = "5s"),
        quote!(
            fn ping(number: &u8) {}
        ),
    );
    assert_eq!(errors.len(), 3, "{errors:#?}");
}

#[test]
fn signals_and_heartbeats_need_a_context() {
    for (item, expected) in [
        (
            quote!(
                async fn ping(ctx: TaskContext) {}
            ),
            0,
        ),
        (
            quote!(
                async fn ping(ctx: taskvisor::TaskContext, number: u8) {}
            ),
            0,
        ),
        (
            quote!(
                async fn ping() {}
            ),
            2,
        ),
        (
            quote!(
                async fn ping(token: CancellationToken) {}
            ),
            2,
        ),
        // The context was refused.
        (
            quote!(
                async fn ping(ctx: &TaskContext) {}
            ),
            1,
        ),
        (
            quote!(
                async fn ping(number: u8, ctx: TaskContext) {}
            ),
            1,
        ),
    ] {
        let (_, errors) = expand_with(quote!(watchdog = SILENCE, ready = "signal"), item.clone());
        assert_eq!(errors.len(), expected, "{item}: {errors:#?}");
    }
}

#[test]
fn a_function_is_async_or_blocking() {
    for (options, item, expected) in [
        (
            quote!(blocking),
            quote!(
                fn ping(a: u8) {}
            ),
            None,
        ),
        (
            quote!(),
            quote!(
                fn ping(a: u8) {}
            ),
            Some("`#[task(blocking)]`"),
        ),
        (
            quote!(blocking = false),
            quote!(
                fn ping(a: u8) {}
            ),
            Some("`#[task(blocking)]`"),
        ),
        (
            quote!(blocking),
            quote!(
                async fn ping(a: u8) {}
            ),
            Some("leave out `blocking`, or `async`"),
        ),
        (
            quote!(blocking = "yes"),
            quote!(
                fn ping(a: u8) {}
            ),
            Some("`true`, `false` or \"pool\""),
        ),
        (
            quote!(blocking),
            quote!(
                unsafe fn ping(a: u8) {}
            ),
            Some("write `fn ping`"),
        ),
        (
            quote!(retry_if = x),
            quote!(
                async fn ping(a: u8) {}
            ),
            Some("return `Result<(), E>`"),
        ),
        (
            quote!(retry_if = x),
            quote!(
                async fn ping(a: u8) -> () {}
            ),
            Some("return `Result<(), E>`"),
        ),
        (
            quote!(retry_if = x),
            quote!(
                async fn ping(a: u8) -> ! {}
            ),
            Some("return `Result<(), E>`"),
        ),
        (
            quote!(retry_if = x),
            quote!(
                async fn ping(a: u8) -> Outcome {}
            ),
            None,
        ),
    ] {
        let (expanded, errors) = expand_with(options, item.clone());
        match expected {
            None => assert!(errors.is_empty(), "{item}: {errors:#?}"),
            Some(part) => {
                assert!(matches!(&*errors, [only] if only.contains(part)), "{item}: {errors:#?}");
            }
        }
        assert!(expanded.contains("struct ping"), "{expanded}");
    }
}

#[test]
fn only_one_attribute_makes_a_function_a_task() {
    for item in [
        quote!(
            #[task(restart = "always")]
            async fn ping() {}
        ),
        quote!(
            #[doc = "x"]
            #[taskvisor::subscriber]
            async fn ping() {}
        ),
    ] {
        for expand in [expand, crate::subscriber::expand, crate::supervisor::expand] {
            let expanded = expand(quote!(), item.clone());
            assert_eq!(messages(&expanded).len(), 1, "{expanded}");
            assert!(expanded.to_string().starts_with(&item.to_string()), "{expanded}");
            assert!(!expanded.to_string().contains("struct"), "{expanded}");
        }
    }
}

#[test]
fn conditions_stand_on_every_item() {
    let (expanded, _) = expand_with(
        quote!(),
        quote!(
            #[cfg(test)]
            async fn ping() {}
        ),
    );
    let file = syn::parse_str::<syn::File>(&expanded).unwrap();
    for item in &file.items {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            _ => panic!("unexpected item"),
        };
        assert!(attributes.iter().any(|attribute| attribute.path().is_ident("cfg")));
    }
}
