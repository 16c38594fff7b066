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
        "pub (crate) type App = __tv_app :: DeclaredTree < AppTasks , AppGroups , () > ;",
        "pub (crate) struct AppTasks {",
        "pub (crate) struct AppGroups {",
        "pub (crate) struct AppTasksOfStore {",
        "pub (crate) type AppGroupStore = __tv_app :: DeclaredGroup < AppTasksOfStore , () > ;",
        "pub store : AppGroupStore",
        "# [inline] # [cfg (a)] pub (crate) fn app < T > (db : T) -> __tv_app :: DeclaredTree < AppTasks , AppGroups , () > where T : Copy { let number = 1 ; {",
        "use a :: b :: supervise as _ ;",
    ] {
        assert!(expanded.contains(item), "{item} is not in {expanded}");
    }
    // The import, each struct and its `Debug`, the types, and the function.
    let items = syn::parse_str::<syn::File>(&expanded).unwrap().items;
    assert_eq!(items.len(), 10);
    assert_eq!(expanded.matches("# [cfg (a)]").count(), 10 + 3 * 3, "and each field, its value, and its `Debug`");
}

#[test]
fn only_what_other_crates_see_gets_standard_docs() {
    let tree = |visibility: TokenStream| {
        let item = quote!(#visibility fn app() -> App { supervise!(tasks = [ping {}, #[doc = "Mine."] pong {}]) });
        expand_item(item).0
    };
    let public = tree(quote!(pub));
    for docs in ["# [doc = \"The task `ping`.\"] pub ping :", "# [doc = \"Mine.\"] pub pong :", "Handles for the tree"]
    {
        assert!(public.contains(docs), "{docs} is not in {public}");
    }
    let private = tree(quote!(pub(crate)));
    assert!(private.contains("{ pub ping :") && private.contains("# [doc = \"Mine.\"] pub pong :"), "{private}");

    let task = |visibility: TokenStream| {
        let item = quote!(#visibility async fn ping(number: u8, #[doc = "Mine."] other: u8) {});
        crate::task::expand(TokenStream::new(), item).to_string()
    };
    let (public, private) = (task(quote!(pub)), task(quote!()));
    for docs in ["The argument `number`.", "The name of the task.", "Returns the spec"] {
        assert!(public.contains(docs) && !private.contains(docs), "{docs}");
    }
    assert!(public.contains("Mine.") && private.contains("Mine."), "{private}");
}

#[test]
fn the_call_is_found_by_its_last_segment() {
    for (body, is_found) in [
        (quote!(supervise!()), true),
        (quote!(supervise! {}), true),
        (quote!(::a::supervise![]), true),
        (quote!(crate::a::b::supervise!()), true),
        (quote!(let x = 1; return supervise!();), true),
        (quote!(Ok(supervise!())), true),
        (quote!(let tree = supervise!(); tree), true),
        (quote!(let tree = wrap(supervise!())?; Ok(tree)), true),
        (quote!(let a = ; supervise!()), true),
        (quote!(return a::supervise!()), true),
        (quote!(supervise!(); other!()), false),
        (quote!(other!(supervise!())), true),
        (quote!(supervise::other!()), false),
        (quote!(Self::supervise!()), false),
        (quote!({ supervise!() }), true),
        (quote!(let tree = other(); supervise!(); tree), false),
        (quote!(), false),
    ] {
        let expanded = expand(
            TokenStream::new(),
            quote!(
                fn app() -> App { #body }
            ),
        );
        assert_eq!(messages(&expanded).is_empty(), is_found, "{body}");
        assert!(expanded.to_string().contains("type App ="), "{expanded}");
    }
}

#[test]
fn what_is_refused_has_the_shape_all_the_same() {
    for (item, name) in [
        ("fn my_app() { TREE }", "MyApp"),
        ("fn _1() { TREE }", "App"),
        ("fn app() -> a::A { TREE }", "A"),
        ("fn app() -> A<u8> { TREE }", "A"),
        ("fn app() -> &'static A { TREE }", "A"),
        ("fn app() -> Result<&A, E> { Ok(TREE) }", "A"),
        ("fn app() -> Result<Tree, E> { Ok(TREE) }", "App"),
        ("fn app() -> taskvisor::Tree { TREE }", "App"),
        ("fn app() -> impl Deref { TREE }", "App"),
        ("fn app() -> self { TREE }", "App"),
        ("fn app() -> () { TREE }", "App"),
        ("fn app() -> App { TREE; }", "App"),
        ("const fn app() -> App { TREE }", "App"),
        ("fn app() -> App { supervise!(tasks = [ping {}], taks = []) }", "App"),
    ] {
        let item = item.replace("TREE", "supervise!(tasks = [ping {}])");
        let (expanded, errors) = expand_item(item.parse().unwrap());
        assert!((1..=2).contains(&errors.len()), "{item}: {errors:#?}");
        assert!(expanded.contains(&format!("type {name} =")), "{name}: {expanded}");
        assert!(expanded.contains("pub ping :"), "{expanded}");
    }
}

#[test]
fn m20_the_tree_can_be_in_a_result() {
    for (item, output) in [
        ("fn app() -> Result<App, E> { Ok(TREE) }", "Result < __tv_app :: DeclaredTree < AppTasks , () , () > , E >"),
        ("fn app() -> Option<Arc<App>> { TREE }", "Option < Arc < __tv_app :: DeclaredTree < AppTasks , () , () > > >"),
        ("fn app() -> anyhow::Result<App> { let tree = TREE; Ok(tree) }", "anyhow :: Result < __tv_app ::"),
    ] {
        let item = item.replace("TREE", "supervise!(tasks = [ping {}])");
        let (expanded, errors) = expand_item(item.parse().unwrap());
        assert!(errors.is_empty(), "{item}: {errors:#?}");
        assert!(expanded.contains(&format!("fn app () -> {output}")) && expanded.contains("type App ="), "{expanded}");
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
        assert!(!expanded.contains("type App"), "{expanded}");
    }
}

#[test]
fn a_refused_return_type_stays_and_the_body_has_any_type() {
    for (output, kept, is_any) in [
        ("App", None, false),
        ("Option<App>", None, false),
        ("App<u8>", None, false),
        ("a::App", Some("-> a :: App"), true),
        ("&App", Some("-> & App"), true),
        ("Tree<u8>", Some("-> Tree < u8 >"), true),
        ("impl Sized", Some("-> impl Sized"), false),
    ] {
        let item: TokenStream = format!("fn app() -> {output} {{ a::supervise!(tasks = []) }}").parse().unwrap();
        let expanded = expand(TokenStream::new(), item).to_string();
        assert_eq!(expanded.contains("unreachable ! ()"), is_any, "{output}: {expanded}");
        let written = format!("-> {output}").parse::<TokenStream>().unwrap().to_string();
        assert_eq!(expanded.contains(&format!("fn app () {written} {{")), kept.is_some(), "{output}: {expanded}");
        assert!(!expanded.contains("supervise ! ("), "{output}: {expanded}");
    }
}

#[test]
fn the_call_of_a_tree_is_replaced_where_it_stands() {
    let at_end = "the tree is what the function returns: end it with `supervise!(..)`";
    let semicolon = "the tree is what the function returns: leave out this `;`";
    for (body, message) in [
        ("supervise!(tasks = [])", None),
        ("Some(supervise!(tasks = []))", None),
        ("supervise!(tasks = [])?", None),
        ("let tree = supervise!(tasks = []); tree", None),
        ("return supervise!(tasks = []);", None),
        ("supervise!(tasks = []);", Some(semicolon)),
        ("drop(supervise!(tasks = []));", Some(at_end)),
        ("supervise!(tasks = []).start(); made()", Some(at_end)),
    ] {
        let braced = proc_macro2::Group::new(proc_macro2::Delimiter::Brace, body.parse().unwrap());
        // As it is written, and as `macro_rules!` passes a block on.
        let written = TokenStream::from(proc_macro2::TokenTree::Group(braced));
        let passed = proc_macro2::Group::new(proc_macro2::Delimiter::None, written.clone());
        for block in [written, TokenStream::from(proc_macro2::TokenTree::Group(passed))] {
            let expanded = expand(TokenStream::new(), quote!(fn app() -> App #block));
            assert_eq!(messages(&expanded), Vec::from_iter(message), "{body}");
            assert!(!expanded.to_string().contains("supervise ! ("), "{body}: {expanded}");
        }
    }
}

#[test]
fn a_body_without_braces_stays_as_it_is() {
    let item = quote!(fn app() -> App ({ supervise!(tasks = []) }));
    let expanded = expand(TokenStream::new(), item).to_string();
    assert!(expanded.contains("({ supervise ! (tasks = []) })"), "{expanded}");
}
