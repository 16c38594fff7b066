//! The dashboard of `grafana/` asks only for metrics and labels that exist.

use std::collections::BTreeSet;

use serde_json::Value;

use super::table::documented;

/// The metrics that the dashboard does not show, each with the reason.
const LEFT_OUT: [(&str, &str); 0] = [];

/// The labels that Prometheus adds to each series of a process, and the one of the buckets of a histogram.
const OF_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

/// The words of the queries that are neither metrics nor labels.
const WORDS: [&str; 14] = [
    "by",
    "count",
    "histogram_quantile",
    "increase",
    "label_values",
    "max",
    "min",
    "or",
    "rate",
    "sum",
    "topk",
    "vector",
    // Times of Grafana.
    "$__range",
    "$__rate_interval",
];

fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../../grafana/taskvisor.json")).expect("it is JSON")
}

/// All panels but the titles of rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row").collect()
}

/// The queries of panels and variables, each with the labels that its legend shows.
fn queries(dashboard: &Value) -> Vec<(String, Vec<String>)> {
    let legend = |target: &Value| {
        let parts = target["legendFormat"]
            .as_str()
            .unwrap_or_default()
            .split("{{")
            .skip(1)
            .map(|part| part.split_once("}}").expect("a label ends").0.to_owned());
        parts.collect()
    };
    let targets = panels(dashboard).into_iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let targets = targets.map(|target| (target["expr"].as_str().unwrap().to_owned(), legend(target)));
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter().filter(|list| list["type"] == "query");
    let variables = variables.map(|variable| (variable["query"]["query"].as_str().unwrap().to_owned(), Vec::new()));
    targets.chain(variables).collect()
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    metrics: BTreeSet<String>,
    /// The labels in selectors, with the text that they are compared with.
    selected: Vec<(String, String)>,
    /// The labels after `by`, and the last argument of `label_values`.
    listed: BTreeSet<String>,
    /// All other words.
    words: BTreeSet<String>,
}

/// Reads a query. A word before `{` or `[`, or one that no parenthesis or list explains, is a metric or another word.
fn read(query: &str) -> Asked {
    let mut asked = Asked::default();
    let tokens = tokens(query);
    let at = |index: usize| tokens.get(index).map_or("", |token| &**token);
    let (mut in_selector, mut in_list, mut in_label_values) = (false, false, false);
    for (index, token) in tokens.iter().enumerate() {
        match &**token {
            "{" => in_selector = true,
            "}" => in_selector = false,
            "(" if index > 0 && at(index - 1) == "by" => in_list = true,
            ")" => in_list = false,
            word if !word.starts_with(|first: char| first.is_ascii_alphabetic() || "_$".contains(first)) => {}
            label if in_selector => {
                assert!(["=", "=~", "!=", "!~"].contains(&at(index + 1)), "{query}: `{label}` is compared");
                asked.selected.push((label.to_owned(), at(index + 2).trim_matches('"').to_owned()));
            }
            label if in_list || (in_label_values && at(index + 1) == ")") => {
                asked.listed.insert(label.to_owned());
            }
            metric if metric.starts_with("taskvisor_") => {
                asked.metrics.insert(metric.to_owned());
            }
            word => {
                in_label_values |= word == "label_values";
                asked.words.insert(word.to_owned());
            }
        }
    }
    asked
}

/// The words, strings, numbers and signs of a query.
fn tokens(query: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |character: char| character.is_ascii_alphanumeric() || "_$.:".contains(character);
        let length = match first {
            '"' => rest[1..].find('"').expect("a string ends") + 2,
            _ if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            '=' | '!' if rest[1..].starts_with(['~', '=']) => 2,
            _ => first.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The metric of the table that a series belongs to. A histogram has three series.
fn metric_of(series: &str) -> Option<(String, BTreeSet<String>)> {
    documented().into_iter().find_map(|(name, kind, _, mut labels)| {
        let is_it = match &*kind {
            "histogram" => {
                if series.ends_with("_bucket") {
                    labels.insert("le".to_owned());
                }
                ["_bucket", "_sum", "_count"].iter().any(|end| series.strip_suffix(end) == Some(&*name))
            }
            _ => series == name,
        };
        is_it.then_some((name, labels))
    })
}

/// The values that the guide lists for a label.
pub(crate) fn values_of(label: &str) -> BTreeSet<String> {
    let guide = include_str!("../../../taskvisor/src/guide/observing.md");
    let start = format!("| `{label}` | ");
    let row = guide.lines().find_map(|line| line.strip_prefix(&start)).expect("a row of the table of labels");
    row.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn a_query_is_read_to_its_last_word() {
    let asked =
        read(r#"topk(10, sum by (task, le) (rate(taskvisor_a_bucket{job=~"$job", b!="x|y"}[5m]))) or vector(0)"#);
    assert_eq!(asked.metrics, ["taskvisor_a_bucket".to_owned()].into());
    assert_eq!(asked.selected, [("job".into(), "$job".into()), ("b".into(), "x|y".into())]);
    assert_eq!(asked.listed, ["le", "task"].map(str::to_owned).into());
    assert_eq!(asked.words, ["by", "or", "rate", "sum", "topk", "vector"].map(str::to_owned).into());
    let variable = read(r#"label_values(taskvisor_b{job="x"}, task)"#);
    assert_eq!((variable.metrics.len(), variable.listed), (1, ["task".to_owned()].into()));
    assert!(read("sum(tasksvisor_running)").words.contains("tasksvisor_running"), "a mistake is another word");
}

#[test]
fn each_query_asks_for_metrics_and_labels_of_the_table() {
    for (query, legend) in queries(&dashboard()) {
        let asked = read(&query);
        for word in &asked.words {
            assert!(WORDS.contains(&&**word), "`{word}` is no metric of the table, in {query}");
        }
        assert!(!asked.metrics.is_empty(), "{query}");
        let mut known: BTreeSet<String> = OF_PROMETHEUS.map(str::to_owned).into();
        for series in &asked.metrics {
            let (_, labels) = metric_of(series).unwrap_or_else(|| panic!("`{series}` is not in the table, in {query}"));
            known.extend(labels);
        }
        for label in asked.selected.iter().map(|(label, _)| label).chain(&asked.listed) {
            assert!(known.contains(label), "`{label}` is no label of these metrics, in {query}");
        }
        for label in &legend {
            assert!(asked.listed.contains(label), "the legend shows `{label}`, which is not in {query}");
        }
        for (label, values) in asked.selected.iter().filter(|(_, values)| !values.starts_with('$')) {
            let known = values_of(label);
            assert!(values.split('|').all(|value| known.contains(value)), "{label}={values} in {query}");
        }
    }
}

#[test]
fn a_failure_is_each_outcome_but_a_success_and_a_stop() {
    let mut failures = values_of("outcome");
    assert!(failures.remove("completed") && failures.remove("canceled"));
    let selected = queries(&dashboard()).into_iter().flat_map(|(query, _)| read(&query).selected);
    for (label, values) in selected.filter(|(label, _)| label == "outcome") {
        assert_eq!(values.split('|').map(str::to_owned).collect::<BTreeSet<_>>(), failures, "{label}");
    }
}

#[test]
fn each_metric_of_the_table_is_shown_or_listed_as_left_out() {
    let shown: BTreeSet<String> = queries(&dashboard())
        .iter()
        .flat_map(|(query, _)| read(query).metrics)
        .filter_map(|series| Some(metric_of(&series)?.0))
        .collect();
    for (name, ..) in documented() {
        let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        assert_ne!(shown.contains(&name), is_left_out, "{name}");
    }
}

#[test]
fn panels_have_a_meaning_and_do_not_overlap() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for (x, y) in (at("y")..at("y") + at("h")).flat_map(|y| (at("x")..at("x") + at("w")).map(move |x| (x, y))) {
            assert!(taken.insert((x, y)), "{} overlaps another", panel["title"]);
        }
        assert!(ids.insert(panel["id"].as_u64().unwrap()));
    }
    for panel in panels(&dashboard) {
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", panel["title"]);
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
    }
}
