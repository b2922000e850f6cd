//! How is a query written for Log Analytics?
//!
//! The stream is on the agent's standard output (`--audit-log=-`), which Container insights collects into
//! ContainerLogV2.

use super::{Field, Query, Then};

/// The values that the list of identities is replaced by.
const LIST: &str = r#"// In place of the example, paste what this prints:
//   kubectl get azureidentity --all-namespaces --output \
//     jsonpath='{range .items[*]}"{.metadata.namespace}", "{.metadata.name}",{"\n"}{end}'
"#;

pub(super) fn render(query: &Query) -> String {
    let mut lines = vec![format!("// {}", query.question)];
    let columns: Vec<String> = query.by.iter().map(|field| field.word()).collect();
    let columns = columns.join(", ");
    if query.then == Then::OnlyAbsent {
        let list = query.by.iter().map(|field| format!("{}: string", field.word())).collect::<Vec<_>>();
        lines.push(LIST.trim_end().to_owned());
        lines.push(format!("let known = datatable({}) [\n    \"shop\", \"web\",\n];", list.join(", ")));
    }
    lines.push("let lines = ContainerLogV2".to_owned());
    lines.push(format!("    | where TimeGenerated > ago({}d)", query.days));
    lines.push("    | where ContainerName == \"nmi\" and LogSource == \"stdout\"".to_owned());
    lines.push("    | extend line = parse_json(tostring(LogMessage))".to_owned());
    for (field, values) in query.only {
        let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        lines.push(format!("    | where {} in ({})", path(*field), values.join(", ")));
    }
    let extended: Vec<String> =
        query.by.iter().map(|field| format!("{} = {}", field.word(), path(*field))).collect();
    lines.push(format!("    | extend {};", extended.join(", ")));
    lines.push(match query.then {
        Then::Show => format!(
            "lines\n| summarize requests = count(), first = min(TimeGenerated), last = max(TimeGenerated) by {columns}\n\
             | order by requests desc"
        ),
        Then::OnlyNew { days } => format!(
            "lines\n| where TimeGenerated > ago({days}d)\n\
             | summarize requests = count(), first = min(TimeGenerated) by {columns}\n\
             | join kind=leftanti (lines | where TimeGenerated <= ago({days}d) | distinct {columns}) on {columns}\n\
             | order by first asc"
        ),
        Then::OnlyAbsent => format!("known\n| join kind=leftanti (lines | distinct {columns}) on {columns}"),
    });
    lines.join("\n") + "\n"
}

fn path(field: Field) -> String {
    format!("tostring(line.{})", field.0)
}
