//! The service as a pod, by the manifest of Kubernetes and the image.

use std::process::Command;
use std::time::{Duration, Instant};

use fleet_tests::Postgres;
use yaml_rust2::{Yaml, YamlLoader};

use crate::process::{Broker, Folder, PROGRAM, Service};

const MANIFEST: &str = include_str!("../../deploy/kubernetes.yaml");
const DOCKERFILE: &str = include_str!("../../deploy/Dockerfile");

/// Returns the deployment and the service.
fn manifest() -> (Yaml, Yaml) {
    let documents = YamlLoader::load_from_str(MANIFEST).unwrap();
    let of = |kind: &str| documents.iter().find(|document| document["kind"].as_str() == Some(kind)).unwrap().clone();
    (of("Deployment"), of("Service"))
}

/// Returns the values of an instruction of the Dockerfile, in order.
fn instructions(name: &str) -> Vec<&'static str> {
    DOCKERFILE.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect()
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("{yaml:?} is no text"))
}

#[test]
fn the_ports_and_names_of_the_manifest_and_the_image_fit() {
    let (deployment, service) = manifest();
    let pod = &deployment["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"]);
    assert_eq!(service["spec"]["selector"], pod["metadata"]["labels"]);
    let port = &container["ports"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], port["name"], "{probe}");
    }
    let port = port["containerPort"].as_i64().unwrap().to_string();
    assert_eq!(instructions("EXPOSE"), [&*port]);
    assert!(instructions("ENTRYPOINT")[0].contains(&format!("\"0.0.0.0:{port}\"")));
    // Kubernetes can check `runAsNonRoot` only for a numeric user.
    let user = container["securityContext"]["runAsUser"].as_i64().unwrap();
    assert_eq!(container["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    assert!(user > 0 && instructions("USER") == [user.to_string()]);
    // The program is built and run with the libraries of the same release.
    let releases: Vec<_> = instructions("FROM").iter().map(|from| from.contains("bookworm")).collect();
    assert_eq!(releases, [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_answers_its_probes_and_ends_within_its_grace_period() {
    let _turn = crate::turn().await;
    let Some(postgres) = Postgres::start(&[]) else { return };
    let (folder, broker) = (Folder::new(), Broker::start(7).await);
    let (deployment, _) = manifest();
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];

    // The values of the secret and of the cluster.
    let variables: Vec<(&str, String)> = container["env"].as_vec().unwrap().iter().map(variable).collect();
    let variables = variables.into_iter().map(|(name, value)| {
        let value = match &*value {
            "secret DATABASE_URL" => format!("postgres://postgres@{}/postgres", postgres.address()),
            "secret BROKER" => broker.address().to_string(),
            "field metadata.name" => "orders-5d8f".to_owned(),
            value => value.to_owned(),
        };
        (name, value)
    });
    let variables: Vec<_> = variables.collect();
    let expand = |argument: &str| {
        variables.iter().fold(argument.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
    };
    let entrypoint: Vec<String> = serde_json::from_str(instructions("ENTRYPOINT")[0]).unwrap();
    assert_eq!(entrypoint[0], "orders");
    let mut command = Command::new(PROGRAM);
    // Any free port, because several tests run at the same time.
    command.args(entrypoint[1..].iter().map(|argument| argument.replace("0.0.0.0:8080", "127.0.0.1:0")));
    command.args(container["args"].as_vec().unwrap().iter().map(|argument| expand(text(argument))));
    command.envs(variables.clone());
    let mut service = Service::by(&folder, command).start().await;

    let path = |probe: &str| text(&container[probe]["httpGet"]["path"]).to_owned();
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(service.page(&path(probe)).await.0, 200, "{probe}");
    }
    assert_eq!(service.order("before", "acme", 1200).await, 201);
    let stop = Instant::now();
    service.signal("TERM");
    service.until_page(&path("readinessProbe"), |status, _| status == 503).await;
    // The endpoints are not updated yet, so the service is live and answers requests.
    assert_eq!(service.page(&path("livenessProbe")).await.0, 200);
    assert_eq!(service.order("in-the-drain", "acme", 1200).await, 201);
    let log = service.exit(Some(0)).await;
    let grace = pod["terminationGracePeriodSeconds"].as_i64().unwrap();
    assert!(stop.elapsed() < Duration::from_secs(grace.try_into().unwrap()), "it would have been killed\n{log}");
    let acknowledged = broker.ledger().await.acknowledged;
    assert_eq!(acknowledged, ["before", "in-the-drain"].map(str::to_owned).into());
}

/// Returns the name of a variable and its value, or the source of the value.
fn variable(variable: &Yaml) -> (&str, String) {
    let from = &variable["valueFrom"];
    let value = if let Some(value) = variable["value"].as_str() {
        value.to_owned()
    } else if let Some(field) = from["fieldRef"]["fieldPath"].as_str() {
        format!("field {field}")
    } else {
        format!("secret {}", text(&from["secretKeyRef"]["key"]))
    };
    (text(&variable["name"]), value)
}
