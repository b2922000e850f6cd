//! How is a query written for Loki?
//!
//! The stream is on the agent's standard output (`--audit-log=-`); the label that chooses it is the one that the usual
//! collectors give.

use super::{Query, Then};

pub(super) fn render(query: &Query) -> String {
    let counts = match query.then {
        Then::Show => counted(query, query.days, 0),
        Then::OnlyNew { days } => {
            format!("{}\nunless\n{}", counted(query, days, 0), counted(query, query.days - days, days))
        }
        Then::OnlyAbsent => format!(
            "# Loki cannot list what is not there: this lists what was used. Compare it with\n\
             #   kubectl get azureidentity --all-namespaces\n{}",
            counted(query, query.days, 0)
        ),
    };
    format!("# {}\n{counts}\n", query.question)
}

/// Counts the lines of so many days, up to so many days ago.
fn counted(query: &Query, days: u32, until: u32) -> String {
    let columns: Vec<String> = query.by.iter().map(|field| field.word()).collect();
    let mut fields: Vec<String> =
        query.fields().map(|field| format!("{}=\"{}\"", field.word(), field.0)).collect();
    fields.sort();
    fields.dedup();
    let mut stages = vec![format!("{{container=\"nmi\"}} |= `\"decision\":` | json {}", fields.join(", "))];
    stages.extend(
        query.only.iter().map(|(field, values)| format!("{}=~\"{}\"", field.word(), values.join("|"))),
    );
    let offset = if until == 0 { String::new() } else { format!(" offset {until}d") };
    let (columns, pipeline) = (columns.join(", "), stages.join(" | "));
    format!("sum by ({columns}) (\n  count_over_time(\n    {pipeline} [{days}d]{offset}\n  )\n)")
}
