//! Does an agent run on this node, and is it ready?

use podid_kube::census::Pod;

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Node.Agent",
        reference: "POD-000010",
        level: Level::Error,
        title: "Run a ready agent on every node",
        synopsis: "Every Linux node should run a ready NMI.",
        recommendation: "Look at `kubectl get pods -o wide` of the DaemonSet: its node selector and tolerations decide where it runs, and its log says why it is not ready.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Node.Agent.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::NODE],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Node.Agent.md"),
    },
    applies: |target, picture| {
        picture.pods.is_some()
            && picture.agents().next().is_some()
            && picture
                .nodes
                .as_ref()
                .and_then(|all| all.get(target.name()))
                .is_some_and(|node| node.real_linux && node.ready)
    },
    check: |target, picture| {
        let here = |pod: &&Pod| pod.fact.node.as_ref().is_some_and(|node| node.to_string() == target.name());
        let is_agent =
            |pod: &&Pod| picture.agents().any(|one| one.owns(&pod.fact.id.namespace, &pod.fact.labels));
        let agents: Vec<_> = picture.live_pods().filter(here).filter(is_agent).collect();
        match agents.first() {
            None => {
                Verdict::fail("No NMI runs here: pods of this node reach the metadata service themselves.")
            }
            Some(agent) if !agents.iter().any(|agent| agent.ready) => Verdict::fail(format!(
                "NMI {} is not ready: `kubectl logs -n {} {}` says why.",
                agent.fact.id, agent.fact.id.namespace, agent.fact.id.name
            )),
            Some(_) => Verdict::Pass,
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_node_without_a_ready_agent_fails_and_says_which_it_is() {
        let scene = || Scene::new().agent(true).node("node-1");
        assert_eq!(outcome(&RULE, "node-1", &scene().runs_agent("node-1", true).picture()), "Pass");
        let sick = outcome(&RULE, "node-1", &scene().runs_agent("node-1", false).picture());
        assert!(sick.contains("NMI podid/nmi-node-1 is not ready"), "{sick}");
        let none = outcome(&RULE, "node-1", &scene().runs_agent("node-2", true).picture());
        assert!(none.contains("No NMI runs here"), "{none}");
    }

    #[test]
    fn it_is_not_asked_without_agents_and_of_nodes_that_run_none() {
        assert_eq!(outcome(&RULE, "node-1", &Scene::new().node("node-1").picture()), "None");
        let mut windows = Scene::new().agent(true).node("node-1").picture();
        windows.nodes.as_mut().unwrap().get_mut("node-1").unwrap().real_linux = false;
        assert_eq!(outcome(&RULE, "node-1", &windows), "None");
    }
}
