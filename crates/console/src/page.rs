//! How is a page of Markdown read on a terminal?
//!
//! Lightly: headings and terms stand out, code is indented, paragraphs fit the window. Elsewhere the
//! page is given as it is written, so that it can be piped into what knows Markdown.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size_of};

/// The widest line, in columns: longer ones are hard to read.
const WIDEST: usize = 100;
/// What a line of code is indented by.
const CODE_INDENT: &str = "    ";

const HEADING: Style = Style::new().bold().underline();
const SECTION: Style = Style::new().bold();
const STRONG: Style = Style::new().bold();
const CODE: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));

/// The page as standard output should have it: laid out on a terminal, else as written.
pub fn page(markdown: &str) -> String {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return markdown.to_owned();
    }
    let width = terminal_size_of(out).map_or(WIDEST, |(Width(columns), _)| usize::from(columns));
    lay_out(markdown, width.min(WIDEST))
}

/// The page for a terminal with this many columns.
fn lay_out(markdown: &str, width: usize) -> String {
    let mut text = String::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            let _ = writeln!(text, "{CODE_INDENT}{CODE}{line}{CODE:#}");
        } else if let Some(heading) = line.strip_prefix("# ") {
            let _ = writeln!(text, "{HEADING}{heading}{HEADING:#}");
        } else if let Some(section) = line.strip_prefix("## ") {
            let _ = writeln!(text, "{SECTION}{section}{SECTION:#}");
        } else {
            text.push_str(&paragraph(line, width));
            text.push('\n');
        }
    }
    text
}

/// One paragraph or entry of a list, wrapped; what follows an entry's mark is aligned.
fn paragraph(line: &str, width: usize) -> String {
    let mark = line.find(|c: char| !(c.is_ascii_digit() || "-. ".contains(c))).unwrap_or(0);
    let is_entry = ["- ", ". "].iter().any(|end| line[..mark].ends_with(end));
    let hang = " ".repeat(if is_entry { mark } else { 0 });
    textwrap::fill(&styled(line), textwrap::Options::new(width).subsequent_indent(&hang))
}

/// The line with its code and its strong words shown by style instead of marks, and links as their text.
fn styled(line: &str) -> String {
    let mut text = String::new();
    for (index, part) in line.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(text, "{CODE}{part}{CODE:#}");
            continue;
        }
        // One star or two mean the same here.
        for (index, part) in linked(part).replace("**", "*").split('*').enumerate() {
            if index % 2 == 1 {
                let _ = write!(text, "{STRONG}{part}{STRONG:#}");
            } else {
                text.push_str(part);
            }
        }
    }
    text
}

/// The text of links, and their target where that can be opened from a terminal.
fn linked(part: &str) -> String {
    let mut text = String::new();
    let mut rest = part;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((name, target)) = link.split_once("](") else { break };
        let Some((target, after)) = target.split_once(')') else { break };
        text.push_str(before);
        text.push_str(name);
        if target.starts_with("https://") {
            let _ = write!(text, " ({target})");
        }
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# no-label

The pod has no label `aadpodidbinding`, see [resources](../resources.md) or [IMDS](https://a.example/b).

1. **Nobody** set the label on the pod, or somebody set it on the Deployment only.

```sh
kubectl get pod POD --show-labels
```

## How to mend it
";

    #[test]
    fn a_terminal_shows_styles_instead_of_marks_indents_code_and_wraps_the_rest() {
        let text = anstream::adapter::strip_str(&lay_out(PAGE, 50)).to_string();
        insta::assert_snapshot!(text, @r"
        no-label

        The pod has no label aadpodidbinding, see
        resources or IMDS (https://a.example/b).

        1. Nobody set the label on the pod, or somebody
           set it on the Deployment only.

            kubectl get pod POD --show-labels

        How to mend it
        ");
    }

    #[test]
    fn headings_and_code_stand_out() {
        let text = lay_out(PAGE, 50);
        for shown in [
            format!("{HEADING}no-label{HEADING:#}\n"),
            format!("{SECTION}How to mend it{SECTION:#}\n"),
            format!("{CODE}aadpodidbinding{CODE:#}"),
            format!("{STRONG}Nobody{STRONG:#}"),
        ] {
            assert!(text.contains(&shown), "{text:?} lacks {shown:?}");
        }
    }
}
