//! What keeps others out.

use crate::common::*;
use http::{Method, Request, StatusCode};
use taskvisor_console::Access;

const QUERIES: [&str; 9] =
    ["", "?app.js", "?style.css", "?tree", "?events", "?node=web", "?why=web", "?timers", "?log"];
const ACTIONS: [&str; 8] = [
    "?restart=web",
    "?trigger=web",
    "?cancel=web",
    "?pause=web",
    "?resume=web",
    "?pause_slot=jobs",
    "?resume_slot=jobs",
    "?shutdown",
];

fn changed(mut request: Request<()>, name: &'static str, value: Option<&str>) -> Request<()> {
    request.headers_mut().remove(name);
    if let Some(value) = value {
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    request
}

#[tokio::test]
async fn every_request_has_to_name_an_allowed_host() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree).allow_actions().allow_shutdown();
    let all = QUERIES.map(|query| (Method::GET, query)).into_iter().chain(ACTIONS.map(|query| (Method::POST, query)));
    for (method, query) in all {
        for host in [Some("evil.example"), Some("localhost.evil.example:80"), None] {
            let asked = changed(request(method.clone(), query), "host", host);
            let answer = ask(&console, asked).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{query} {host:?}");
        }
    }
    assert!(tree.supervisor().is_alive("web").await);

    let console = console.hosts(["ops.example.com"]);
    let asked = changed(request(Method::GET, "?tree"), "host", Some("ops.example.com:8443"));
    assert_eq!(ask(&console, asked).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_post_from_another_site_or_without_a_sign_of_its_own_is_forbidden() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree).allow_actions().allow_shutdown();
    for query in ACTIONS {
        for site in [Some("cross-site"), Some("same-site"), Some("none"), None] {
            let asked = changed(request(Method::POST, query), "sec-fetch-site", site);
            assert_eq!(ask(&console, asked).await.status, StatusCode::FORBIDDEN, "{query} {site:?}");
        }
        let asked = changed(request(Method::POST, query), "sec-fetch-site", None);
        let asked = changed(asked, "origin", Some("https://evil.example"));
        assert_eq!(ask(&console, asked).await.status, StatusCode::FORBIDDEN, "{query}");
    }
    assert!(tree.supervisor().is_alive("web").await && !tree.child("web").is_paused());

    let asked = changed(request(Method::POST, "?pause=web"), "sec-fetch-site", None);
    let asked = changed(asked, "origin", Some("http://localhost"));
    assert_eq!(ask(&console, asked).await.json()["answer"], "paused", "an older browser");
}

#[tokio::test]
async fn get_and_other_methods_never_act() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree).allow_actions().allow_shutdown();
    for query in ACTIONS {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let answer = ask(&console, request(method.clone(), query)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {query}");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
    for query in QUERIES {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = ask(&console, request(method.clone(), query)).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {query}");
            assert_eq!(answer.header("allow"), "GET, HEAD");
        }
    }
    assert!(tree.supervisor().is_alive("web").await && !tree.child("web").is_paused());
    assert_eq!(console.streams(), 0);
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_strict() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree);
    let refused = ["?pause=web", "?tree=nowhere", "?x", "?node=%"];
    for query in QUERIES.into_iter().filter(|query| *query != "?events").chain(refused) {
        let answer = get(&console, query).await;
        check(query, &answer);
    }
    let stream = begin(&console, request(Method::GET, "?events")).await;
    let headers = stream.headers().clone();
    check("?events", &Answer { status: stream.status(), headers, text: String::new() });
    check("host", &ask(&console, changed(request(Method::GET, ""), "host", Some("evil.example"))).await);
}

fn check(query: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy");
    let parts = ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"];
    for part in parts {
        assert!(policy.split("; ").any(|is| is == part), "{query}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-store", "{query}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{query}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{query}");
    assert_eq!(answer.header("x-frame-options"), "DENY", "{query}");
    assert!(!answer.header("content-type").is_empty(), "{query}");
}

#[tokio::test]
async fn who_is_denied_gets_nothing_and_who_may_look_cannot_act() {
    let tree = started(builder().task(runs("web"))).await;
    let console = console(&tree).allow_shutdown().access(|request| {
        match request.headers.get("x-user").and_then(|user| user.to_str().ok()) {
            Some("admin") => Access::Full,
            Some("guest") => Access::ReadOnly,
            Some("bug") => panic!("a bug in the function"),
            _ => Access::Denied,
        }
    });
    let by = |method, query, user| changed(request(method, query), "x-user", Some(user));
    for query in QUERIES {
        assert_eq!(ask(&console, by(Method::GET, query, "nobody")).await.status, StatusCode::FORBIDDEN, "{query}");
        let answer = ask(&console, by(Method::GET, query, "bug")).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{query}");
    }
    for query in ACTIONS {
        for (user, status) in [
            ("nobody", StatusCode::FORBIDDEN),
            ("guest", StatusCode::FORBIDDEN),
            ("bug", StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(ask(&console, by(Method::POST, query, user)).await.status, status, "{query} {user}");
        }
    }
    assert_eq!(ask(&console, by(Method::GET, "?tree", "guest")).await.json()["access"], "read_only");
    assert_eq!(ask(&console, by(Method::GET, "?tree", "admin")).await.json()["access"], "full");
    assert!(tree.supervisor().is_alive("web").await && !tree.child("web").is_paused());
    assert_eq!(ask(&console, by(Method::POST, "?pause=web", "admin")).await.json()["answer"], "paused");
}

#[tokio::test]
async fn a_console_is_read_only_and_a_shutdown_is_allowed_apart() {
    let tree = started(builder().task(runs("web"))).await;
    assert_eq!(post(&console(&tree), "?pause=web").await.status, StatusCode::FORBIDDEN);
    assert_eq!(post(&console(&tree).allow_shutdown(), "?shutdown").await.status, StatusCode::FORBIDDEN);
    let full = console(&tree).allow_actions();
    assert_eq!(post(&full, "?shutdown").await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&full, "?tree").await.json()["shutdown_allowed"], false);
    let full = full.allow_shutdown();
    assert_eq!(get(&full, "?tree").await.json()["shutdown_allowed"], true);
    assert_eq!(get(&console(&tree).allow_shutdown(), "?tree").await.json()["shutdown_allowed"], false);
    assert_eq!(post(&full, "?shutdown=now").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post(&full, "?shutdown").await.json()["answer"], "shutting down");
    tree.supervisor().wait().await.expect("it stops");
}

#[tokio::test]
async fn a_path_is_decoded_strictly() {
    let tree = started(builder().task(runs("a b&d=é"))).await;
    let console = console(&tree);
    assert_eq!(get(&console, "?why=a%20b%26d=%C3%A9").await.json()["path"], "a b&d=é");
    for query in ["?why=%", "?why=%2", "?why=%zz", "?why=%ff", "?why=web&x=1", "?tree&tree"] {
        assert_eq!(get(&console, query).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    for query in ["?why=a+b", "?why=../etc/passwd", "?index", "?../Cargo.toml", "?why", "?events=1", "?log=web"] {
        assert_eq!(get(&console, query).await.status, StatusCode::NOT_FOUND, "{query}");
    }
}

#[tokio::test]
async fn hostile_names_and_errors_are_data_only() {
    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\n\ndata: {}\r\n\u{2028}\u{0}\u{1b}[2J";
    let tree = started(builder().task(fails("bad\"}]\n\nevent: bye\n", HOSTILE))).await;
    let console = console(&tree);
    let answer = get(&console, "?tree").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let path = "bad\"}]\n\nevent: bye\n";
    let tree = answer.json();
    assert_eq!(node(&tree, path).expect("the node")["last_error"], HOSTILE);
    let mut stream = Stream::open(&console).await;
    let snapshot = stream.next().await.expect("a snapshot");
    assert_eq!(snapshot.event, "snapshot");
    assert!(node(&snapshot.data, path).is_some());
    assert!(!answer.text.contains('\n') && !answer.text.contains('\u{1b}'));
}

#[tokio::test]
async fn errors_are_redacted_everywhere() {
    let history = taskvisor::History::new();
    let builder = builder().with_subscriber(history.clone()).task(fails("import", "password=hunter2"));
    let tree = builder.build();
    let console = console(&tree).history(history).redact(|text| text.replace("hunter2", "***"));
    let mut stream = Stream::open(&console).await;
    stream.until(|message| message.event == "snapshot").await;
    tree.start().await.expect("it starts");
    let is_seen = |message: &crate::common::Message| message.data["log"].to_string().contains("BackoffScheduled");
    let changes = stream.until(is_seen).await;
    assert!(changes.data["log"].to_string().contains("***"));
    assert!(!changes.data.to_string().contains("hunter2"), "{}", changes.data);
    for query in ["?tree", "?node=import", "?log", "?why=import"] {
        assert!(!get(&console, query).await.text.contains("hunter2"), "{query}");
    }
    let detail = get(&console, "?node=import").await.json();
    assert_eq!(detail["error"]["message"], "password=***");
    assert_eq!(detail["history"]["entries"][0]["reason"], "password=***");

    let console = console.redact(|_| panic!("a bug in the function"));
    let answer = get(&console, "?node=import").await;
    assert!(answer.status == StatusCode::OK && !answer.text.contains("hunter2"), "{}", answer.text);
}

/// The payload of a panic, which panics itself when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload of a panic");
    }
}

#[tokio::test]
async fn a_panic_whose_payload_panics_is_answered_as_any_other() {
    fn bomb<T>() -> T {
        std::panic::panic_any(Bomb)
    }

    let tree = started(builder().task(fails("import", "password=hunter2"))).await;
    let hidden = console(&tree).redact(|_| bomb());
    let mut stream = Stream::open(&hidden).await;
    let snapshot = stream.until(|message| message.event == "snapshot").await;
    assert!(node(&snapshot.data, "import").is_some() && !snapshot.data.to_string().contains("hunter2"));
    assert_eq!(get(&hidden, "?node=import").await.status, StatusCode::OK);
    let refused = console(&tree).access(|_| bomb());
    assert_eq!(get(&refused, "?tree").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}
