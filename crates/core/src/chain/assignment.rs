//! Did MIC record that the identity is where the pod is, and if not, why?

use super::walk::{View, refusal};
use super::{Cross, Outcome, Seen, controller, mend};
use crate::adopt::{Object, Role};
use crate::answer::{Answer, Mode, View as _};
use crate::facts::AssignmentState;
use crate::refusal::Cause;
use crate::select::Grant;

pub(super) fn look(view: &View<'_>, grant: &Grant<'_>) -> Outcome {
    if view.agent.mode == Mode::Managed {
        return Outcome::Spared("NMI runs in managed mode and asks for none".to_owned());
    }
    if let Seen::Unseen(why) = &view.index.scene.records {
        return Outcome::Unseen(why.to_string());
    }
    let cause = match view.answer(Mode::Standard) {
        Answer::Serve(choice) => return Outcome::Holds(assigned(view, &choice.identity.id)),
        Answer::Find(choices, _) => {
            let first = choices.first().map_or(&grant.identity.id, |choice| &choice.identity.id);
            return Outcome::Holds(assigned(view, first));
        }
        Answer::PassThrough => return Outcome::Spared("IMDS answers the pod itself".to_owned()),
        Answer::Without(without) => refusal(without),
    };
    let text = cause.text.trim_start_matches("Not yet: ").trim_start_matches("Identity not found: ");
    // Whoever looks has more to go by than "if this lasts".
    let text = text.split(" If this lasts").next().unwrap_or(text);
    let text = text.split(" MIC writes it anew").next().unwrap_or(text);
    controller::why(view, grant, cause.cause, text)
        .unwrap_or_else(|| patience(view, grant, cause.cause, text))
        .into()
}

fn assigned(view: &View<'_>, identity: &crate::ids::ObjectRef) -> String {
    let all = view.index.assignments(&view.pod.fact.id);
    let of = all.filter(|held| held.assignment.identity.id == *identity);
    let found = of.into_iter().find(|held| held.assignment.state == AssignmentState::Assigned);
    match found {
        Some(held) => format!("AzureAssignedIdentity {} is Assigned", held.assignment.id),
        None => "it is assigned".to_owned(),
    }
}

/// Nothing speaks against MIC's doing it: it is under way, or MIC does not see what we see.
fn patience(view: &View<'_>, grant: &Grant<'_>, cause: Cause, text: &str) -> Cross {
    let all = view.index.assignments(&view.pod.fact.id);
    let record = all.map(|held| &held.assignment).find(|one| one.identity.id == grant.identity.id);
    let cross = Cross::new(cause, text);
    match (cause, record) {
        (Cause::Assigning, Some(record)) => {
            let (namespace, name) = (mend::word(&record.id.namespace), mend::word(&record.id.name));
            cross.in_object(Object::new("AzureAssignedIdentity", &record.id)).mended_by([format!(
                "kubectl wait azureassignedidentity {name} -n {namespace} --for=jsonpath='{{.status.status}}'=Assigned \
                 --timeout=5m"
            )])
        }
        (_, Some(record)) => {
            cross.in_object(Object::new("AzureAssignedIdentity", &record.id)).mended_by(restart(view))
        }
        (_, None) => {
            cross.in_object(Object::new("AzureIdentityBinding", &grant.binding.id)).mended_by(restart(view))
        }
    }
}

/// Makes MIC look anew at everything.
fn restart(view: &View<'_>) -> Vec<String> {
    let mics = view.index.workloads(Role::Mic);
    controller::restart(mics)
}
