//! Single nodes and their details.

use std::error::Error;
use std::fmt;

use taskvisor::{
    Group, Ready, RestartPolicy, SlotSpec, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree,
};
use tests::{FAIL, OK, Script, constant, cooperative, ms, secs, settle};

use super::{Result, flat, node, started};

#[derive(Debug)]
struct Wrapped(&'static str, Option<Box<Wrapped>>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|below| &**below as _)
    }
}

fn option<'a>(options: &'a [(&'static str, String)], name: &str) -> Option<&'a str> {
    options.iter().find(|(option, _)| *option == name).map(|(_, text)| text.as_str())
}

#[tokio::test(start_paused = true)]
async fn c02_a_node_is_that_of_the_tree_and_there_are_no_others() -> Result {
    let make = || async { Ok::<_, TaskError>(vec![cooperative("x"), cooperative("y").with_after(["x"])]) };
    let (tree, _) = started(|tree| {
        tree.with_slot(SlotSpec::new("s"))
            .task(cooperative("a"))
            .task(Script::new([FAIL]).spec("b").with_after(["a"]).with_backoff(constant(secs(5))))
            .group(
                Group::rest_for_one("g")
                    .task(cooperative("c").with_ready(Ready::Signal))
                    .group(Group::one_for_one("inner").task(cooperative("d")).task(Script::new([OK]).spec("e"))),
            )
            .group(Group::one_for_all("made").fresh(make))
    })
    .await?;
    tree.supervisor().add_task(cooperative("beside")).await?;
    tree.supervisor().add_task(cooperative("gone")).await?;
    tree.group("made").add_task(cooperative("added")).await?;
    let _job = tree.slot("s").submit(cooperative("job")).await.unwrap();
    settle().await;
    assert!(tree.supervisor().cancel("gone").await?);
    settle().await;
    let nodes = flat(tree.snapshot());
    assert_eq!(nodes.len(), 14);
    for mut expected in nodes {
        expected.children.clear();
        assert_eq!(format!("{:?}", node(&tree, &expected.path)), format!("{expected:?}"));
    }
    for path in ["gone", "s", "g/", "/", "g/c/d", "g/inner/x", "made/z", "beside/x", "no"] {
        assert!(tree.supervisor().node(path).is_none(), "{path}");
        assert!(tree.supervisor().detail(path).is_none(), "{path}");
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c02_the_times_of_a_node_stay_the_same_while_nothing_changes() -> Result {
    let (tree, _) = started(|tree| {
        tree.task(cooperative("runs")).task(Script::new([FAIL]).spec("waits").with_backoff(constant(secs(60))))
    })
    .await?;
    for _ in 0..100 {
        for path in ["runs", "waits"] {
            let first = node(&tree, path);
            tokio::time::advance(ms(7)).await;
            let second = node(&tree, path);
            assert_eq!((first.since, first.next_at), (second.since, second.next_at), "{path}");
        }
    }
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c02_options_have_the_texts_by_which_overrides_set_them() -> Result {
    let config = SupervisorConfig { grace: secs(7), max_retries: Some(9), ..SupervisorConfig::default() };
    let task = cooperative("t")
        .with_restart(RestartPolicy::Always { interval: Some(secs(90)) })
        .with_timeout(secs(5))
        .with_ready(Ready::Signal)
        .critical();
    let tree = Tree::builder(config)
        .task(task)
        .group(Group::one_for_all("g").with_limit(3, secs(60)).with_max_retries(4).task(cooperative("a")))
        .build();
    let check = |tree: &Tree| {
        let of = |path: &str| tree.supervisor().detail(path).unwrap().options;
        let task = of("t");
        for (name, text) in [
            ("restart", "always"),
            ("interval", "1m30s"),
            ("ready", "signal"),
            ("critical", "true"),
            ("timeout", "5s"),
            ("max_retries", "9"),
            ("watchdog", "none"),
            ("backoff.jitter", "none"),
        ] {
            assert_eq!(option(&task, name), Some(text), "{name}");
        }
        let group = of("g");
        for (name, text) in [("limit.max_restarts", "3"), ("limit.within", "1m"), ("max_retries", "4")] {
            assert_eq!(option(&group, name), Some(text), "{name}");
        }
        assert_eq!(option(&of(""), "grace"), Some("7s"));
        for setting in &tree.settings() {
            if let Some(path) = ["t", "g", "g/a"].into_iter().find(|path| *path == setting.path()) {
                assert_eq!(option(&of(path), setting.option()), Some(setting.value()), "{}", setting.key());
            }
        }
    };
    check(&tree);
    tree.start().await?;
    settle().await;
    check(&tree);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c02_the_last_error_has_its_causes() -> Result {
    let error = || {
        Wrapped("cannot read", Some(Box::new(Wrapped("connection refused", Some(Box::new(Wrapped("timeout", None)))))))
    };
    let task = TaskFn::arc("t", move |_: TaskContext| async move { Err(TaskError::error(error())) });
    let leaf = Script::new([FAIL]).spec("leaf").with_max_retries(0).critical();
    let group = Group::one_for_one("g").with_backoff(constant(secs(60))).task(leaf);
    let (tree, _) =
        started(|tree| tree.task(TaskSpec::inherit(task).with_backoff(constant(secs(60)))).group(group)).await?;
    let error = tree.supervisor().detail("t").unwrap().error.unwrap();
    assert_eq!(
        (&*error.message, &error.sources[..]),
        ("cannot read", &["connection refused", "timeout"].map(str::to_owned)[..])
    );
    let error = tree.supervisor().detail("g").unwrap().error.unwrap();
    assert_eq!(error.message, "`g/leaf` failed, which `g` needs");
    assert_eq!(error.sources, ["failure 1"]);
    assert_eq!(tree.supervisor().detail("").unwrap().error, None);
    tree.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c02_a_supervisor_without_a_tree_has_nodes_too() -> Result {
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
    supervisor.add_task(cooperative("t").with_max_retries(2)).await?;
    settle().await;
    assert_eq!(supervisor.node("t").unwrap().attempt, 1);
    assert_eq!(supervisor.node("").unwrap().path, "");
    assert_eq!(option(&supervisor.detail("t").unwrap().options, "max_retries"), Some("2"));
    assert!(supervisor.detail("").is_some());
    supervisor.shutdown().await
}

#[tokio::test(start_paused = true)]
async fn c02_the_text_of_a_tree_says_what_is_awaited() -> Result {
    let (tree, _) = started(|tree| {
        tree.task(cooperative("a").with_ready(Ready::Signal))
            .task(cooperative("b").with_after(["a"]))
            .task(Script::new([FAIL]).spec("c").with_backoff(constant(secs(90))))
            .task(Script::new([OK]).spec("d"))
            .task(Script::new([FAIL]).spec("e").with_max_retries(0))
    })
    .await?;
    let text = tree.snapshot().to_string();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].contains("not ready"), "{text}");
    assert!(lines[2].ends_with("waits for a"), "{text}");
    assert!(lines[3].contains("failures=1 0s in=1m30s"), "{text}");
    assert!(lines[4].ends_with("ended     #1 0s"), "{text}");
    assert!(lines[5].contains("ended     #1 exhausted"), "{text}");
    tree.shutdown().await
}
