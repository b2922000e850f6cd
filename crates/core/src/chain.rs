//! What lies between a pod and its token, and which link of that chain is broken?
//!
//! [`walk()`] goes the way that MIC and NMI go, with their decisions ([`crate::select`], [`crate::answer`],
//! [`crate::desired`], [`crate::target`]) over facts that somebody else gathered ([`Scene`]), and stops at the first
//! link that does not hold. Whatever could not be looked at is said and stops nothing. Each cross has a [`Code`], says
//! what is missing in which object, and gives the commands that mend it.
//! [`cluster`] looks at what all pods share.

mod agent;
mod assignment;
mod azure;
pub mod cluster;
mod controller;
mod entitlement;
mod index;
mod mend;
mod place;
mod rights;
mod scene;
mod secret;
mod walk;

use crate::adopt::Object;
use crate::code::Code;
use crate::ids::{NodeName, ObjectRef};

pub use index::Index;
pub use scene::{
    AzureIdentity, Definition, DefinitionState, Entry, Installed, Lock, Machine, Node, Notice, Owner, Pod,
    Rights, Run, Runner, Scene, Secret, Seen, Words,
};
pub use walk::{Question, walk};

/// The links, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The custom resources are defined.
    Definitions,
    /// The pod has the label.
    Label,
    /// A binding has the label's value as its selector.
    Binding,
    /// The identity that the binding names exists and can be used.
    Identity,
    /// Bindings and identities reach the pod's namespace.
    Namespace,
    /// No exception lets the pod past NMI.
    Exception,
    /// The pod runs, in a network of its own.
    Pod,
    /// The pod's node exists.
    Node,
    /// The node is a machine or belongs to a scale set that can carry the identity.
    Machine,
    /// MIC recorded that the identity is on it.
    Assignment,
    /// The identity exists in Azure and is on the machine or scale set.
    Azure,
    /// The Secret of a service principal can be used.
    Secret,
    /// NMI is ready on the node.
    Agent,
    /// The metadata address leads to NMI.
    Redirect,
    /// NMI gives the token.
    Token,
}

/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds; in a sentence, why.
    Holds(String),
    /// It does not hold.
    Broken(Box<Cross>),
    /// It could not be looked at; why.
    Unseen(String),
    /// It does not matter here; why.
    Spared(String),
    /// An earlier link is broken.
    Open,
}

/// A link and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which link.
    pub step: Step,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a link does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cross {
    /// Its word.
    pub code: Code,
    /// The object in which something is missing.
    pub object: Option<Object>,
    /// What is missing, in a sentence.
    pub missing: String,
    /// The commands that mend it, to be run one after the other; words in capitals are to be filled in.
    pub mend: Vec<String>,
    /// What to know before running them.
    pub caution: Option<String>,
}

/// How it ends for the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// NMI would give a token.
    Token,
    /// IMDS answers the pod as it answers its node, and was meant to.
    PassThrough,
    /// A link is broken.
    Broken(Code),
    /// No link is broken, but some could not be looked at.
    Unknown,
}

/// A pod's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The pod.
    pub pod: ObjectRef,
    /// Its node.
    pub node: Option<NodeName>,
    /// The `AzureIdentity` of which it would get a token.
    pub identity: Option<ObjectRef>,
    /// All links that matter, in order.
    pub links: Vec<Link>,
}

// === impl Step ===

impl Step {
    /// The step in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Definitions => "definitions",
            Self::Label => "label",
            Self::Binding => "binding",
            Self::Identity => "identity",
            Self::Namespace => "namespace",
            Self::Exception => "exception",
            Self::Pod => "pod",
            Self::Node => "node",
            Self::Machine => "machine",
            Self::Assignment => "assignment",
            Self::Azure => "azure",
            Self::Secret => "secret",
            Self::Agent => "nmi",
            Self::Redirect => "redirect",
            Self::Token => "token",
        }
    }
}

// === impl Cross ===

impl Cross {
    /// A cross without an object and without commands.
    pub fn new(code: impl Into<Code>, missing: impl Into<String>) -> Self {
        Self { code: code.into(), object: None, missing: missing.into(), mend: Vec::new(), caution: None }
    }

    /// The same, in this object.
    #[must_use]
    pub fn in_object(self, object: Object) -> Self {
        Self { object: Some(object), ..self }
    }

    /// The same, mended by these commands.
    #[must_use]
    pub fn mended_by(self, commands: impl IntoIterator<Item = String>) -> Self {
        Self { mend: commands.into_iter().collect(), ..self }
    }

    /// The same, with something to know first.
    #[must_use]
    pub fn with_caution(self, caution: impl Into<String>) -> Self {
        Self { caution: Some(caution.into()), ..self }
    }
}

impl From<Cross> for Outcome {
    fn from(cross: Cross) -> Self {
        Self::Broken(Box::new(cross))
    }
}

// === impl Chain ===

impl Chain {
    /// The first broken link, if one is broken.
    pub fn cross(&self) -> Option<&Cross> {
        self.links.iter().find_map(|link| match &link.outcome {
            Outcome::Broken(cross) => Some(&**cross),
            _ => None,
        })
    }

    /// How it ends.
    pub fn verdict(&self) -> Verdict {
        if let Some(cross) = self.cross() {
            return Verdict::Broken(cross.code);
        }
        let last = self.links.last().map(|link| (link.step, &link.outcome));
        let recorded =
            |link: &Link| link.step == Step::Assignment && matches!(link.outcome, Outcome::Holds(_));
        let recorded = self.links.iter().any(recorded);
        match last {
            Some((Step::Token, Outcome::Spared(_))) => Verdict::PassThrough,
            // Azure itself is a help where it can be asked; MIC's record, where there is one, says enough.
            _ if self.links.iter().any(|link| {
                (link.step != Step::Azure || !recorded) && matches!(link.outcome, Outcome::Unseen(_))
            }) =>
            {
                Verdict::Unknown
            }
            _ => Verdict::Token,
        }
    }
}

#[cfg(test)]
mod tests;
