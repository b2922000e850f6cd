//! Which link of this pod's chain is broken first?

use std::ops::ControlFlow;

use super::entitlement::{self, Entitlement};
use super::index::{AgentSettings, Index};
use super::scene::{DefinitionState, Pod};
use super::{Chain, Cross, Link, Outcome, Step, agent, assignment, azure, place, secret};
use crate::answer::{self, Answer, Caller, Mode, Terms, Without};
use crate::code::Obstacle;
use crate::ids::ObjectRef;
use crate::refusal::Refusal;
use crate::request::Selector;
use crate::select::Grant;

/// What is asked: which pod, and the token of which identity.
#[derive(Clone, Debug)]
pub struct Question {
    /// The pod.
    pub pod: ObjectRef,
    /// What its program asks for.
    pub selector: Selector,
}

/// Everything that a link may look at.
pub(super) struct View<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) pod: &'a Pod,
    pub(super) selector: &'a Selector,
    pub(super) agent: AgentSettings,
    pub(super) terms: Terms,
}

/// Links on their way.
struct Walk {
    links: Vec<Link>,
    broken: bool,
}

// === impl View ===

impl<'a> View<'a> {
    pub(super) fn new(index: &'a Index<'a>, pod: &'a Pod, selector: &'a Selector) -> Self {
        let node = pod.fact.node.as_ref();
        Self { index, pod, selector, agent: index.agent_settings(node), terms: index.terms(node) }
    }

    /// What NMI would say to the pod if it decided as in `mode`.
    pub(super) fn answer(&self, mode: Mode) -> Answer<'a> {
        let terms = Terms { mode, ..self.terms.clone() };
        let settled = self.pod.fact.started.unwrap_or(jiff::Timestamp::MIN);
        let caller = Caller { pod: &self.pod.fact, settled };
        answer::answer(self.index, caller, self.selector, &terms, self.index.scene.now)
    }
}

/// The refusal in which a caller's patience ends.
pub(super) fn refusal(without: Without) -> Refusal {
    match without {
        Without::Wait(wait) => wait.refusal,
        Without::Refuse(refusal) => refusal,
    }
}

/// Walks the chain of `question`'s pod; none if the pod is not in the scene.
pub fn walk(index: &Index<'_>, question: &Question) -> Option<Chain> {
    let pod = index.pod(&question.pod)?;
    let view = View::new(index, pod, &question.selector);
    let mut walk = Walk { links: Vec::new(), broken: false };
    let identity = match walk.go(&view) {
        ControlFlow::Continue(grant) => Some(grant.identity.id.clone()),
        ControlFlow::Break(identity) => identity,
    };
    Some(Chain { pod: pod.fact.id.clone(), node: pod.fact.node.clone(), identity, links: walk.links })
}

// === impl Walk ===

impl Walk {
    fn go<'a>(&mut self, view: &View<'a>) -> ControlFlow<Option<ObjectRef>, Grant<'a>> {
        self.add(Step::Definitions, definitions(view));
        if let Some(free) = place::free(view) {
            self.add(Step::Label, Outcome::Spared("the pod has none and needs none".to_owned()));
            self.add(Step::Exception, free);
            self.add(Step::Token, Outcome::Spared("IMDS answers the pod as it answers its node".to_owned()));
            return ControlFlow::Break(None);
        }
        let Entitlement { links, grant } = entitlement::look(view);
        for (step, outcome) in links {
            self.add(step, outcome);
        }
        self.add(Step::Exception, place::exception(view));
        self.add(Step::Pod, place::pod(view));
        self.add(Step::Node, place::node(view));
        let Some(grant) = grant else {
            for step in [Step::Machine, Step::Assignment, Step::Azure] {
                self.add(step, Outcome::Unseen("the pod's identity is not known".to_owned()));
            }
            self.add_agent(view);
            self.add(Step::Token, Outcome::Unseen("the pod's identity is not known".to_owned()));
            return ControlFlow::Break(None);
        };
        if grant.identity.resource_id().is_some() {
            self.add(Step::Machine, place::machine(view));
        }
        self.add(Step::Assignment, assignment::look(view, &grant));
        if grant.identity.resource_id().is_some() {
            self.add(Step::Azure, azure::look(view, &grant));
        } else {
            self.add(Step::Secret, secret::look(view, &grant));
        }
        self.add_agent(view);
        self.add(Step::Token, agent::token(view, &grant));
        ControlFlow::Continue(grant)
    }

    fn add_agent(&mut self, view: &View<'_>) {
        self.add(Step::Agent, agent::look(view));
        self.add(Step::Redirect, agent::redirect(view));
    }

    fn add(&mut self, step: Step, outcome: Outcome) {
        let outcome = if self.broken { Outcome::Open } else { outcome };
        self.broken |= matches!(outcome, Outcome::Broken(_));
        self.links.push(Link { step, outcome });
    }
}

/// Without `AzureAssignedIdentity` managed mode does as well.
fn definitions(view: &View<'_>) -> Outcome {
    let all = match &view.index.scene.definitions {
        super::Seen::Known(all) => all,
        super::Seen::Unseen(why) => return Outcome::Unseen(why.to_string()),
    };
    let needed =
        |name: &str| view.agent.mode == Mode::Standard || !name.starts_with("azureassignedidentities");
    let missing: Vec<_> = all
        .iter()
        .filter(|one| one.state == DefinitionState::Missing && needed(&one.name))
        .map(|one| &*one.name)
        .collect();
    if missing.is_empty() {
        return Outcome::Holds("the custom resources are defined".to_owned());
    }
    Cross::new(Obstacle::CrdsMissing, format!("the cluster does not define {}", missing.join(", ")))
        .mended_by(["podid crds apply".to_owned()])
        .into()
}
