//! What does the demo show? The original's tutorial, step by step, each step checked.

use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use serde_json::json;

use crate::client::PODS;
use crate::cluster::{Cluster, objects};
use crate::scenario::{
    APP_NAMESPACE, APPLICATION, IDENTITY_GROUP, NODE_GROUP, POD_IDENTITY, SCALE_SET, SECRET, SUBSCRIPTION,
    VAULT,
};
use crate::timeline::{Entry, Place, Timeline};
use crate::{Mode, Settings};

mod watch;

pub(crate) use watch::watch;

/// Longest time for one step: an assignment takes seconds, a hold at most fifty.
const LIMIT: Duration = Duration::from_mins(1);
/// Makes the demo end after one round, with an exit code that says whether all went well.
const ONCE: &str = "--once";
/// Pause between looks at a state that announces nothing.
const LOOK: Duration = Duration::from_millis(10);

/// Tells the story, if one is wanted, and says how to go on. The number of claims that did not hold.
pub(crate) async fn tell(cluster: &Cluster, settings: &Settings, timeline: &Timeline) -> usize {
    timeline.say(&opening(cluster));
    let failures = if settings.story {
        let story = Story { cluster, timeline };
        let told = story.run().await;
        if let Err(error) = told {
            timeline.check(false, &format!("the story stopped: {error:#}"));
        }
        timeline.say(&closing(timeline));
        timeline.failures()
    } else {
        0
    };
    if settings.keep {
        timeline.say(&invitation(&cluster.kubeconfig));
    }
    failures
}

struct Story<'a> {
    cluster: &'a Cluster,
    timeline: &'a Timeline,
}

// === impl Story ===

impl Story<'_> {
    async fn run(&self) -> anyhow::Result<()> {
        self.declare().await?;
        self.demo().await?;
        self.stranger().await?;
        self.excepted().await?;
        self.vault().await?;
        self.clean_up().await
    }

    async fn declare(&self) -> anyhow::Result<()> {
        self.timeline
            .step(&format!("The owner declares who may use {APPLICATION}: an identity and a binding"));
        let identity = &self.cluster.world.application;
        let identity = objects::identity(APP_NAMESPACE, identity.id.as_str(), &identity.client_id);
        self.cluster.client.create(&identity).await?;
        self.cluster.client.create(&objects::binding(APP_NAMESPACE)).await?;
        let text = format!("AzureIdentity {APP_NAMESPACE}/{POD_IDENTITY} and its binding created");
        self.timeline.add(Entry::new(Place::Cluster, text));
        Ok(())
    }

    async fn demo(&self) -> anyhow::Result<()> {
        let since = self
            .timeline
            .step(&format!("The pod demo starts, with the label aadpodidbinding={POD_IDENTITY}"));
        // It goes on asking, as in the original; so its identity is in use until it is deleted.
        self.start("demo", &json!({"aadpodidbinding": POD_IDENTITY}), &[]).await?;
        let lines = self.four_lines();
        let printed = self.printed(since, "demo", &lines).await;
        self.timeline
            .check(printed, "the pod has its token, and the demo says so in the four lines of the original");
        if self.cluster.mode == Mode::Standard {
            let assigned = self.cluster.world.application_is_assigned();
            self.timeline.check(assigned, &format!("ARM has {APPLICATION} on scale set {SCALE_SET}"));
        }
        Ok(())
    }

    async fn stranger(&self) -> anyhow::Result<()> {
        let since = self.timeline.step("A pod without the label asks for the same identity");
        self.start("stranger", &json!({}), &[ONCE.to_owned()]).await?;
        let ended = self.ended("stranger").await;
        let refused = self
            .timeline
            .wait(since, Duration::ZERO, |entry| {
                entry.place == Place::Pod("stranger".into()) && entry.text.contains("400")
            })
            .await;
        self.timeline.check(ended == Some(1) && refused.is_some(), "it is refused, and told why");
        Ok(())
    }

    async fn excepted(&self) -> anyhow::Result<()> {
        let since =
            self.timeline.step("A pod on the exception list asks, and talks to IMDS as its node does");
        let exception = objects::exception(APP_NAMESPACE, "node-tools", ("app", "node-tool"));
        self.cluster.client.create(&exception).await?;
        self.start("node-tool", &json!({"app": "node-tool"}), &[ONCE.to_owned()]).await?;
        let printed = self.printed(since, "node-tool", &self.four_lines()).await;
        let ended = self.ended("node-tool").await;
        self.timeline.check(printed && ended == Some(0), "it passes through, without a binding");
        Ok(())
    }

    async fn vault(&self) -> anyhow::Result<()> {
        let since = self.timeline.step(&format!("A pod reads a secret from {VAULT} with its token"));
        let secret = [format!("--keyvault-name={VAULT}"), format!("--keyvault-secret-name={SECRET}")];
        let extra = [&[ONCE.to_owned()], &secret[..]].concat();
        self.start("reader", &json!({"aadpodidbinding": POD_IDENTITY}), &extra).await?;
        let line = format!("successfully read secret {SECRET} from {VAULT}");
        let printed = self.printed(since, "reader", &[line]).await;
        let ended = self.ended("reader").await;
        self.timeline.check(printed && ended == Some(0), "the vault accepts the token");
        Ok(())
    }

    /// Whether a pod's packet reached IMDS itself, now or earlier.
    async fn bypassed(&self) -> bool {
        self.timeline.wait(0, Duration::ZERO, |entry| entry.text.contains(watch::BYPASS)).await.is_some()
    }

    async fn clean_up(&self) -> anyhow::Result<()> {
        self.timeline.step("The pods are deleted");
        for name in ["demo", "stranger", "node-tool", "reader"] {
            self.cluster.client.delete(PODS, APP_NAMESPACE, name).await?;
        }
        let world = &self.cluster.world;
        match self.cluster.mode {
            Mode::Standard => {
                let taken = self.becomes(async || !world.application_is_assigned()).await;
                self.timeline.check(
                    taken,
                    &format!("nobody uses {APPLICATION} any more, so it is taken off {SCALE_SET}"),
                );
                let gone = self.becomes(async || self.cluster.records().await == Ok(0)).await;
                self.timeline.check(gone, "no assignment is left");
                self.timeline.check(world.cluster_is_assigned(), "the cluster's own identity is still there");
            }
            Mode::Managed => {
                let gone = self.becomes(async || self.cluster.pods(APP_NAMESPACE).await == Ok(0)).await;
                let kept = world.application_is_assigned();
                self.timeline.check(
                    gone && kept,
                    &format!("{APPLICATION} stays on {SCALE_SET}: who put it there takes it off"),
                );
            }
        }
        self.timeline.check(!self.bypassed().await, "no packet of a pod ever reached IMDS itself");
        Ok(())
    }

    async fn start(&self, name: &str, labels: &serde_json::Value, extra: &[String]) -> anyhow::Result<()> {
        let mut arguments = vec![
            format!("--subscriptionid={SUBSCRIPTION}"),
            format!("--clientid={}", self.cluster.world.application.client_id),
            format!("--resourcegroup={NODE_GROUP}"),
        ];
        arguments.extend_from_slice(extra);
        self.cluster.client.create(&objects::demo(APP_NAMESPACE, name, labels, &arguments)).await?;
        Ok(())
    }

    /// What the original documents show, to the letter.
    fn four_lines(&self) -> [String; 4] {
        let endpoint = "msiEndpoint(http://169.254.169.254/metadata/identity/oauth2/token)";
        let client = &self.cluster.world.application.client_id;
        [
            "successfully doARMOperations vm count 0".to_owned(),
            format!("successfully acquired a token using the MSI, {endpoint}"),
            format!("successfully acquired a token, userAssignedID MSI, {endpoint} clientID({client})"),
            "successfully made GET on instance metadata".to_owned(),
        ]
    }

    /// Whether the pod prints all `lines`, as they stand.
    async fn printed(&self, since: usize, pod: &str, lines: &[String]) -> bool {
        let place = Place::Pod(pod.to_owned());
        for line in lines {
            let found =
                self.timeline.wait(since, LIMIT, |entry| entry.place == place && entry.text == *line).await;
            if found.is_none() {
                return false;
            }
        }
        true
    }

    /// The exit code of the pod's only container, when it has ended.
    async fn ended(&self, pod: &str) -> Option<i64> {
        let code = async || {
            let object = self.cluster.client.get(PODS, APP_NAMESPACE, pod).await.ok()?;
            object["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"].as_i64()
        };
        self.becomes(async || code().await.is_some()).await;
        // The last lines may still be on their way from the pipe.
        tokio::time::sleep(LOOK).await;
        code().await
    }

    async fn becomes(&self, holds: impl AsyncFn() -> bool) -> bool {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.is_ok()
    }
}

fn opening(cluster: &Cluster) -> String {
    let bold = Style::new().bold();
    let server = match &cluster.given {
        Some(server) => format!("\n           Kubernetes API of {server}"),
        None => String::new(),
    };
    let (name, parts) = match cluster.mode {
        Mode::Standard => ("standard", "MIC and NMI"),
        Mode::Managed => ("managed", "NMI only"),
    };
    format!(
        "{bold}podid lab{bold:#}: {name} mode ({parts}) on this machine; Azure is simulated, nothing leaves.\n\n  \
         Azure    subscription {SUBSCRIPTION}\n           \
         {NODE_GROUP}: scale set {SCALE_SET}, 2 instances\n           \
         {IDENTITY_GROUP}: identity {APPLICATION}, key vault {VAULT}\n  \
         cluster  {} (routed pod links), {} (bridge); each node and pod is a network namespace{server}",
        crate::scenario::NODES[0],
        crate::scenario::NODES[1],
    )
}

fn closing(timeline: &Timeline) -> String {
    let time = timeline.elapsed().as_secs_f64();
    match timeline.failures() {
        0 => format!("\nEvery step did what it should, in {time:.1} s."),
        1 => format!("\n1 claim did not hold, after {time:.1} s."),
        count => format!("\n{count} claims did not hold, after {time:.1} s."),
    }
}

fn invitation(kubeconfig: &Path) -> String {
    format!(
        "\nThe lab runs until Ctrl-C. In another terminal:\n\n\
         export KUBECONFIG={}\n\
         kubectl get nodes,pods,azureidentities -A\n\n\
         For the tutorial's variables as well: eval \"$(podid lab env)\"",
        kubeconfig.display()
    )
}
