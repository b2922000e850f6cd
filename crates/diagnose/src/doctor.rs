//! How is a look at the whole cluster told?

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use podid_console::Grid;
use podid_core::chain::cluster::{Health, State};
use podid_core::chain::{Chain, Cross, Verdict};
use serde_json::{Value, json};

use crate::why::{colour, cross_json, plain, remedy};

/// What was found, ready to be told.
#[derive(Clone, Debug)]
pub struct Checkup {
    health: Vec<Health>,
    pods: Vec<Chain>,
    pods_unseen: Option<String>,
}

// === impl Checkup ===

impl Checkup {
    pub(crate) fn new(health: Vec<Health>, pods: Vec<Chain>, pods_unseen: Option<String>) -> Self {
        Self { health, pods, pods_unseen }
    }

    /// Whether something is broken, for podid itself or for a pod.
    pub fn is_broken(&self) -> bool {
        self.health.iter().any(|health| matches!(health.state, State::Broken(_)))
            || self.pods.iter().any(|chain| chain.cross().is_some())
    }

    /// Whether everything could be looked at.
    pub fn is_complete(&self) -> bool {
        let seen = self.health.iter().all(|health| !matches!(health.state, State::Unseen(_)));
        seen && self.pods_unseen.is_none()
            && self.pods.iter().all(|chain| chain.verdict() != Verdict::Unknown)
    }

    /// Everything for programs.
    pub fn json(&self) -> Value {
        let health = self.health.iter().map(|health| {
            let (state, text, cross) = match &health.state {
                State::Fine(text) => ("fine", text.as_str(), None),
                State::Broken(cross) => ("broken", cross.missing.as_str(), Some(cross_json(cross))),
                State::Weak(cross) => ("weak", cross.missing.as_str(), Some(cross_json(cross))),
                State::Unseen(why) => ("unseen", why.as_str(), None),
            };
            json!({"part": health.part, "state": state, "text": text, "cross": cross})
        });
        let pods = self.pods.iter().map(|chain| {
            json!({
                "namespace": &*chain.pod.namespace,
                "name": &*chain.pod.name,
                "node": chain.node.as_ref().map(podid_core::ids::NodeName::as_str),
                "verdict": word(chain),
                "code": chain.cross().map(|cross| cross.code.word()),
                "cross": chain.cross().map(cross_json),
            })
        });
        let fine = self.pods.iter().filter(|chain| chain.verdict() == Verdict::Token).count();
        json!({
            "cluster": health.collect::<Vec<_>>(),
            "pods": pods.collect::<Vec<_>>(),
            "unseen": self.pods_unseen,
            "summary": {"pods": self.pods.len(), "fine": fine, "broken": self.is_broken(), "complete": self.is_complete()},
        })
    }

    /// Everything for people.
    pub fn table(&self) -> String {
        let bold = Style::new().bold();
        let mut text = String::new();
        for health in &self.health {
            let (style, mark, about) = match &health.state {
                State::Fine(about) => (colour(AnsiColor::Green), '✓', about.clone()),
                State::Broken(cross) => (colour(AnsiColor::Red), '✗', told(cross)),
                State::Weak(cross) => (colour(AnsiColor::Yellow), '!', told(cross)),
                State::Unseen(why) => (colour(AnsiColor::Yellow), '?', format!("not looked at: {why}")),
            };
            let _ = writeln!(text, "{style}{mark}{style:#} {}: {}", health.part, plain(&about));
        }
        match (&self.pods_unseen, self.pods.is_empty()) {
            (Some(why), _) => _ = writeln!(text, "? pods: not looked at: {why}"),
            (None, true) => _ = writeln!(text, "\nNo pod has the label aadpodidbinding."),
            (None, false) => _ = write!(text, "\n{}", self.grid()),
        }
        for cross in self.crosses() {
            let style = colour(AnsiColor::Red);
            let _ = write!(
                text,
                "\n{style}{}{style:#}  {}\n{}",
                cross.code,
                plain(&cross.missing),
                remedy(cross)
            );
        }
        let _ = writeln!(text, "\n{bold}{}{bold:#}", self.summary());
        text
    }

    /// One line for each pod, those with a cross first.
    fn grid(&self) -> Grid {
        let mut grid = Grid::new(["Namespace", "Pod", "Node", "State", "Identity"]);
        let mut pods: Vec<&Chain> = self.pods.iter().collect();
        pods.sort_by_key(|chain| (chain.cross().is_none(), &chain.pod));
        for chain in pods {
            let node = chain.node.as_ref().map_or("", podid_core::ids::NodeName::as_str);
            let identity = chain.identity.as_ref().map(ToString::to_string).unwrap_or_default();
            grid.row([&chain.pod.namespace, &chain.pod.name, node, word(chain), &identity]);
        }
        grid
    }

    /// One cross of each cause: of the cluster's parts first, then of pods.
    fn crosses(&self) -> Vec<&Cross> {
        let parts = self.health.iter().filter_map(|health| match &health.state {
            State::Broken(cross) | State::Weak(cross) => Some(&**cross),
            _ => None,
        });
        let all = parts.chain(self.pods.iter().filter_map(Chain::cross));
        let mut first: BTreeMap<_, &Cross> = BTreeMap::new();
        let mut order = Vec::new();
        for cross in all {
            if first.insert(cross.code, cross).is_none() {
                order.push(cross);
            }
        }
        order
    }

    fn summary(&self) -> String {
        let broken = self.pods.iter().filter(|chain| chain.cross().is_some()).count();
        let pods = format!(
            "{} of {} pods with the label would get a token",
            self.pods.len() - broken,
            self.pods.len()
        );
        match (self.is_broken(), self.is_complete()) {
            (true, _) if broken > 0 => format!(
                "{pods}. One of each cause is shown above; podid why POD -n NAMESPACE says it of a pod."
            ),
            (true, _) => format!("{pods}, and a part of podid is broken."),
            (false, false) => {
                format!("Nothing broken was seen, but not everything could be looked at. {pods}.")
            }
            (false, true) => format!("{pods}. podid is well."),
        }
    }
}

fn told(cross: &Cross) -> String {
    format!("{} ({})", cross.missing, cross.code)
}

fn word(chain: &Chain) -> &'static str {
    match chain.verdict() {
        Verdict::Token => "fine",
        Verdict::PassThrough => "pass-through",
        Verdict::Broken(code) => code.word(),
        Verdict::Unknown => "unknown",
    }
}
