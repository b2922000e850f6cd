//! Where on the page do the figures of a bench stand?
//!
//! Between `<!-- figures: NAME -->` and `<!-- end -->`. Everything else on the page is written by people.

use std::fs;

use anyhow::Context;

use crate::workspace::Workspace;

const PAGE: &str = "docs/performance.md";
const END: &str = "<!-- end -->";

/// Puts `figures` where the page has a place called `name`, and says whether it has one.
pub(crate) fn write(workspace: &Workspace, name: &str, figures: &str) -> anyhow::Result<bool> {
    let path = workspace.root.join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let Some(page) = replaced(&page, name, figures)? else { return Ok(false) };
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))?;
    eprintln!("wrote the figures of {name} to {PAGE}");
    Ok(true)
}

/// The page with other figures of `name`; none if it has no place for them.
fn replaced(page: &str, name: &str, figures: &str) -> anyhow::Result<Option<String>> {
    let begin = format!("<!-- figures: {name} -->");
    let Some((before, rest)) = page.split_once(&begin) else { return Ok(None) };
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE}: {begin} has no {END}"))?;
    Ok(Some(format!("{before}{begin}\n\n{}\n\n{END}{after}", figures.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_figures_of_that_bench_are_replaced() {
        let page =
            "a\n<!-- figures: x -->\n\nold\n\n<!-- end -->\nb\n<!-- figures: y -->\nkept\n<!-- end -->\n";
        let new = replaced(page, "x", "new\n").unwrap().unwrap();
        assert_eq!(new, page.replace("old", "new"));
        assert_eq!(replaced(&new, "x", "new").unwrap().unwrap(), new);
        assert_eq!(replaced(page, "z", "new").unwrap(), None);
    }

    #[test]
    fn a_place_without_an_end_is_refused_before_the_page_is_spoiled() {
        assert!(replaced("<!-- figures: x -->\nold\n", "x", "new").is_err());
    }
}
