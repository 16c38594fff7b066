use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::supervise::expand;

fn expand_tree(input: TokenStream) -> (String, Vec<String>) {
    let expanded = expand(input);
    let errors = messages(&expanded);
    let text = expanded.to_string();
    syn::parse2::<syn::Expr>(expanded).unwrap();
    (text, errors)
}

/// The fields of the struct for the tasks at the root.
fn fields(expanded: &str) -> Vec<String> {
    fields_of("Tasks", expanded)
}

fn fields_of(name: &str, expanded: &str) -> Vec<String> {
    let (_, item) = expanded.split_once(&format!("struct {name} {{")).unwrap();
    let (item, _) = item.split_once('}').unwrap();
    let fields = item.split("pub ").skip(1);
    fields.filter_map(|field| Some(field.split_once(" :")?.0.to_owned())).collect()
}

#[test]
fn entries_have_the_fields_that_their_form_gives() {
    let (expanded, errors) = expand_tree(quote!(
        tasks = [
            ping { client },
            path::to::pong {},
            inner::poll::spec(1),
            label = anything(),
            task(timed {}, timeout = "5s"),
            other = task(timed {}, timeout = "5s"),
            plain,
            r#loop {},
            some::path,
            call(),
            ping::spec(1).with_name("x"),
            { block },
            ..iterator,
        ],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    let expected = ["ping", "pong", "poll", "label", "timed", "other", "plain", "r#loop"];
    assert_eq!(fields(&expanded), expected);
}

#[test]
fn a_half_typed_entry_keeps_its_field_and_all_others() {
    let (expanded, errors) = expand_tree(quote!(
        grace = ,
        tasks = [
            ping {},
            half { client: cl. },
            label = path::other { client: },
            task(inner { a: }, timeout = "5s"),
            closure(|a, b| generic::<A, B>()),
            pong {},
        ],
    ));
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(fields(&expanded), ["ping", "half", "label", "inner", "pong"]);
}

#[test]
fn what_holds_an_unread_piece_is_left_out() {
    let (expanded, errors) = expand_tree(quote!(
        grace = time(a b),
        config = where (),
        tasks = [called = call(a b), deep = group(tasks = [ping { a. }], after = [ping.]), pong {}],
    ));
    assert_eq!(errors.len(), 5, "{errors:?}");
    assert_eq!(fields(&expanded), ["called", "pong"]);
    assert!(!expanded.contains("a b"), "{expanded}");
}

#[test]
fn m07_each_part_that_cannot_be_read_is_told_beside_the_others() {
    let (_, errors) = expand_tree(quote!(
        grace = ,
        drain: "5s",
        tasks = [ping { number: }, pong {} other {}, store = group(tasks = [half.], strategi = one_for_all)],
    ));
    let expected = [
        "write `=` after `drain`: `drain = ..`",
        "a value is missing after `grace =`",
        "a value is missing here",
        "a `,` is missing before this",
        "a name is missing after the `.`",
        "unknown option `strategi`, did you mean `strategy`?",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn keywords_are_no_fields() {
    let (expanded, errors) = expand_tree(quote!(tasks = [Self {}, self, half dyn {}, ping {}]));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(fields(&expanded), ["ping"]);
    let (_, errors) = expand_tree(quote!(tasks = [self = ping {}]));
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn a_struct_literal_can_be_iterated() {
    let (expanded, errors) = expand_tree(quote!(tasks = [..Shards { from: 1 }, ..shards.iter()]));
    assert!(errors.is_empty(), "{errors:?}");
    assert!(
        expanded.contains("in (Shards { from : 1 }) {") && expanded.contains("in shards . iter () {"),
        "{expanded}"
    );
}

#[test]
fn labels_collide() {
    let (expanded, errors) = expand_tree(quote!(tasks = [ping {}, ping {}, r#ping = pong {}]));
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(fields(&expanded), ["ping"]);
}

#[test]
fn conditional_entries_collide_where_both_are_there() {
    let (expanded, _) = expand_tree(quote!(
        tasks = [
            #[cfg(a)]
            ping {},
            #[cfg(b)]
            ping {},
            store = group(
                tasks = [
                    pong {},
                    #[cfg(c)]
                    pong {}
                ]
            ),
            #[cfg(any())]
            store = group(tasks = []),
            #[cfg(d)]
            inner = group(
                tasks = [
                    #[cfg(e)]
                    pong {},
                    pong {}
                ]
            ),
        ],
    ));
    for expected in [
        "# [cfg (a)] # [cfg (b)] :: core :: compile_error ! { \"two entries go by `ping`",
        "# [cfg (c)] :: core :: compile_error ! { \"two entries go by `pong`",
        "# [cfg (any ())] :: core :: compile_error ! { \"two entries go by `store`",
        "# [cfg (d)] # [cfg (e)] :: core :: compile_error ! { \"two entries go by `pong`",
        "# [cfg (a)] pub ping : ",
        "# [cfg (b)] # [cfg (not (all (all (a))))] pub ping : ",
        "{ pub pong : ",
        "# [cfg (c)] # [cfg (not (all ()))] pub pong : ",
        "# [cfg (d)] # [cfg (not (all (all (e))))] pub pong : ",
    ] {
        assert!(expanded.contains(expected), "{expected} is not in {expanded}");
    }
    assert_eq!(expanded.matches("two entries go by").count(), 4, "{expanded}");
}

#[test]
fn all_errors_are_reported_at_once() {
    let (_, errors) = expand_tree(quote!(
        gracee = "5s",
        drain = 5,
        signals = "x",
        defaults(timout = "5s"),
        tasks = [task(ping {}, timout = "5s"), ping {}],
        5,
    ));
    assert_eq!(errors.len(), 8, "{errors:#?}");
}

#[test]
fn the_users_expressions_come_before_our_items() {
    let (expanded, _) = expand_tree(quote!(tasks = [tree = Tree::own()], config = own()));
    let (tree, config) = (expanded.find("Tree :: own"), expanded.find("own ()"));
    let items = expanded.find("struct Tasks");
    assert!(tree < items && config < items && tree < config, "{expanded}");
}

#[test]
fn keys_override_fields_of_the_config() {
    let (expanded, errors) = expand_tree(quote!(
        config = own(),
        grace = "3s",
        drain = "1.5s",
        max_concurrent = 4,
        signals = false,
        name = "app",
        defaults(stop_timeout = "2s", max_retries = 3, backoff(reset_after = "1m")),
        subscribers = [first, second()],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    for expected in [
        "let config = value0 ; # [allow (unused_mut)] let mut config = config",
        "config . grace = __tv :: Duration :: from_secs (3)",
        "config . drain = __tv :: Duration :: from_millis (1500)",
        "config . max_concurrent = 4usize",
        "config . signals = __tv :: Into :: into (false)",
        "config . stop_timeout = __tv :: Option :: Some",
        "config . max_retries = __tv :: Option :: Some (3u32)",
        "config . reset_after = __tv :: Option :: Some",
        "let builder = builder . with_name (\"app\") ;",
        "builder . with_subscriber (value1) ; let builder = builder . with_subscriber (value2)",
    ] {
        assert!(expanded.contains(expected), "{expected} is not in {expanded}");
    }
}

#[test]
fn groups_have_structs_of_their_own() {
    let (expanded, errors) = expand_tree(quote!(
        tasks = [
            ping {},
            store = group(tasks = [pool {}, path::migrate {}, inner = group(tasks = [r#type = pool {}])]),
            a_b = group(),
        ],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(fields_of("Tasks", &expanded), ["ping"]);
    assert_eq!(fields_of("Groups", &expanded), ["store", "a_b"]);
    assert_eq!(fields_of("TasksOfStore", &expanded), ["pool", "migrate"]);
    assert_eq!(fields_of("GroupsOfStore", &expanded), ["inner"]);
    assert_eq!(fields_of("TasksOfStoreInner", &expanded), ["r#type"]);
    assert!(expanded.contains("pub a_b : __tv :: DeclaredGroup < () , () >"), "{expanded}");
}

#[test]
fn a_half_typed_group_keeps_its_structs() {
    let (expanded, errors) = expand_tree(quote!(
        tasks = [
            store = group(
                strategy = ,
                tasks = [pool { size: 1. }, inner = group(tasks = [ping {}, deep = task(pong { a. }, after = [ping.])])],
                frobnicate
            ),
        ],
    ));
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(fields_of("TasksOfStore", &expanded), ["pool"]);
    assert_eq!(fields_of("TasksOfStoreInner", &expanded), ["ping", "deep"]);
}

#[test]
fn groups_lower_to_the_builder() {
    let (expanded, errors) = expand_tree(quote!(
        strategy = one_for_all(max_restarts = 1, within = "1s"),
        tasks = [
            ping {},
            store = group(
                strategy = rest_for_one(max_restarts = n(), within = "60s"),
                tasks = [task(pong {}, ready = "signal", critical)],
                after = [ping],
                restart = "never",
                critical = false,
                significant,
            ),
            other = task(ping {}, after = [store]),
        ],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    let expanded = expanded.replace("__tv :: ", "");
    for expected in [
        ". with_strategy (Strategy :: OneForAll) . with_limit (1u32 , Duration :: from_secs (1))",
        "let group0 = Group :: new (\"store\" , Strategy :: RestForOne) . with_limit (value1 , Duration :: from_secs (60)) \
         . with_restart (RestartPolicy :: Never) . not_critical () . significant () \
         . with_after (< [& str] > :: to_vec (& [& name0]))",
        "let (group0 , name2) = child (group0 , value2 . with_ready (Ready :: Signal) . critical ()) ;",
        "let builder = builder . group (group0)",
        ". with_after (< [& str] > :: to_vec (& [\"store\"]))",
        "let group = tree . group (\"store\")",
        "group . child (& name2)",
    ] {
        assert!(expanded.contains(expected), "{expected} is not in {expanded}");
    }
}

#[test]
fn m20_a_group_can_be_a_value() {
    for value in
        [quote!(store(5)), quote!(make::store()), quote!(self.store), quote!(prepared), quote!(a.b()), quote!({ c })]
            .into_iter()
            // Like an option that is no flag, and without members beside it.
            .chain([quote!(refresh), quote!(backof), quote!(fresher)])
    {
        let (expanded, errors) = expand_tree(quote!(tasks = [store = group(#value, critical = false)]));
        assert!(errors.is_empty(), "{value}: {errors:?}");
        for expected in [
            format!("let value0 : __tv :: Group = {value} ;"),
            "builder . group (value0 . with_name (\"store\") . not_critical ())".to_owned(),
            "pub store : __tv :: GroupHandle".to_owned(),
        ] {
            assert!(expanded.contains(&expected), "{expected} is not in {expanded}");
        }
    }
    let (expanded, errors) = expand_tree(quote!(tasks = [store = group((critical), paused)]));
    assert!(errors.is_empty() && expanded.contains("let value0 : __tv :: Group = critical ;"), "{errors:?} {expanded}");
    for (list, expected) in [
        (quote!(signifcant), "unknown option `signifcant`, did you mean `significant`?"),
        (quote!(critical), "this declares no members: write `tasks = [..]` as well, or `group((critical))` for a"),
        (quote!(paused, after = []), "this declares no members: write `tasks = [..]` as well, or `group((paused))`"),
        (quote!(refresh, tasks = []), "unknown option `refresh`, did you mean `fresh`?"),
        (quote!(permanent), "unknown option `permanent`: write `restart = \"always\"`"),
        (quote!(store(), tasks = []), "`tasks` cannot be given here: the value has its own tasks"),
        (quote!(store(), strategy = one_for_all), "`strategy` cannot be given here: the value has its own strategy"),
        (quote!(ping {}), "the members of a group stand in `tasks = [..]`"),
        (quote!(critical = false, store()), "unknown option `store`"),
    ] {
        let (_, errors) = expand_tree(quote!(tasks = [store = group(#list)]));
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{list}: {errors:?}");
    }
}

/// So that its handle is there.
#[test]
fn an_entry_among_the_options_of_a_group_is_in_the_expansion() {
    let tree = quote!(tasks = [store = group(inner = group(deep = ping {}), a = pong {})]);
    let (expanded, errors) = expand_tree(tree);
    assert_eq!(errors.len(), 3, "{errors:?}");
    for field in ["inner", "deep", "a"] {
        assert!(expanded.contains(&format!("pub {field} :")), "{field}: {expanded}");
    }
}

#[test]
fn order_goes_backwards_only() {
    let (_, errors) = expand_tree(quote!(
        tasks = [
            #[cfg(a)]
            one = ping {},
            #[cfg(not(a))]
            one = pong {},
            two = task(ping {}, after = [one]),
            store = group(tasks = [pool {}, inner = group(tasks = [deep {}], after = [pool])], after = [one, two]),
            task(ping {}, after = [store, r#two]),
        ],
    ));
    // The only errors are for the two entries of one label, of which only one is ever compiled.
    assert!(errors.iter().all(|error| error.contains("`one`")), "{errors:?}");
    for (after, expected) in [
        (quote!(a), "`a` cannot come after itself"),
        (quote!(last), "`last` comes later"),
        (quote!(frist), "no entry before this one is called `frist`, did you mean `first`?"),
        (quote!(deep), "`deep` is in the group `store`"),
        (quote!(first, r#first), "`r#first` is given twice"),
        (quote!("first"), "`after` names entries by their label"),
    ] {
        let (_, errors) = expand_tree(quote!(
            tasks = [
                first = ping {},
                store = group(tasks = [group = group(tasks = [deep {}])]),
                a = task(ping {}, after = [#after]),
                last = ping {},
            ],
        ));
        assert!(errors.iter().any(|error| error.starts_with(expected)), "{expected}: {errors:?}");
    }
    let (_, errors) = expand_tree(quote!(tasks = [a = ping {}, b = group(tasks = [task(ping {}, after = [a])])]));
    assert!(errors.iter().any(|error| error.starts_with("`a` is not in this group")), "{errors:?}");
}

#[test]
fn slots_have_fields_also_those_that_are_wrong() {
    let (expanded, errors) = expand_tree(quote!(
        slots = [slot(deploy, admission = "replace"), slot(zero, capacity = 0), slot(half, capacity = )],
    ));
    assert_eq!(fields_of("Slots", &expanded), ["deploy", "zero", "half"]);
    assert!(errors.iter().any(|error| error.starts_with("`capacity` must be at least 1")), "{errors:?}");
    let (expanded, _) = expand_tree(quote!(tasks = []));
    assert!(!expanded.contains("Slots"), "{expanded}");
    let (expanded, errors) = expand_tree(quote!(slots = [slot(crate)]));
    assert!(!expanded.contains("Slots"), "{expanded}");
    assert!(errors.iter().any(|error| error.starts_with("a keyword cannot be the name of a slot")), "{errors:?}");
}

#[test]
fn slots_need_their_feature() {
    let (_, errors) = expand_tree(quote!(controller = config, slots = [slot(deploy)]));
    let of_feature = errors.iter().filter(|error| error.contains("needs the feature `controller`")).count();
    assert_eq!(of_feature, if cfg!(feature = "controller") { 0 } else { 2 }, "{errors:?}");
}

#[test]
fn names_that_only_the_compiler_knows_are_compared_in_each_list() {
    for (tasks, compared) in [
        (quote!(ping {}, pong {}), vec!["2"]),
        (quote!(ping {}, path::r#loop { a, ..b }, third = anything()), vec!["3"]),
        (quote!(ping {}, store = group(tasks = [ping {}, pong {}, pang {}])), vec!["2", "3"]),
        (quote!(task(x(), name = "a"), task(y(), name = "b")), vec!["2"]),
        // A single entry has nothing to compare with, and labels were compared before.
        (quote!(ping {}), vec![]),
        (quote!(a = ping {}, b = pong {}, c = group(tasks = [])), vec![]),
        // The names of these are not known.
        (quote!(ping {}, Ping {}, ping::<A> {}, <A as B>::ping {}, pang::spec(), variable, ..many), vec![]),
        (quote!(ping {}, task(pong {}, name = computed())), vec![]),
        // Another mistake hides none of these, but a repeated label was reported.
        (quote!(ping {}, pong {}, task(pang {}, timout = "1s")), vec!["3"]),
        (quote!(ping {}, pong {}, ping {}), vec!["2"]),
    ] {
        let text = tasks.to_string();
        let expanded = expand(quote!(tasks = [#tasks])).to_string();
        let lists = expanded.split("const N").skip(1);
        let counts: Vec<&str> = lists.filter_map(|list| list.split(['<', '>']).nth(1)).map(str::trim).collect();
        assert_eq!(counts, compared, "{text}");
    }
}

#[test]
fn conditions_stand_on_names_as_well() {
    let expanded = expand(quote!(
        tasks = [
            ping {},
            #[cfg(a)]
            pong {},
            #[cfg(b)]
            store = group(
                tasks = [
                    #[cfg(c)]
                    ping {},
                    pong {},
                ]
            )
        ]
    ));
    let expanded = expanded.to_string();
    assert!(expanded.contains("{ let name = \"\" ; # [cfg (a)] let name = __tv :: name_of"), "{expanded}");
    assert!(expanded.contains("# [cfg (b)] const N1"), "{expanded}");
    assert!(expanded.contains("{ let name = \"\" ; # [cfg (c)] let name = __tv :: name_of"), "{expanded}");
    assert!(expanded.contains("# [cfg (a)] const _ : [() ; N0 . check (1)]"), "{expanded}");
    assert!(expanded.contains("# [cfg (b)] const _ : __tv :: Option < ([() ; N1 . check (1)] ,) >"), "{expanded}");
}

#[test]
fn m07_errors_stand_apart_unless_a_variable_is_left_out() {
    for (input, apart) in [
        (quote!(grce = "5s", tasks = [poll { client: client }]), true),
        (quote!(grce = "5s", tasks = [task(poll { client }, after = [nobody])]), true),
        (quote!(grce = Duration::from_secs(5), tasks = [poll::spec(a.client)]), true),
        (quote!(grce = grace, tasks = [ping {}]), false),
        (quote!(grce = path::GRACE, tasks = [ping {}]), true),
        (quote!(grce = client.grace, tasks = [poll { client: client }]), true),
        (quote!(tasks = list), false),
        (quote!(tasks = [..ping {}, x = [list[0], pong {}]]), false),
    ] {
        let text = input.to_string();
        let (expanded, errors) = expand_tree(input);
        assert!(!errors.is_empty(), "{text}");
        assert_eq!(expanded.contains("const _ : () = { :: core :: compile_error"), apart, "{text}");
    }
}

#[cfg(feature = "controller")]
#[test]
fn k6h_entries_of_the_tree_can_come_after_slots() {
    let (expanded, errors) = expand_tree(quote!(
        slots = [
            slot(reports),
            #[cfg(unix)]
            slot(deploys)
        ],
        tasks = [
            ping {},
            task(pong {}, after = [ping, reports, deploys]),
            store = group(after = [reports], tasks = [pool {}]),
        ],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    assert!(
        expanded.contains(r#"("reports") , # [cfg (unix)] "deploys""#)
            || expanded.contains(r#""reports" , # [cfg (unix)] "deploys""#),
        "{expanded}"
    );
    let (_, errors) = expand_tree(quote!(
        slots = [slot(reports)],
        tasks = [task(ping {}, after = [report]), store = group(tasks = [task(pool {}, after = [reports])]),],
    ));
    let expected = [
        "no entry before this one is called `report`, did you mean `reports`?",
        "`reports` is a slot: only entries of the tree itself can come after it, so give `after` to the group",
    ];
    assert_eq!(errors, expected);
}
