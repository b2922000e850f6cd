//! May the lab use this cluster? Only one in which nothing is that is not a lab's.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::client::text;
use crate::cluster::objects::is_of_a_lab;

/// How many names a message shows.
const SHOWN: usize = 3;

/// Why the lab does not use a cluster.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It has nodes that somebody works with.
    #[error(
        "this cluster has nodes that are not a lab's: {0}; the lab runs only in a cluster without any, such as a \
         control plane for tests. Nothing was changed"
    )]
    Nodes(String),
    /// It has assignments of somebody's identities.
    #[error(
        "this cluster has AzureAssignedIdentities that are not a lab's: {0}; the lab would take identities away \
         from running pods. Nothing was changed"
    )]
    Assignments(String),
    /// Another lab is in it.
    #[error(
        "another lab uses this cluster: {holder}, seen {seconds} s ago; stop it, or wait {left} s if it was killed"
    )]
    InUse {
        /// The machine and directory of the other lab.
        holder: String,
        /// When it was seen.
        seconds: i64,
        /// When it counts as dead.
        left: i64,
    },
}

/// Whether nothing of others is in the cluster.
pub(super) fn may_use(nodes: &[Value], assignments: &[Value]) -> Result<(), Refusal> {
    let foreign: Vec<&str> = nodes.iter().filter(|node| !is_of_a_lab(node)).map(name).collect();
    if !foreign.is_empty() {
        return Err(Refusal::Nodes(shown(&foreign)));
    }
    let ours: BTreeSet<&str> = nodes.iter().map(name).chain(crate::scenario::NODES).collect();
    let foreign: Vec<&str> = assignments
        .iter()
        .filter(|assignment| !ours.contains(text(&assignment["spec"]["nodename"])))
        .map(name)
        .collect();
    if foreign.is_empty() { Ok(()) } else { Err(Refusal::Assignments(shown(&foreign))) }
}

/// Whether no other lab holds the cluster: there is no lease, it is over, or its holder is known to be dead.
pub(super) fn may_hold(
    lease: Option<&Value>,
    now: Timestamp,
    is_dead: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let Some(spec) = lease.map(|lease| &lease["spec"]) else { return Ok(()) };
    let holder = text(&spec["holderIdentity"]);
    let Ok(renewed) = text(&spec["renewTime"]).parse::<Timestamp>() else { return Ok(()) };
    let life = SignedDuration::from_secs(spec["leaseDurationSeconds"].as_i64().unwrap_or_default());
    let age = now.duration_since(renewed);
    if holder.is_empty() || age >= life || is_dead(holder) {
        return Ok(());
    }
    let left = (life - age).as_secs() + 1;
    Err(Refusal::InUse { holder: holder.to_owned(), seconds: age.as_secs().max(0), left })
}

fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

fn shown(names: &[&str]) -> String {
    let some = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, label: &Value) -> Value {
        json!({"metadata": {"name": name, "labels": {"podid.dev/lab": label}}})
    }

    fn assignment(node: &str) -> Value {
        json!({"metadata": {"name": format!("of-{node}")}, "spec": {"nodename": node}})
    }

    #[test]
    fn one_foreign_node_is_one_too_many() {
        let lab = node("lab-vmss000000", &json!("true"));
        assert_eq!(may_use(&[], &[]), Ok(()));
        assert_eq!(may_use(std::slice::from_ref(&lab), &[]), Ok(()));
        for foreign in
            [node("n", &json!(null)), node("n", &json!("false")), json!({"metadata": {"name": "n"}})]
        {
            assert_eq!(may_use(&[lab.clone(), foreign], &[]), Err(Refusal::Nodes("n".into())));
        }
        let many: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| node(name, &json!(null))).into();
        assert!(may_use(&many, &[]).unwrap_err().to_string().contains("a, b, c and 2 more"));
    }

    #[test]
    fn an_assignment_of_a_node_that_is_no_lab_s_is_refused() {
        let lab = node("other-lab-node", &json!("true"));
        let left = [assignment("lab-vmss000001"), assignment("other-lab-node")];
        assert_eq!(may_use(std::slice::from_ref(&lab), &left), Ok(()));
        let foreign = [assignment("aks-1")];
        assert_eq!(may_use(&[lab], &foreign), Err(Refusal::Assignments("of-aks-1".into())));
    }

    #[test]
    fn another_lab_is_left_alone_until_it_is_dead_or_silent() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let lease = |renewed: &str| json!({"spec": {"holderIdentity": "host:/tmp/lab", "leaseDurationSeconds": 40, "renewTime": renewed}});
        let alive = |_: &str| false;
        assert_eq!(may_hold(None, now, alive), Ok(()));
        assert_eq!(may_hold(Some(&lease("2026-01-01T00:00:20.000000Z")), now, alive), Ok(()));
        let fresh = lease("2026-01-01T00:00:30.000000Z");
        let refused = Refusal::InUse { holder: "host:/tmp/lab".into(), seconds: 30, left: 11 };
        assert_eq!(may_hold(Some(&fresh), now, alive), Err(refused));
        assert_eq!(may_hold(Some(&fresh), now, |holder| holder == "host:/tmp/lab"), Ok(()));
    }
}
