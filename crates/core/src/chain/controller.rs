//! Why did MIC not do what it should?

use std::time::Duration;

use super::cluster::State;
use super::index::{Index, matching};
use super::scene::{Entry, Lock, Notice, Run, Runner, Seen};
use super::walk::View;
use super::{Cross, azure, mend, rights};
use crate::adopt::{Object, Product, Role, Workload, WorkloadKind};
use crate::code::{Code, Obstacle};
use crate::desired::desired;
use crate::refusal::Cause;
use crate::select::{Grant, Matching};

/// How far the clocks of those who write and read a lock may be apart.
const SLACK: Duration = Duration::from_secs(5);

/// What keeps MIC from assigning `grant` to the view's pod; none if nothing that can be seen does.
pub(super) fn why(view: &View<'_>, grant: &Grant<'_>, cause: Cause, text: &str) -> Option<Cross> {
    trouble(view.index)
        .or_else(|| reach(view, grant, text))
        .or_else(|| azure::cross(view, grant).filter(|cross| cross.code != Code::Cause(Cause::UnknownToImds)))
        .or_else(|| told(view, grant, cause))
}

/// What keeps MIC from working at all.
pub(super) fn trouble(index: &Index<'_>) -> Option<Cross> {
    let scene = index.scene;
    let installed: Vec<_> = index.workloads(Role::Mic).collect();
    if installed.is_empty() {
        if scene.installed.unseen().is_some() || scene.runners.unseen().is_some() {
            return None;
        }
        return Some(absent(index));
    }
    let pods: Vec<&Runner> =
        scene.runners.list().iter().filter(|runner| runner.workload.role() == Some(Role::Mic)).collect();
    let lacking = pods.iter().find_map(|runner| rights::cross(index, &runner.account(), Role::Mic));
    if lacking.is_some() {
        return lacking;
    }
    if scene.runners.unseen().is_none() && !pods.iter().any(|runner| runner.run == Run::Ready) {
        return Some(not_ready(&pods, &installed));
    }
    leaderless(scene.lock.known()?, scene.now, &pods, &installed)
}

fn absent(index: &Index<'_>) -> Cross {
    let nmi = index.workloads(Role::Nmi).find(|workload| workload.product() == Product::Podid);
    Cross::new(
        Obstacle::MicAbsent,
        "there is no MIC in the cluster, and NMI in standard mode waits for what MIC records",
    )
    .with_caution(
        "this gives every part of podid the settings of `podid manifests`; with Helm, upgrade the release",
    )
    .mended_by([install(nmi)])
}

/// Installs what is missing, as what is there is installed.
pub(super) fn install(beside: Option<&Workload>) -> String {
    let image = beside.map_or_else(|| "REGISTRY/podid:TAG".to_owned(), |one| mend::word(&one.image));
    let managed = beside.is_some_and(Workload::is_managed);
    let what = if managed { "managed" } else { "standard" };
    let usual = if managed { "kube-system" } else { "default" };
    let namespace = beside.map(|one| &*one.id.namespace).filter(|namespace| *namespace != usual);
    let namespace = namespace.map(|namespace| format!(" -n {}", mend::word(namespace))).unwrap_or_default();
    let wide = beside.is_some_and(|one| !managed && matching(one) == Matching::ClusterWide);
    let reach = if wide { " --cluster-wide" } else { "" };
    format!("podid manifests {what} --image {image}{namespace}{reach} | kubectl apply -f -")
}

fn not_ready(pods: &[&Runner], installed: &[&Workload]) -> Cross {
    let deployment = installed.iter().find(|one| one.kind == WorkloadKind::Deployment);
    if let Some(empty) = deployment.filter(|one| one.wanted == 0) {
        let (namespace, name) = (mend::word(&empty.id.namespace), mend::word(&empty.id.name));
        return Cross::new(
            Obstacle::MicNotReady,
            format!("Deployment {} is scaled to 0, so MIC does not run", empty.id),
        )
        .in_object(Object::new("Deployment", &empty.id))
        .mended_by([format!("kubectl scale deployment {name} -n {namespace} --replicas=2")]);
    }
    let states = pods.iter().map(|runner| {
        let state = match &runner.run {
            Run::Ready => "ready",
            Run::NotReady => "runs and is not ready",
            Run::Down(why) => why,
        };
        format!("{} {state}", runner.workload.id)
    });
    let states: Vec<_> = states.collect();
    let about = if states.is_empty() { "it has no pods".to_owned() } else { states.join("; ") };
    let object = match (deployment, pods.first()) {
        (Some(deployment), _) => Some(Object::new("Deployment", &deployment.id)),
        (None, Some(pod)) => Some(Object::new("Pod", &pod.workload.id)),
        (None, None) => None,
    };
    let cross = Cross::new(Obstacle::MicNotReady, format!("no pod of MIC is ready: {about}"))
        .mended_by(restart(installed.iter().copied()));
    Cross { object, ..cross }
}

/// Makes MIC begin anew.
pub(super) fn restart<'a>(installed: impl Iterator<Item = &'a Workload>) -> Vec<String> {
    let all: Vec<_> = installed.collect();
    if let Some(deployment) = all.iter().find(|one| one.kind == WorkloadKind::Deployment) {
        let (namespace, name) = (mend::word(&deployment.id.namespace), mend::word(&deployment.id.name));
        return vec![
            format!("kubectl rollout restart deployment {name} -n {namespace}"),
            format!("kubectl rollout status deployment {name} -n {namespace} --timeout=2m"),
        ];
    }
    let pods = all.iter().filter(|one| one.kind == WorkloadKind::Pod);
    let again = pods.map(|one| {
        let (namespace, name) = (mend::word(&one.id.namespace), mend::word(&one.id.name));
        format!("kubectl get pod {name} -n {namespace} -o yaml | kubectl replace --force -f -")
    });
    again.collect()
}

fn leaderless(lock: &Lock, now: jiff::Timestamp, pods: &[&Runner], installed: &[&Workload]) -> Option<Cross> {
    let held = |entry: &Option<Entry>| entry.as_ref().filter(|entry| entry.is_held(now, SLACK)).cloned();
    let (lease, legacy) = (held(&lock.lease), held(&lock.legacy));
    let original = pods.iter().filter(|runner| runner.workload.product() == Product::Original);
    let is_original = |entry: &Entry| original.clone().any(|runner| runner.workload.id.name == entry.holder);
    let ours = pods.iter().any(|runner| runner.workload.product() == Product::Podid);
    if let Some(other) =
        legacy.filter(|entry| lease.as_ref().is_none_or(|lease| lease.holder != entry.holder))
    {
        // Without podid's controller, the original's is the one that assigns.
        if !ours {
            return None;
        }
        let id = &lock.id;
        let known = is_original(&other);
        let stop = installed
            .iter()
            .find(|one| one.product() == Product::Original && one.kind == WorkloadKind::Deployment);
        let missing = format!(
            "{} holds the lock {id} of aad-pod-identity{}, so MIC of podid waits",
            other.holder,
            if known { "" } else { " (it is no pod of podid's MIC)" }
        );
        let stop = stop.map(|one| {
            let (namespace, name) = (mend::word(&one.id.namespace), mend::word(&one.id.name));
            format!("kubectl scale deployment {name} -n {namespace} --replicas=0")
        });
        let release =
            format!("kubectl delete endpoints {} -n {}", mend::word(&id.name), mend::word(&id.namespace));
        return Some(
            Cross::new(Obstacle::OriginalLeads, missing)
                .in_object(Object::new("Endpoints", id))
                .with_caution("while a cluster is taken over this is so until step 4 of docs/how-to/adopt.md")
                .mended_by(stop.into_iter().chain([release])),
        );
    }
    if lease.is_some() {
        return None;
    }
    let id = &lock.id;
    let about = match &lock.lease {
        None => "does not exist".to_owned(),
        Some(entry) if entry.holder.is_empty() => "is free".to_owned(),
        Some(entry) => format!("was last renewed by {} and has expired", entry.holder),
    };
    Some(
        Cross::new(Obstacle::MicNoLeader, format!("no MIC leads: Lease {id} {about}"))
            .in_object(Object::new("Lease", id))
            .mended_by(restart(installed.iter().copied())),
    )
}

/// Whether MIC, by its own flags, would not assign what NMI would give.
fn reach(view: &View<'_>, grant: &Grant<'_>, text: &str) -> Option<Cross> {
    let mic = view.index.workloads(Role::Mic).next()?;
    let (theirs, ours) = (matching(mic), view.terms.matching);
    if theirs == ours {
        return None;
    }
    let pod = &view.pod.fact;
    let bindings = view.index.bindings(pod.selector()?).iter().copied();
    let wanted = desired(pod, bindings, |id| view.index.identity(id).map(|one| &one.fact), theirs);
    if wanted.desired.iter().any(|one| one.grant.identity.id == grant.identity.id) {
        return None;
    }
    let deployment = view.index.scene.installed.list().iter().map(|one| &one.workload);
    let deployment = deployment
        .filter(|one| one.role() == Some(Role::Mic))
        .find(|one| one.kind == WorkloadKind::Deployment);
    let mend = deployment.and_then(unforce);
    let missing = format!(
        "{} {} matches within a namespace only (--forceNamespaced), and NMI across all: {text}",
        mic.kind.as_str(),
        mic.id
    );
    let object = Object::new(mic.kind.as_str(), &mic.id);
    Some(Cross::new(Obstacle::ReachDiffers, missing).in_object(object).mended_by(mend))
}

/// Takes the flag away.
fn unforce(mic: &Workload) -> Option<String> {
    let by_flag = |word: &str| {
        let name = word.trim_start_matches('-').split('=').next().unwrap_or_default();
        word.starts_with('-') && ["forceNamespaced", "force-namespaced"].contains(&name)
    };
    let position = mic.arguments.iter().position(|word| by_flag(word))?;
    let (field, position) =
        position.checked_sub(mic.command).map_or(("command", position), |position| ("args", position));
    let path = format!("/spec/template/spec/containers/0/{field}/{position}");
    Some(mend::json_patch("deployment", &mic.id, &format!(r#"[{{"op":"remove","path":"{path}"}}]"#)))
}

/// What MIC told the binding's owner last, if it was a complaint.
fn told(view: &View<'_>, grant: &Grant<'_>, cause: Cause) -> Option<Cross> {
    let started = view.pod.fact.started;
    let about = view.index.scene.notices.list().iter().filter(|notice| {
        notice.binding == grant.binding.id && notice.at.zip(started).is_none_or(|(at, started)| at >= started)
    });
    let last = about.max_by_key(|notice| notice.at).filter(|notice| notice.warning)?;
    let code = Code::marked(&last.message).unwrap_or_else(|| Code::Obstacle(guess(&last.message)));
    if code == Code::Cause(cause) {
        return None;
    }
    Some(azure::mended(view, grant, code, &message(last)))
}

/// What ARM's words come to, in an event without a code.
fn guess(message: &str) -> Obstacle {
    let lower = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["linkedauthorizationfailed", "linked scope", "userassignedidentities/assign/action"]) {
        Obstacle::NoOperatorRole
    } else if says(&["own identity may not do this", "authorizationfailed"]) {
        Obstacle::NoMachineRole
    } else if says(&["is throttling", "is in trouble", "toomanyrequests"]) {
        Obstacle::ArmTrouble
    } else if says(&["was not found", "resourcenotfound"]) && lower.contains("userassignedidentities/") {
        Obstacle::IdentityDeleted
    } else if says(&["does not exist in azure"]) {
        Obstacle::MachineMissing
    } else {
        Obstacle::IdentityRefused
    }
}

fn message(notice: &Notice) -> String {
    let text = notice.message.rsplit_once(" (podid explain ").map_or(&*notice.message, |(text, _)| text);
    format!("MIC says: {text}")
}

/// How MIC is.
pub(super) fn health(index: &Index<'_>) -> State {
    if let Some(cross) = trouble(index) {
        return State::Broken(Box::new(cross));
    }
    let runs = index.scene.runners.list().iter();
    let ready = runs.filter(|one| one.workload.role() == Some(Role::Mic) && one.run == Run::Ready).count();
    match &index.scene.lock {
        Seen::Known(Lock { lease: Some(entry), .. } | Lock { legacy: Some(entry), .. }) => {
            State::Fine(format!("{ready} ready, {} leads", entry.holder))
        }
        _ if ready > 0 => State::Fine(format!("{ready} ready, who leads could not be seen")),
        _ => State::Unseen("MIC could not be looked at".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_a_code_is_judged_by_what_arm_says() {
        let id =
            "/subscriptions/s/resourcegroups/g/providers/microsoft.managedidentity/userassignedidentities/a";
        let cases = [
            (format!("{id}: LinkedAuthorizationFailed: The client has permission"), Obstacle::NoOperatorRole),
            (
                "/vm: podid's own identity may not do this to /vm: AuthorizationFailed".to_owned(),
                Obstacle::NoMachineRole,
            ),
            ("/vm: ARM is throttling requests about /vm; next one in 9 s".to_owned(), Obstacle::ArmTrouble),
            (
                format!("{id}: ARM refuses it: BadRequest: Resource '{id}' was not found."),
                Obstacle::IdentityDeleted,
            ),
            ("/vm: /vm does not exist in Azure".to_owned(), Obstacle::MachineMissing),
            ("something else".to_owned(), Obstacle::IdentityRefused),
        ];
        for (message, expected) in cases {
            assert_eq!(guess(&message), expected, "{message}");
        }
    }
}
