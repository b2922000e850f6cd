//! How is one pod's chain told?

use std::fmt::Write as _;

use anstyle::{AnsiColor, Color, Style};
use podid_core::chain::{Chain, Cross, Outcome, Verdict};
use serde_json::{Value, json};

/// The page about codes.
const EXPLAIN: &str = "podid explain";

/// Width of the column with the step's name.
const STEP: usize = 13;

/// A pod's chain, ready to be told.
#[derive(Clone, Debug)]
pub struct Answer {
    chain: Chain,
}

// === impl Answer ===

impl Answer {
    pub(crate) fn new(chain: Chain) -> Self {
        Self { chain }
    }

    /// How it ends for the pod.
    pub fn verdict(&self) -> Verdict {
        self.chain.verdict()
    }

    /// The chain for programs.
    pub fn json(&self) -> Value {
        let Chain { pod, node, identity, links } = &self.chain;
        let links = links.iter().map(|link| {
            let (state, text) = match &link.outcome {
                Outcome::Holds(text) => ("holds", text.as_str()),
                Outcome::Broken(cross) => ("broken", cross.missing.as_str()),
                Outcome::Unseen(text) => ("unseen", text.as_str()),
                Outcome::Spared(text) => ("spared", text.as_str()),
                Outcome::Open => ("open", ""),
            };
            json!({"step": link.step.name(), "state": state, "text": text})
        });
        let verdict = match self.verdict() {
            Verdict::Token => "token",
            Verdict::PassThrough => "pass-through",
            Verdict::Broken(_) => "broken",
            Verdict::Unknown => "unknown",
        };
        json!({
            "pod": {"namespace": &*pod.namespace, "name": &*pod.name},
            "node": node.as_ref().map(podid_core::ids::NodeName::as_str),
            "identity": identity.as_ref().map(|id| json!({"namespace": &*id.namespace, "name": &*id.name})),
            "verdict": verdict,
            "code": self.chain.cross().map(|cross| cross.code.word()),
            "cross": self.chain.cross().map(cross_json),
            "chain": links.collect::<Vec<_>>(),
        })
    }

    /// The chain for people, with the codes of colours; plain where they are stripped.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let _ = writeln!(text, "{bold}{}{bold:#}\n", self.headline());
        let mut open = Vec::new();
        for link in &self.chain.links {
            let (style, mark, about) = match &link.outcome {
                Outcome::Holds(about) => (colour(AnsiColor::Green), '✓', plain(about)),
                Outcome::Broken(cross) => (colour(AnsiColor::Red), '✗', cross.code.to_string()),
                Outcome::Unseen(why) => {
                    (colour(AnsiColor::Yellow), '?', format!("not looked at: {}", plain(why)))
                }
                Outcome::Spared(why) => (dim, '-', plain(why)),
                Outcome::Open => {
                    open.push(link.step.name());
                    continue;
                }
            };
            let _ = writeln!(text, "  {style}{mark}{style:#} {:<STEP$}{about}", link.step.name());
        }
        if !open.is_empty() {
            let _ = writeln!(text, "{dim}    then come {}{dim:#}", open.join(", "));
        }
        if let Some(cross) = self.chain.cross() {
            let _ = write!(text, "\n{}\n{}", plain(&cross.missing), remedy(cross));
        }
        text
    }

    fn headline(&self) -> String {
        let pod = &self.chain.pod;
        match self.verdict() {
            Verdict::Token => format!("pod {pod} would get a token"),
            Verdict::PassThrough => format!("pod {pod} is answered by IMDS itself"),
            Verdict::Broken(code) => format!("pod {pod} gets no token: {code}"),
            Verdict::Unknown => format!("nothing that could be looked at keeps pod {pod} from a token"),
        }
    }
}

/// What is missing where, and what mends it.
pub(crate) fn remedy(cross: &Cross) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let mut text = String::new();
    if let Some(object) = &cross.object {
        let _ = writeln!(text, "{bold}In{bold:#}    {}", plain(&object.to_string()));
    }
    if !cross.mend.is_empty() {
        let _ = writeln!(text, "{bold}Mend{bold:#}");
        for command in &cross.mend {
            // Unindented, so that what is pasted is what is meant, also where it has several lines.
            let _ = writeln!(text, "{}", plain_lines(command));
        }
    }
    if let Some(caution) = &cross.caution {
        let _ = writeln!(text, "{bold}Mind{bold:#}  {}", plain(caution));
    }
    let _ = writeln!(text, "{dim}More:  {EXPLAIN} {}{dim:#}", cross.code);
    text
}

pub(crate) fn cross_json(cross: &Cross) -> Value {
    let object = cross.object.as_ref().map(|object| {
        json!({"kind": object.kind, "namespace": object.namespace.as_deref(), "name": &*object.name})
    });
    json!({
        "code": cross.code.word(),
        "meaning": cross.code.meaning(),
        "object": object,
        "missing": cross.missing,
        "mend": cross.mend,
        "caution": cross.caution,
    })
}

pub(crate) fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

/// Without what a terminal acts on: anybody may have written what an object says.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}
