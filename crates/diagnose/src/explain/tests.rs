use std::collections::BTreeSet;
use std::path::Path as FilePath;

use podid_core::code::{Cause, Code};

use super::*;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: Vec<_> = all().map(Page::code).collect();
    let codes: Vec<_> = Code::all().map(Code::word).collect();
    assert_eq!(pages, codes, "explain/pages.rs lists the codes of podid_core::code::Code, in its order");
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/codes");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|name| name != "README.md").collect();
    let expected: BTreeSet<_> = codes.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(files, expected);
}

#[test]
fn a_page_begins_with_its_code_and_its_meaning_and_has_every_section_with_something_in_it() {
    for (page, known) in all().zip(Code::all()) {
        let code = page.code;
        assert!(page.text.starts_with(&format!("# {code}\n\n{}\n\n{SAID_BY}", known.meaning())), "{code}");
        let headings: Vec<_> = page.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, SECTIONS.map(|(heading, _)| heading), "{code}");
        for (heading, _) in SECTIONS {
            assert!(page.section(heading).len() > 7, "{code}: {heading}");
        }
        assert!(page.section(CAUSES).starts_with("1. "), "{code}: causes are numbered, the likeliest first");
        assert!(page.text.ends_with('\n') && !page.text.ends_with("\n\n"), "{code}");
    }
}

#[test]
fn a_code_is_found_as_it_stands_in_a_message() {
    for word in ["no-label", "NO_LABEL", "(podid explain no-label)", "podid: no-label", " no-label. "] {
        assert_eq!(find(word).map(Page::code), Ok("no-label"), "{word}");
    }
}

#[test]
fn a_word_that_is_no_code_is_answered_with_what_it_may_mean() {
    let told = |word: &str| find(word).unwrap_err().to_string();
    assert_eq!(
        told("no-lable"),
        "there is no code \"no-lable\"; did you mean no-label? \"podid explain\" lists all codes"
    );
    assert!(told("label").contains("did you mean no-label"), "{}", told("label"));
    assert_eq!(told("xyz"), "there is no code \"xyz\"; \"podid explain\" lists all codes");
}

#[test]
fn programs_get_the_sections_apart() {
    let value = find("no-label").unwrap().value();
    for (heading, name) in SECTIONS {
        let Some(text) = value[name].as_str() else { continue };
        assert!(!text.is_empty() && !text.contains("## "), "{heading}");
    }
    assert_eq!(
        value["causes"].as_array().unwrap().len(),
        find("no-label").unwrap().section(CAUSES).lines().count()
    );
    assert_eq!(value["meaning"], Cause::NoLabel.meaning());
}
