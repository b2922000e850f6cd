//! Is this cluster set up right?
//!
//! [`Rule`]s are data and one function; inputs are files, a subscription or a live cluster; outputs are
//! for people and programs.
//!
//! # Where what is
//!
//! - The engine is pure: a [`Target`] and a rule in, a [`Record`] out ([`Run`]). So are the rules, and what
//!   they ask with ([`expect`]). They are here and not in `podid-core`, because they ask untyped JSON
//!   (a template may hold anything), and because the binary in the image is built without them.
//! - A rule knows a scene beside its target, the `S` of `Rule<S>`: [`Settings`] for what comes from files
//!   and subscriptions, the picture of a whole cluster for its objects. Rules over the same scene are one
//!   list.
//! - I/O is in the inputs only: files, and ARM through `podid-azure` (decision 17).
//!
//! # A new rule
//!
//! One file under `rules/` with its cases, its line in the list of its scene, and its page
//! `docs/reference/rules/NAME.md`, which must say its name, reference, synopsis and recommendation.
//! References of rules that PSRule for Azure has are PSRule's, `AZR-…`. Ours are `POD-000001` to
//! `POD-000199` over a live cluster, and from `POD-000201` over what comes from Azure. A number is never
//! given twice.

pub mod catalogue;
pub mod cluster;
pub mod expect;
pub mod input;
mod output;
mod record;
mod report;
mod rule;
pub mod rules;
mod run;
mod select;
mod settings;
mod target;
mod template;
mod verdict;

pub use output::Output;
pub use record::{Outcome, Reason, Record};
pub use report::{Report, Unread};
pub use rule::{About, Level, Release, Rule, always};
pub use run::{Keep, Run};
pub use select::{Baseline, Group, Selection, SelectionError, Suppression};
pub use settings::Settings;
pub use target::{Source, Subject, Target, at};
pub use verdict::{Finding, Verdict};
