//! How is a report written for a spreadsheet? PSRule's columns.

use crate::report::Report;

const HEADINGS: &str = "RuleName,TargetName,TargetType,Outcome,OutcomeReason,Synopsis,Recommendation\n";

/// The records as comma-separated values, all quoted.
pub(crate) fn write(report: &Report) -> String {
    let rows = report.records.iter().map(|record| {
        let cells = [
            record.rule.name,
            &record.subject.name,
            &record.subject.kind,
            record.outcome.as_str(),
            record.reason.as_str(),
            record.rule.synopsis,
            record.rule.recommendation,
        ];
        cells.map(cell).join(",") + "\n"
    });
    HEADINGS.to_owned() + &rows.collect::<String>()
}

/// An empty cell is left empty; line breaks become blanks.
fn cell(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let line = text.replace("\r\n", " ").replace(['\r', '\n'], " ").replace("  ", " ");
    // A program that opens it must not take a name for a formula.
    let guard = if line.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    format!("\"{guard}{}\"", line.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_line_breaks_are_blanks() {
        let cases = [("", ""), ("a", "\"a\""), ("a\"b", "\"a\"\"b\""), ("a\r\nb\nc", "\"a b c\"")];
        for (text, wanted) in cases {
            assert_eq!(cell(text), wanted);
        }
    }

    #[test]
    fn no_name_becomes_a_formula() {
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
