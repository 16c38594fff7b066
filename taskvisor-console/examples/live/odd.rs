//! A tree of names and errors that are hard to show: long, in many lines, in other scripts, with marks of HTML.

use std::time::Duration;

use taskvisor::TreeBuilder;
use taskvisor::prelude::*;

/// An error of many lines, as that of a parser or of another process.
const LINES: &str = "cannot apply migration 0042_add_index_to_orders.sql\n  at line 3, column 17:\n\n\
                     \tCREATE INDEX CONCURRENTLY ON orders (customer_id, placed_at DESC);\n\t             ^^^^^^^^^^^^\n\
                     ERROR: CREATE INDEX CONCURRENTLY cannot run inside a transaction block";

fn runs(name: impl Into<String>) -> TaskSpec {
    TaskSpec::inherit(TaskFn::arc(name.into(), |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    }))
}

/// A task that fails at once, and again after a second or more.
fn fails(name: impl Into<String>, error: impl Into<String>) -> TaskSpec {
    let error = error.into();
    let task = TaskFn::arc(name.into(), move |_: TaskContext| {
        let error = TaskError::error(error.clone());
        async move { Err(error) }
    });
    let first = Duration::from_secs(1);
    let backoff = BackoffPolicy { first, max: 8 * first, factor: 2.0, jitter: JitterPolicy::None };
    TaskSpec::inherit(task).with_backoff(backoff)
}

pub(crate) fn odd(builder: TreeBuilder) -> TreeBuilder {
    let long = "a-consumer-of-the-events-of-the-warehouse-that-has-a-name-of-far-more-than-eighty-characters-v2";
    let mut deep = Group::one_for_one("level-12").task(runs("leaf")).task(fails("sick-leaf", "no route to host"));
    for level in (1..12).rev() {
        deep = Group::one_for_one(format!("level-{level}")).group(deep).task(runs(format!("beside-{level}")));
    }
    let regions = (0..6).map(|region| {
        let shards = (0..6).map(|shard| {
            Group::one_for_one(format!("shard-{shard}")).tasks((0..6).map(|n| {
                match (region * 36 + shard * 6 + n) % 29 {
                    7 => fails(format!("worker-{n}"), "connect to 10.0.0.7:5432: connection refused"),
                    13 => runs(format!("worker-{n}")).with_paused(true),
                    21 => runs(format!("worker-{n}")).with_initial_delay(Duration::from_secs(5000)),
                    26 => runs(format!("worker-{n}")).with_named_limit("licences"),
                    _ => runs(format!("worker-{n}")),
                }
            }))
        });
        shards.fold(Group::one_for_one(format!("region-{region}")), Group::group)
    });
    let odd = Group::one_for_one("odd")
        .task(fails("migrate", LINES))
        .task(fails(long, format!("unexpected token {}", "x".repeat(3000))))
        .task(fails("مهمة-الاستيراد", "تعذر الاتصال بالخادم: refused (10.0.0.7)"))
        .task(runs("שרת-דוא״ל"))
        .task(fails("名寄せバッチ処理", "データベースに接続できません"))
        .task(fails("<b>bold&amp;<script>alert(1)", "<img src=x onerror=alert(2)>"))
        .task(runs("two\nlines"))
        .task(runs(" spaces  inside "))
        .task(runs("👩‍👩‍👧‍👦 family"))
        .task(runs("evil\u{202e}gnp.exe"))
        .task(fails("a+b&c=d?e#f%20", "query"));
    regions.fold(builder.with_named_limit("licences", 1).group(odd).group(deep), TreeBuilder::group)
}
