//! The items that `#[task]` and `#[subscriber]` generate: each part where it is needed, and nowhere else.

use proc_macro2::TokenStream;

fn task(options: &str, function: &str) -> String {
    crate::task::expand(options.parse().unwrap(), function.parse().unwrap()).to_string()
}

/// What is in the expansion of a function, if it has the options, and what is not.
#[test]
fn each_part_is_there_if_the_function_needs_it() {
    for (options, function, parts, others) in [
        (
            "",
            "async fn ping(number: u8) {}",
            &[
                "__tv :: Attempt :: attempt (ping (self . number) , __tv :: IntoTaskResult :: into_task_result)",
                "type Context = () ;",
                "fn attempt (self , () : ())",
                "Self { number : < u8 as __tv :: TaskArg > :: for_attempt (& self . number) }",
                "pub fn spec (number : u8) ->",
            ][..],
            &["async move", "refuse_context", "LIKE_OPTIONS", "too_many_arguments", "blocking"][..],
        ),
        (
            "",
            "async fn ping(ctx: TaskContext, text: String) -> Result<(), String> {}",
            &[
                "type Context = TaskContext ;",
                "attempt (ping (context , self . text) , __tv :: IntoTaskResult :: into_task_result)",
                "fn attempt (self , context : TaskContext)",
                "spec (text : impl __tv :: Into < String >)",
                "Self { text : __tv :: Into :: into (text) }",
            ],
            &["refuse_context"],
        ),
        (
            "retry_if = f",
            "async fn ping() -> Result<(), String> {}",
            &["f"],
            &[", __tv :: IntoTaskResult :: into_task_result))"],
        ),
        ("", "async fn ping() -> Other {}", &["Other"], &[", __tv :: IntoTaskResult :: into_task_result))"]),
        ("", "async fn ping() -> ! {}", &["| never | match never { }"], &[]),
        ("", "async fn ping() -> u8 {}", &[], &["match never"]),
        ("blocking", "fn ping() {}", &[":: blocking (context ,", "type Context = __tv :: TaskContext ;"], &["Attempt"]),
        ("blocking = pool", "fn ping() {}", &[":: blocking_on_pool (context ,"], &["Attempt"]),
        ("blocking", "fn ping(token: CancellationToken) {}", &["let context = < CancellationToken as"], &[]),
        ("", "async fn ping(ctx: Ctx) {}", &["refuse_context"], &[]),
        ("", "async fn ping(number: Ctx) {}", &[], &["refuse_context"]),
        ("", "async fn ping(ctx: (u8, u8)) {}", &[], &["refuse_context"]),
        ("", "async fn ping(first: TaskContext, ctx: Ctx) {}", &[], &["refuse_context"]),
        ("", "async fn ping(a: Rc<u8>) {}", &["async move {", "let _ = < Rc < u8 > as"], &[]),
        ("", "async fn ping(a: Vec<u8>) {}", &[], &["async move"]),
        ("", "async fn ping(a: *const u8) {}", &["async move {"], &[]),
        ("", "async fn ping(a: Vec<(u8, *const u8)>) {}", &["async move {"], &[]),
        ("", "async fn ping(timeout: u8) {}", &["LIKE_OPTIONS", "& [\"timeout\"]"], &[]),
        ("name = NAME", "async fn ping() {}", &["impl ping { pub const NAME : & 'static :: core"], &[]),
        ("", "async fn ping(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) {}", &[], &["too_many_arguments"]),
        ("", "async fn ping(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {}", &["too_many_arguments"], &[]),
        ("timeout = \"1500ms\"", "async fn ping() {}", &["Duration :: from_millis (1500)"], &[]),
        ("timeout = \"1500us\"", "async fn ping() {}", &["Duration :: new (0 , 1500000)"], &[]),
    ] {
        let expanded = task(options, function);
        for part in parts {
            assert!(expanded.contains(part), "{options} {function}: {part} is not in {expanded}");
        }
        for other in others {
            assert!(!expanded.contains(other), "{options} {function}: {other} is in {expanded}");
        }
    }
}

#[test]
fn a_subscriber_has_its_name() {
    let function = "async fn listen(event: &Event) {}".parse().unwrap();
    let expanded = crate::subscriber::expand(TokenStream::new(), function).to_string();
    assert!(expanded.contains("impl listen { pub const NAME : & 'static __tv :: str = \"listen\" ; }"), "{expanded}");
}
