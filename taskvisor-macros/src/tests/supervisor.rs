use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::supervisor::expand;

fn expand_item(item: TokenStream) -> (String, Vec<String>) {
    let expanded = expand(TokenStream::new(), item);
    let errors = messages(&expanded);
    let text = expanded.to_string();
    syn::parse2::<syn::File>(expanded).unwrap();
    (text, errors)
}

#[test]
fn the_structs_stand_beside_the_function() {
    let (expanded, errors) = expand_item(quote! {
        /// Docs.
        #[inline]
        #[cfg(a)]
        pub(crate) fn app<T>(db: T) -> App where T: Copy {
            let number = 1;
            a::b::supervise!(tasks = [ping { number }, store = group(tasks = [pool { db }])])
        }
    });
    assert!(errors.is_empty(), "{errors:?}");
    for item in [
        "pub (crate) struct App {",
        "pub (crate) struct AppTasks {",
        "pub (crate) struct AppGroups {",
        "pub (crate) struct AppGroupStore {",
        "pub (crate) struct AppTasksOfStore {",
        "pub (crate) struct AppGroupsOfStore {",
        "# [doc = \"The task `ping`.\"] pub ping :",
        "# [inline] # [cfg (a)] pub (crate) fn app < T > (db : T) -> App where T : Copy { let number = 1 ; {",
        "use a :: b :: supervise as _ ;",
    ] {
        assert!(expanded.contains(item), "{item} is not in {expanded}");
    }
    // Each struct and its `Deref`, the conversion to `Tree`, and the function.
    let items = syn::parse_str::<syn::File>(&expanded).unwrap().items;
    assert_eq!(items.len(), 10);
    assert_eq!(expanded.matches("# [cfg (a)]").count(), 10 + 2 * 3, "and each field, and its value");
}

#[test]
fn the_call_is_found_by_its_last_segment() {
    for (body, is_found) in [
        (quote!(supervise!()), true),
        (quote!(supervise! {}), true),
        (quote!(::a::supervise![]), true),
        (quote!(crate::a::b::supervise!()), true),
        (quote!(let x = 1; return supervise!();), false),
        (quote!(let a = ; supervise!()), true),
        (quote!(return a::supervise!()), true),
        (quote!(supervise!(); other!()), false),
        (quote!(other!(supervise!())), false),
        (quote!(supervise::other!()), false),
        (quote!(Self::supervise!()), false),
        (quote!({ supervise!() }), false),
        (quote!(), false),
    ] {
        let expanded = expand(
            TokenStream::new(),
            quote!(
                fn app() -> App { #body }
            ),
        );
        assert_eq!(messages(&expanded).is_empty(), is_found, "{body}");
        assert!(expanded.to_string().contains("struct App"), "{expanded}");
    }
}

#[test]
fn what_is_refused_has_the_shape_all_the_same() {
    for (item, name) in [
        ("fn my_app() { TREE }", "MyApp"),
        ("fn _1() { TREE }", "App"),
        ("fn app() -> Result<A, E> { Ok(TREE) }", "A"),
        ("fn app() -> Option<Arc<A>> { TREE }", "A"),
        ("fn app() -> a::A { TREE }", "A"),
        ("fn app() -> A<u8> { TREE }", "A"),
        ("fn app() -> &'static A { TREE }", "A"),
        ("fn app() -> taskvisor::Tree { TREE }", "App"),
        ("fn app() -> impl Deref { TREE }", "App"),
        ("fn app() -> self { TREE }", "App"),
        ("fn app() -> () { TREE }", "App"),
        ("fn app() -> App { TREE; }", "App"),
        ("fn app() -> App { let tree = TREE; tree }", "App"),
        ("const fn app() -> App { TREE }", "App"),
        ("fn app() -> App { supervise!(tasks = [ping {}], taks = []) }", "App"),
    ] {
        let item = item.replace("TREE", "supervise!(tasks = [ping {}])");
        let (expanded, errors) = expand_item(item.parse().unwrap());
        assert!((1..=2).contains(&errors.len()), "{item}: {errors:#?}");
        assert!(expanded.contains(&format!("struct {name} {{")), "{name}: {expanded}");
        assert!(expanded.contains("pub ping :"), "{expanded}");
    }
}

#[test]
fn what_is_no_free_function_gets_no_structs() {
    for item in [
        quote!(
            fn app(&self) -> App {
                supervise!()
            }
        ),
        quote!(
            fn app() -> Self {
                supervise!()
            }
        ),
        quote!(
            struct App;
        ),
    ] {
        let (expanded, errors) = expand_item(item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:#?}");
        assert_eq!(expanded.matches("struct App").count(), item.to_string().matches("struct App").count());
    }
}
