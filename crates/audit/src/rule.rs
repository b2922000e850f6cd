//! What is a rule?

use crate::target::Target;
use crate::verdict::Verdict;

/// How bad it is that a rule fails. PSRule's `level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Good to know.
    Information,
    /// Should be looked at.
    Warning,
    /// Should be mended.
    Error,
}

/// Whether a rule is asked by default. PSRule's tag `release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Asked by default.
    Ga,
    /// Asked only when its baseline is named.
    Preview,
}

/// What there is to know about a rule.
#[derive(Debug)]
pub struct About {
    /// Such as `Azure.AKS.ManagedIdentity`, or `Podid.Identity.Unused`.
    pub name: &'static str,
    /// A number that stays when the name changes: `AZR-…` as PSRule has it, or `POD-…`.
    pub reference: &'static str,
    /// How bad it is that it fails.
    pub level: Level,
    /// Its headline, a few words.
    pub title: &'static str,
    /// What it wants, in a sentence.
    pub synopsis: &'static str,
    /// What to do where it fails, in a sentence or two.
    pub recommendation: &'static str,
    /// Where more is said.
    pub link: &'static str,
    /// Labels, such as `("Azure.WAF/pillar", "Security")`.
    pub tags: &'static [(&'static str, &'static str)],
    /// Whether it is asked by default.
    pub release: Release,
    /// Since when it is there, as `YYYY_MM`. PSRule's tag `ruleSet`.
    pub rule_set: &'static str,
    /// Until when PSRule had it, as `YYYY_MM`; none if it still has.
    pub retired: Option<&'static str>,
    /// The types of targets that it asks, compared without case.
    pub types: &'static [&'static str],
    /// Rules that must not have failed for the same target, else this one is not asked. They come before
    /// it in their list.
    pub needs: &'static [&'static str],
    /// Its page, `include_str!("…/docs/reference/rules/NAME.md")`.
    pub page: &'static str,
}

/// A rule over targets in a scene.
#[derive(Debug)]
pub struct Rule<S: ?Sized> {
    /// What there is to know about it.
    pub about: About,
    /// Whether it says something about this target, whose type already is one of its own.
    pub applies: fn(&Target, &S) -> bool,
    /// Whether the target is as it should be.
    pub check: fn(&Target, &S) -> Verdict,
}

/// For [`Rule::applies`]: it says something about every target of its types.
pub fn always<S: ?Sized>(_: &Target, _: &S) -> bool {
    true
}

// === impl Level ===

impl Level {
    /// As PSRule writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Information => "Information",
            Self::Warning => "Warning",
            Self::Error => "Error",
        }
    }

    /// The level with this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Information, Self::Warning, Self::Error]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(name))
    }
}

// === impl Release ===

impl Release {
    /// As PSRule writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ga => "GA",
            Self::Preview => "preview",
        }
    }
}

// === impl About ===

impl About {
    /// Whether it asks targets of this type.
    pub fn asks(&self, kind: &str) -> bool {
        self.types.iter().any(|known| known.eq_ignore_ascii_case(kind))
    }

    /// Whether `text` is its name or its reference, in any case.
    pub fn is(&self, text: &str) -> bool {
        self.name.eq_ignore_ascii_case(text) || self.reference.eq_ignore_ascii_case(text)
    }

    /// Whether it is ours and not PSRule's.
    pub fn is_ours(&self) -> bool {
        self.reference.starts_with("POD-")
    }
}
