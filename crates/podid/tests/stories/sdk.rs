//! Do programs with real Azure SDKs get their tokens, also when something goes wrong, and learn why if they do not?
//!
//! One lab, several scenes: starting it for each would take longer than all of them.

mod program;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, NAMESPACE, eventually};
use crate::server::Server;
use program::{Running, Sdk, find_or_skip};

const VAULT: &str = "https://vault.azure.net";
/// What IMDS refuses once for each SDK: status, seconds in `Retry-After`, how often.
const FAULTS: [(&str, u16, Option<u64>, u32); 2] =
    [("throttled", 429, Some(1), 1), ("failing", 500, None, 2)];

/// The resource whose tokens meet the fault, for this SDK and once for each prefix.
fn faulty(prefix: &str, fault: &str, sdk: &str) -> String {
    format!("https://{prefix}-{fault}.{sdk}.example")
}

/// An IMDS that refuses some of what each SDK will ask for.
fn scenario(sdks: &[Sdk]) -> Value {
    let mut resources = vec![VAULT.to_owned(), "https://management.azure.com".to_owned()];
    let mut faults = Vec::new();
    for sdk in sdks {
        for prefix in ["held", "through"] {
            for (name, status, retry_after, times) in FAULTS {
                let resource = faulty(prefix, name, sdk.name);
                let effect = json!({"status": {"status": status, "retry_after": retry_after}});
                faults
                    .push(json!({"service": "imds", "resource": resource, "times": times, "effect": effect}));
                resources.push(resource);
            }
        }
    }
    json!({"assignment": {"patch": "2s"}, "resources": resources, "faults": faults})
}

#[test]
fn real_sdks_get_their_tokens_through_every_fault_and_say_why_there_is_none() {
    let Some(sdks) = find_or_skip("real_sdks_get_their_tokens_through_every_fault_and_say_why_there_is_none")
    else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("scenario.json");
    std::fs::write(&file, scenario(&sdks).to_string()).unwrap();
    let lab = Lab::up(Server::Embedded, &["--scenario", file.to_str().unwrap()]);
    for sdk in &sdks {
        lab.pod(NAMESPACE, sdk.name, "app");
    }
    let object = the_first_call_waits_for_the_assignment_and_faults_of_imds_are_not_seen(&lab, &sdks);
    every_way_to_name_an_identity_leads_to_it(&lab, &sdks, &object);
    a_pod_without_an_identity_reads_why(&lab, &sdks);
    an_excepted_pod_meets_imds_itself_with_all_its_faults(&lab, &sdks);
    an_agent_that_is_replaced_in_the_middle_of_a_call_costs_nobody_the_token(&lab, &sdks);
    lab.stop();
}

/// The application's object id, which only its tokens tell.
fn the_first_call_waits_for_the_assignment_and_faults_of_imds_are_not_seen(
    lab: &Lab,
    sdks: &[Sdk],
) -> String {
    let application = lab.variable("IDENTITY_CLIENT_ID");
    let by_client = format!("client_id={application}");
    let asked = |sdk: &Sdk| {
        let mut asked = vec![
            (VAULT.to_owned(), format!("managed,{VAULT},{by_client}")),
            (VAULT.to_owned(), format!("default,{VAULT},{by_client}")),
        ];
        asked.extend(FAULTS.map(|(fault, ..)| {
            let resource = faulty("held", fault, sdk.name);
            (resource.clone(), format!("managed,{resource},{by_client}"))
        }));
        asked
    };
    let running: Vec<_> = sdks
        .iter()
        .map(|sdk| {
            let questions: Vec<_> = asked(sdk).into_iter().map(|(_, question)| question).collect();
            sdk.asks(lab, sdk.name, &questions)
        })
        .collect();
    let pythons = sdks.iter().filter(|sdk| sdk.is_python());
    let readers: Vec<_> = pythons.map(|sdk| sdk.reads_the_vault(lab, sdk.name)).collect();
    // Nothing says yet that there will be an identity.
    for sdk in sdks {
        eventually("the SDK waits for an answer", || waits(lab, sdk.name));
    }
    lab.bind(NAMESPACE, "app");

    let mut object = String::new();
    for (sdk, running) in sdks.iter().zip(running) {
        let answers = running.answers();
        assert_eq!(answers.len(), 4, "{}: {answers:?}", sdk.name);
        for ((resource, question), answer) in asked(sdk).iter().zip(&answers) {
            let of = (&answer["client"], &answer["audience"]);
            assert_eq!(of, (&json!(application), &json!(resource)), "{} {question}: {answer}", sdk.name);
            assert!(answer["left"].as_i64().is_some_and(|left| left > 300), "{}: {answer}", sdk.name);
            answer["object"].as_str().unwrap().clone_into(&mut object);
        }
    }
    for reader in readers {
        assert_eq!(reader.text(), "Secret value: hello from the vault\n");
    }
    assert!(lab.lines_with("429").len() + lab.lines_with("500").len() >= 9, "IMDS did not refuse enough");
    object
}

fn every_way_to_name_an_identity_leads_to_it(lab: &Lab, sdks: &[Sdk], object: &str) {
    let application = lab.variable("IDENTITY_CLIENT_ID");
    let (id, own) = lab.own_identity();
    lab.bind_to(NAMESPACE, "second", "app", (&id, &own));
    let ways = |sdk: &Sdk| {
        let mut ways = vec![(format!("client_id={own}"), own.clone())];
        if sdk.all_selectors {
            ways.push((format!("resource_id={id}"), own.clone()));
            ways.push((format!("object_id={object}"), application.clone()));
        }
        // Whoever names none gets the first, and gets it every time.
        ways.push((String::new(), application.clone()));
        ways
    };
    let ask = |sdk: &Sdk| {
        let questions: Vec<_> = ways(sdk).iter().map(|(way, _)| format!("managed,{VAULT},{way}")).collect();
        sdk.asks(lab, sdk.name, &questions)
    };
    let running: Vec<Running> = sdks.iter().map(ask).collect();
    for (sdk, running) in sdks.iter().zip(running) {
        for ((way, client), answer) in ways(sdk).iter().zip(running.answers()) {
            assert_eq!(answer["client"], **client, "{} {way}: {answer}", sdk.name);
        }
    }
}

fn a_pod_without_an_identity_reads_why(lab: &Lab, sdks: &[Sdk]) {
    let containers = json!([{"name": "main", "image": "none", "command": ["sleep", "100000"]}]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": NAMESPACE},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": containers},
    });
    lab.create(&pod).unwrap();
    let question = [format!("managed,{VAULT}")];
    let running: Vec<_> = sdks.iter().map(|sdk| sdk.asks(lab, "bare", &question)).collect();
    for (sdk, running) in sdks.iter().zip(running) {
        let answers = running.answers();
        let error = answers[0]["error"].as_str().unwrap_or_else(|| panic!("{}: {answers:?}", sdk.name));
        // That of 2020 has a sentence of its own for every 400.
        let reason = if sdk.name == "python-2020" { "assigned to this resource" } else { "my-app/bare" };
        assert!(error.contains(reason), "{}: {error}", sdk.name);
    }
}

fn an_excepted_pod_meets_imds_itself_with_all_its_faults(lab: &Lab, sdks: &[Sdk]) {
    lab.create(&json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException",
        "metadata": {"name": "tool", "namespace": NAMESPACE}, "spec": {"podLabels": {"aadpodidbinding": "tool"}},
    }))
    .unwrap();
    lab.pod(NAMESPACE, "tool", "tool");
    let own = lab.own_identity().1;
    let ask = |sdk: &Sdk| {
        let question = |(fault, ..): (&str, u16, Option<u64>, u32)| {
            format!("managed,{},client_id={own}", faulty("through", fault, sdk.name))
        };
        sdk.asks(lab, "tool", &FAULTS.map(question))
    };
    let running: Vec<_> = sdks.iter().map(ask).collect();
    for (sdk, running) in sdks.iter().zip(running) {
        for answer in running.answers() {
            assert_eq!(answer["client"], own, "{}: {answer}", sdk.name);
        }
    }
}

fn an_agent_that_is_replaced_in_the_middle_of_a_call_costs_nobody_the_token(lab: &Lab, sdks: &[Sdk]) {
    let question = [format!("managed,{VAULT}")];
    let pods: Vec<_> = sdks.iter().map(|sdk| format!("late-{}", sdk.name)).collect();
    let ask = |(sdk, pod): (&Sdk, &String)| {
        lab.pod(NAMESPACE, pod, "late");
        sdk.asks(lab, pod, &question)
    };
    let running: Vec<_> = sdks.iter().zip(&pods).map(ask).collect();
    for pod in &pods {
        eventually("the SDK waits for an answer", || waits(lab, pod));
    }
    for node in ["lab-vmss000000", "lab-vmss000001"] {
        lab.signal("nmi", node, Signal::SIGTERM);
    }
    // Each is told to come again, and only then is there something to come for.
    for pod in &pods {
        eventually("the agent has let go of the SDK", || !waits(lab, pod));
    }
    lab.bind(NAMESPACE, "late");
    let application = lab.variable("IDENTITY_CLIENT_ID");
    for (sdk, running) in sdks.iter().zip(running) {
        let answers = running.answers();
        assert_eq!(answers[0]["client"], application, "{}: {answers:?}", sdk.name);
    }
    eventually("the last pods have their assignments", || lab.assignments().len() >= sdks.len());
}

/// Whether a connection from the pod to the metadata address is open: an SDK waits for its answer.
fn waits(lab: &Lab, pod: &str) -> bool {
    let output = lab.exec(NAMESPACE, pod).args(["cat", "/proc/net/tcp"]).output().unwrap();
    // 169.254.169.254:80 in the kernel's spelling, and the state ESTABLISHED.
    String::from_utf8_lossy(&output.stdout).contains(" FEA9FEA9:0050 01 ")
}
