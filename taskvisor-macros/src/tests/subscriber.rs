use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::subscriber::expand;

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
        pub(crate) async fn listen(event: &Happening, mut state: State, other: u8) { state. ; }
    };
    let (expanded, errors) = expand_with(quote!(), item.clone());
    assert!(errors.is_empty(), "{errors:?}");
    assert!(expanded.contains(&item.to_string()), "{expanded}");
    assert!(expanded.contains("pub (crate) struct listen"), "{expanded}");
    assert!(expanded.contains("pub state : State") && expanded.contains("pub other : u8"), "{expanded}");
    assert!(!expanded.contains("pub event"), "{expanded}");
    assert!(!expanded.contains("fn queue_capacity"), "{expanded}");
}

#[test]
fn options_become_methods_and_documentation() {
    let item = quote!(
        async fn listen(event: &Event) {}
    );
    let (expanded, errors) = expand_with(quote!(name = "ear", queue = 16, crate = "a::b"), item.clone());
    assert!(errors.is_empty(), "{errors:?}");
    assert!(expanded.contains("__tv :: str = \"ear\""), "{expanded}");
    assert!(expanded.contains("fn queue_capacity (& self) -> :: core :: primitive :: usize { 16usize }"), "{expanded}");
    assert!(expanded.contains(r"- `name`: `ear`\n- `queue`: 16"), "{expanded}");
    let (expanded, errors) = expand_with(quote!(name = NAME, queue = size()), item);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(expanded.contains(r"- `name`: computed\n- `queue`: computed"), "{expanded}");
    assert!(expanded.contains("usize = size () ; value0"), "{expanded}");
}

#[test]
fn a_function_that_is_refused_is_still_there_with_its_struct() {
    for item in [
        quote!(
            fn listen(event: &Event) {}
        ),
        quote!(
            async unsafe fn listen(event: &Event) {}
        ),
        quote!(
            async fn listen<T>(event: &Event, state: T) {}
        ),
        quote!(
            async fn listen() {}
        ),
        quote!(
            async fn listen(state: u8) {}
        ),
        quote!(
            async fn listen(event: Event) {}
        ),
        quote!(
            async fn listen(event: &mut Event) {}
        ),
        quote!(
            async fn listen(event: &Event, text: &str) {}
        ),
        quote!(
            async fn listen(event: &Event, (a, b): (u8, u8)) {}
        ),
        quote!(
            async fn listen(event: &Event) -> u8 {}
        ),
    ] {
        let (expanded, errors) = expand_with(quote!(), item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:#?}");
        assert!(expanded.contains(&item.to_string()), "{expanded}");
        assert!(expanded.contains("struct listen"), "{expanded}");
        syn::parse_str::<syn::File>(&expanded).unwrap();
    }
}

#[test]
fn what_cannot_have_items_beside_it_gets_none() {
    for item in [
        quote!(
            async fn listen(&self, event: &Event) {}
        ),
        quote!(
            async fn listen(event: &Event, service: Vec<Self>) {}
        ),
        quote!(
            struct Listen;
        ),
    ] {
        let (expanded, errors) = expand_with(quote!(), item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:#?}");
        assert!(!expanded.contains("struct listen"), "{expanded}");
    }
}

#[test]
fn errors_of_options_and_function_come_together() {
    let (_, errors) = expand_with(
        quote!(queu = 5, queue = 0, name = ""),
        quote!(
            fn listen(event: &Event, text: &str) -> u8 {}
        ),
    );
    assert_eq!(errors.len(), 6, "{errors:#?}");
}
