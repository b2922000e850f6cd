//! May podid be turned on in this cluster, and off again?
//!
//! What AKS checked before it turned its add-on on (Linux nodes, scale sets, network plugin, the cluster's
//! own identity), as far as it holds for any cluster. All that is wrong is told at once.

use std::fmt;
use std::sync::Arc;

use super::state::Mode;
use crate::ids::{NodeName, ObjectRef};

/// Where the danger of kubenet is explained.
pub const KUBENET_PAGE: &str = "docs/how-to/close-net-raw.md";

/// What was found out about the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many Linux nodes there are.
    pub linux_nodes: usize,
    /// Those of them that are on no VM or scale set of Azure, with the reason.
    pub elsewhere: Vec<(NodeName, String)>,
    /// The network plugin, as the cluster in Azure or a person says.
    pub plugin: Option<Arc<str>>,
    /// The cluster in Azure, if one is known.
    pub managed: Option<Managed>,
    /// What of podid, or of the original, is there.
    pub installed: Installed,
}

/// A cluster of AKS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// Its ARM id.
    pub id: Arc<str>,
    /// Whether it has an identity of its own.
    pub has_identity: bool,
    /// Whether the add-on of AKS itself is on.
    pub has_addon: bool,
}

/// What of podid, or of the original, is in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Installed {
    /// Nothing.
    #[default]
    Nothing,
    /// What `podid enable` put there.
    Ours {
        /// In which mode.
        mode: Mode,
        /// Whether somebody agreed to kubenet.
        kubenet: bool,
        /// The image of its agents.
        image: Arc<str>,
    },
    /// podid, put there by something else.
    Podid {
        /// In which mode.
        mode: Mode,
        /// What and where.
        what: Arc<str>,
    },
    /// aad-pod-identity; what and where.
    Original(Arc<str>),
}

/// What a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In which mode.
    pub mode: Mode,
    /// Whether the person agrees to kubenet.
    pub kubenet: bool,
    /// The image to use.
    pub image: Option<Arc<str>>,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Install, or bring up to date.
    Install {
        /// Whether NMI has to be told that kubenet was agreed to.
        kubenet: bool,
        /// The image of all parts.
        image: Arc<str>,
    },
    /// Something else installed it, and takes care of it: only the exception is ours to make.
    Leave {
        /// What and where.
        what: Arc<str>,
    },
}

/// Why podid cannot be turned on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no node on which it could run.
    NoLinuxNode,
    /// Nodes are not Azure's.
    NotAzure(Vec<(NodeName, String)>),
    /// The network lets pods take each other's address.
    Kubenet,
    /// The cluster has no managed identity.
    NoIdentity(Arc<str>),
    /// The add-on of AKS is on: two agents would fight for each node.
    AksAddon(Arc<str>),
    /// aad-pod-identity is there.
    Original(Arc<str>),
    /// It is on in the other mode.
    OtherMode {
        /// In which.
        is: Mode,
        /// What and where.
        what: Arc<str>,
    },
    /// Nobody said which image.
    NoImage,
}

/// What has to be done so that podid is on as `asked`, or everything that stands against it.
pub fn check(seen: &Seen, asked: &Asked) -> Result<Verdict, Vec<Problem>> {
    let mut problems = Vec::new();
    if seen.linux_nodes == 0 {
        problems.push(Problem::NoLinuxNode);
    }
    if !seen.elsewhere.is_empty() {
        problems.push(Problem::NotAzure(seen.elsewhere.clone()));
    }
    let agreed = asked.kubenet || matches!(seen.installed, Installed::Ours { kubenet: true, .. });
    let is_kubenet = seen.plugin.as_deref().is_some_and(|plugin| plugin.eq_ignore_ascii_case("kubenet"));
    if is_kubenet && !agreed {
        problems.push(Problem::Kubenet);
    }
    if let Some(managed) = &seen.managed {
        if !managed.has_identity {
            problems.push(Problem::NoIdentity(managed.id.clone()));
        }
        if managed.has_addon {
            problems.push(Problem::AksAddon(managed.id.clone()));
        }
    }
    let mut verdict = None;
    match &seen.installed {
        Installed::Original(what) => problems.push(Problem::Original(what.clone())),
        Installed::Ours { mode, .. } if *mode != asked.mode => {
            problems.push(Problem::OtherMode { is: *mode, what: "podid enable".into() });
        }
        Installed::Podid { mode, what } if *mode != asked.mode => {
            problems.push(Problem::OtherMode { is: *mode, what: what.clone() });
        }
        Installed::Podid { what, .. } => verdict = Some(Verdict::Leave { what: what.clone() }),
        Installed::Ours { image, .. } => {
            let image = asked.image.clone().unwrap_or_else(|| image.clone());
            verdict = Some(Verdict::Install { kubenet: agreed, image });
        }
        Installed::Nothing => match &asked.image {
            Some(image) => verdict = Some(Verdict::Install { kubenet: agreed, image: image.clone() }),
            None => problems.push(Problem::NoImage),
        },
    }
    match verdict {
        Some(verdict) if problems.is_empty() => Ok(verdict),
        _ => Err(problems),
    }
}

/// Why podid cannot be turned off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Pod identities are there, and nobody said that they shall go.
    InUse(Vec<ObjectRef>),
    /// Other objects of podid's kinds are there that no command of podid's made, and nobody said that they shall go.
    Others(Vec<String>),
    /// Something else installed it, and has to remove it.
    NotOurs(Arc<str>),
}

/// Whether podid may be turned off, where `identities` are there and `others`, bindings and exceptions that no command of
/// podid's made; `delete` says that all of them go with it.
pub fn check_off(
    installed: &Installed,
    identities: &[ObjectRef],
    others: &[String],
    delete: bool,
) -> Result<(), Stays> {
    match installed {
        Installed::Podid { what, .. } => return Err(Stays::NotOurs(what.clone())),
        Installed::Original(what) => return Err(Stays::NotOurs(format!("aad-pod-identity, {what}").into())),
        Installed::Ours { .. } | Installed::Nothing => {}
    }
    match (delete, identities, others) {
        (true, ..) | (false, [], []) => Ok(()),
        (false, [], others) => Err(Stays::Others(others.to_vec())),
        (false, identities, _) => Err(Stays::InUse(identities.to_vec())),
    }
}

// === impl Installed ===

impl Installed {
    /// The mode in which podid is on, if it is.
    pub fn mode(&self) -> Option<Mode> {
        match self {
            Self::Ours { mode, .. } | Self::Podid { mode, .. } => Some(*mode),
            Self::Nothing | Self::Original(_) => None,
        }
    }
}

// === impl Display ===

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLinuxNode => {
                f.write_str("the cluster has no Linux node, and podid runs on those only; add a Linux node pool")
            }
            Self::NotAzure(nodes) => {
                let each: Vec<String> = nodes.iter().map(|(node, why)| format!("{node}: {why}")).collect();
                write!(
                    f,
                    "these nodes are on no VM or scale set of Azure, so no identity can be put on them: {}; use a \
                     cluster whose nodes are Azure's, or podid lab up to try podid",
                    each.join(", ")
                )
            }
            Self::Kubenet => write!(
                f,
                "the cluster's network plugin is kubenet, on which a pod with the capability NET_RAW can forge ARP, \
                 take another pod's address and so its identity. First keep pods from having it: podid policy \
                 net-raw --for vap | kubectl apply -f -; then run this again with --enable-pod-identity-with-kubenet \
                 ({KUBENET_PAGE})"
            ),
            Self::NoIdentity(cluster) => write!(
                f,
                "the cluster {cluster} has no managed identity of its own; give it one: az aks update \
                 --enable-managed-identity"
            ),
            Self::AksAddon(cluster) => write!(
                f,
                "AKS's own pod identity is on in {cluster}, and two agents would fight for each node; turn it off: \
                 az aks update --disable-pod-identity"
            ),
            Self::Original(what) => write!(
                f,
                "aad-pod-identity is in the cluster ({what}); podid takes its place without a gap, but not with \
                 this command: podid adopt check"
            ),
            Self::OtherMode { is, what } => write!(
                f,
                "podid is on in {} mode ({what}); to change the mode, remove it first, or leave --mode out",
                word(*is)
            ),
            Self::NoImage => f.write_str(
                "no image of podid is given, and none is published; build one (cargo xtask image), push it, and \
                 name it with --image REGISTRY/podid:TAG",
            ),
        }
    }
}

/// The first few of many.
fn some<T: fmt::Display>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(5).map(ToString::to_string).collect();
    let more = all.len().saturating_sub(shown.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others(titles) => write!(
                f,
                "these objects would go with their kinds, and no command of podid's made them: {}; keep what you need \
                 (kubectl get KIND NAME -n NAMESPACE -o yaml) and delete them, or let this command do it: \
                 --delete-identities",
                some(titles)
            ),
            Self::InUse(ids) => {
                write!(
                    f,
                    "{} pod identities are in the cluster ({}), and their pods would get no more tokens; \
                     delete them (podid delete --namespace NAMESPACE --name NAME), or let this command do it: \
                     --delete-identities",
                    ids.len(),
                    some(ids),
                )
            }
            Self::NotOurs(what) => write!(
                f,
                "podid enable did not put this there: {what}; remove it with what installed it (helm uninstall, or \
                 kubectl delete -f)"
            ),
        }
    }
}

/// The mode, as arguments name it.
pub fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Standard => "standard",
        Mode::Managed => "managed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        let managed = Managed { id: "/c".into(), has_identity: true, has_addon: false };
        Seen { linux_nodes: 2, plugin: Some("azure".into()), managed: Some(managed), ..Seen::default() }
    }

    fn asked() -> Asked {
        Asked { mode: Mode::Managed, kubenet: false, image: Some("r/podid:1".into()) }
    }

    fn ours(mode: Mode, kubenet: bool) -> Installed {
        Installed::Ours { mode, kubenet, image: "r/podid:0".into() }
    }

    fn podid(mode: Mode) -> Installed {
        Installed::Podid { mode, what: "DaemonSet a/nmi".into() }
    }

    type Change = fn(&mut Seen);

    #[test]
    fn each_prerequisite_is_missed_by_name() {
        let cluster = |has_identity, has_addon| Some(Managed { id: "/c".into(), has_identity, has_addon });
        assert_eq!(
            check(&Seen { managed: cluster(false, false), ..seen() }, &asked()),
            Err(vec![Problem::NoIdentity("/c".into())])
        );
        assert_eq!(
            check(&Seen { managed: cluster(true, true), ..seen() }, &asked()),
            Err(vec![Problem::AksAddon("/c".into())])
        );
        let cases: [(Change, Problem); 5] = [
            (|seen| seen.linux_nodes = 0, Problem::NoLinuxNode),
            (
                |seen| seen.elsewhere = vec![(NodeName::new("n"), "kind".into())],
                Problem::NotAzure(vec![(NodeName::new("n"), "kind".into())]),
            ),
            (|seen| seen.plugin = Some("KubeNet".into()), Problem::Kubenet),
            (
                |seen| seen.installed = Installed::Original("DaemonSet d/nmi".into()),
                Problem::Original("DaemonSet d/nmi".into()),
            ),
            (
                |seen| seen.installed = ours(Mode::Standard, false),
                Problem::OtherMode { is: Mode::Standard, what: "podid enable".into() },
            ),
        ];
        for (change, problem) in cases {
            let mut seen = seen();
            change(&mut seen);
            assert_eq!(check(&seen, &asked()), Err(vec![problem]));
        }
        let without = Asked { image: None, ..asked() };
        assert_eq!(check(&seen(), &without), Err(vec![Problem::NoImage]));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let seen = Seen { linux_nodes: 0, plugin: Some("kubenet".into()), ..Seen::default() };
        let problems = check(&seen, &Asked { image: None, ..asked() }).unwrap_err();
        assert_eq!(problems, [Problem::NoLinuxNode, Problem::Kubenet, Problem::NoImage]);
    }

    #[test]
    fn a_cluster_that_is_not_aks_needs_no_cluster_in_azure() {
        let seen = Seen { managed: None, plugin: None, ..seen() };
        assert!(check(&seen, &asked()).is_ok());
    }

    #[test]
    fn kubenet_takes_consent_once() {
        let kubenet = |installed| Seen { plugin: Some("kubenet".into()), installed, ..seen() };
        let image = |text: &str| text.into();
        let agreed = Asked { kubenet: true, ..asked() };
        let install = Verdict::Install { kubenet: true, image: image("r/podid:1") };
        assert_eq!(check(&kubenet(Installed::Nothing), &agreed), Ok(install.clone()));
        assert_eq!(check(&kubenet(ours(Mode::Managed, true)), &asked()), Ok(install));
        assert_eq!(check(&kubenet(ours(Mode::Managed, false)), &asked()), Err(vec![Problem::Kubenet]));
    }

    #[test]
    fn what_is_there_keeps_its_image_unless_another_is_named() {
        let seen = Seen { installed: ours(Mode::Managed, false), ..seen() };
        let same = Verdict::Install { kubenet: false, image: "r/podid:0".into() };
        assert_eq!(check(&seen, &Asked { image: None, ..asked() }), Ok(same));
        let other = Verdict::Install { kubenet: false, image: "r/podid:1".into() };
        assert_eq!(check(&seen, &asked()), Ok(other));
    }

    #[test]
    fn what_something_else_installed_is_left_alone() {
        let same = Seen { installed: podid(Mode::Managed), ..seen() };
        assert_eq!(check(&same, &asked()), Ok(Verdict::Leave { what: "DaemonSet a/nmi".into() }));
        let other = Seen { installed: podid(Mode::Standard), ..seen() };
        assert!(matches!(check(&other, &asked()).unwrap_err()[..], [Problem::OtherMode { .. }]));
    }

    #[test]
    fn off_is_refused_while_it_is_in_use_or_not_ours() {
        let ids = [ObjectRef::new("a", "b")];
        let ours = ours(Mode::Managed, false);
        let others = ["AzureIdentityBinding a/b".to_owned()];
        assert_eq!(check_off(&ours, &ids, &[], false), Err(Stays::InUse(ids.to_vec())));
        assert_eq!(check_off(&ours, &[], &others, false), Err(Stays::Others(others.to_vec())));
        assert_eq!(check_off(&Installed::Nothing, &[], &others, false), Err(Stays::Others(others.to_vec())));
        assert_eq!(check_off(&ours, &ids, &others, true), Ok(()));
        assert_eq!(check_off(&ours, &[], &[], false), Ok(()));
        assert_eq!(check_off(&Installed::Nothing, &[], &[], false), Ok(()));
        assert!(matches!(check_off(&podid(Mode::Managed), &[], &[], true), Err(Stays::NotOurs(_))));
        assert!(matches!(
            check_off(&Installed::Original("x".into()), &[], &[], true),
            Err(Stays::NotOurs(_))
        ));
    }

    #[test]
    fn the_danger_of_kubenet_is_named_with_the_policy_and_the_page() {
        let text = Problem::Kubenet.to_string();
        for part in
            ["NET_RAW", "ARP", "podid policy net-raw", "--enable-pod-identity-with-kubenet", KUBENET_PAGE]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
