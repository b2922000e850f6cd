//! What was found, how grave is it, and what is to be done?

use std::fmt;
use std::sync::Arc;

use crate::ids::ObjectRef;

/// One thing that is different with podid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule found it.
    pub code: Code,
    /// How grave it is.
    pub level: Level,
    /// The object that it is about.
    pub object: Object,
    /// What changes, for whom.
    pub change: String,
    /// What to do: a command, or a value that switches back.
    pub action: String,
}

/// How grave a finding is; the gravest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// podid must not be installed before this is dealt with.
    Blocks,
    /// Something that works today works differently, or no longer.
    Changes,
    /// Good to know; nothing has to be done.
    Note,
}

/// An object of the cluster, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its kind, such as `AzureIdentity`.
    pub kind: &'static str,
    /// Its namespace; none where it has none.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The rules, each with a code that stays.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as people write it, such as `PA-10`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    /// AKS manages the original and puts it back.
    Addon = "PA-01",
    /// An agent of each kind runs on one node.
    TwoAgents = "PA-02",
    /// The original is older than its present kinds.
    TooOld = "PA-03",
    /// The two controllers would not share a lock.
    OtherLock = "PA-04",
    /// The original's agent holds its ports on nodes.
    PortsTaken = "PA-05",
    /// A flag of the original has another meaning or none.
    Flag = "PA-06",
    /// The old controller would be refused by the admission policy while it still works.
    OldWriter = "PA-07",
    /// The old controller lives on the short cut by name.
    ControllerShortCut = "PA-08",
    /// Another pod lives on the short cut by name.
    PodShortCut = "PA-09",
    /// A binding works only across namespaces.
    AcrossNamespaces = "PA-10",
    /// A binding names an identity that does not exist.
    IdentityMissing = "PA-11",
    /// A binding has an empty selector.
    EmptySelector = "PA-12",
    /// Pods have a label that no binding selects.
    NothingBound = "PA-13",
    /// A pod has several identities and may ask for none in particular.
    SeveralIdentities = "PA-14",
    /// A pod has two identities of the same name.
    SameName = "PA-15",
    /// The resource id of an identity is none.
    ResourceId = "PA-20",
    /// An identity has no client id.
    ClientIdMissing = "PA-21",
    /// The type of an identity is unknown.
    UnknownType = "PA-22",
    /// A service principal lacks something.
    PrincipalIncomplete = "PA-23",
    /// The Secret of an identity is in another namespace.
    SecretElsewhere = "PA-24",
    /// The Secret of an identity has no key that could be meant.
    SecretAmbiguous = "PA-25",
    /// The Secret of an identity does not exist.
    SecretMissing = "PA-26",
    /// The agent needs the right to read Secrets of a namespace.
    SecretRight = "PA-27",
    /// An authority would not be asked.
    Authority = "PA-28",
    /// An identity has further tenants.
    AuxiliaryTenants = "PA-29",
    /// A record cannot be read.
    RecordUnreadable = "PA-30",
    /// A record is where podid trusts none.
    RecordElsewhere = "PA-31",
    /// A record is stuck on its way.
    RecordStuck = "PA-32",
    /// A record waits for a finalizer that nobody removes.
    RecordHeld = "PA-33",
    /// A record has the empty status of old releases.
    RecordWithoutStatus = "PA-34",
    /// A finished pod keeps an identity.
    FinishedPod = "PA-35",
    /// A record's pod does not exist.
    RecordWithoutPod = "PA-36",
    /// Pods are excepted.
    Exception = "PA-40",
}

// === impl Code, Level ===

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Level {
    /// The level in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Changes => "changes",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Object ===

impl Object {
    /// The object `id` of a namespaced kind.
    pub fn new(kind: &'static str, id: &ObjectRef) -> Self {
        Self { kind, namespace: Some(id.namespace.clone()), name: id.name.clone() }
    }

    /// The namespace `name`.
    pub fn namespace(name: &Arc<str>) -> Self {
        Self { kind: "Namespace", namespace: None, name: name.clone() }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Names for a sentence, sorted, each once: the first few and how many more.
pub(super) fn some<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 5;
    let names: std::collections::BTreeSet<String> = names.into_iter().map(|name| name.to_string()).collect();
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        let texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let mut sorted = texts.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(texts, sorted);
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        assert_eq!(some(["b", "a", "b"]), "a, b");
        assert_eq!(some(1..=7), "1, 2, 3, 4, 5 and 2 more");
    }
}
