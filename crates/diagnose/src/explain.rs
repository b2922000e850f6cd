//! What does a code mean, and what mends it?
//!
//! Each [`Code`](podid_core::code::Code) has a page under `docs/reference/codes`, which is part of
//! the binary. All pages have the same sections, so that programs get them apart.

mod pages;

use std::fmt;

use podid_console::Grid;
use serde_json::{Value, json};

/// The sections of every page, in this order, and by which name programs get them.
const SECTIONS: [(&str, &str); 5] = [
    ("What it means", "means"),
    (CAUSES, "causes"),
    ("How to see which", "see"),
    ("How to mend it", "mend"),
    ("What the program in the pod sees meanwhile", "meanwhile"),
];

/// The section that is a list.
const CAUSES: &str = "Likely causes";
/// What a page says before the names of those who say the code.
const SAID_BY: &str = "Said by: ";

/// How alike two words have to be for one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.75;
/// How many codes are offered for one that does not exist.
const OFFERED: usize = 3;

/// The page of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    code: &'static str,
    text: &'static str,
}

/// A word that is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode {
    word: String,
    nearest: Vec<&'static str>,
}

/// The pages of all codes, in the order of [`Code::all`](podid_core::code::Code::all).
pub fn all() -> impl Iterator<Item = Page> {
    pages::PAGES.iter().map(|&(code, text)| Page { code, text })
}

/// The page of the code `word`, also as it stands in a message: `(podid explain no-label)`.
pub fn find(word: &str) -> Result<Page, UnknownCode> {
    let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    let plain = plain.rsplit(' ').next().unwrap_or_default().replace('_', "-");
    all()
        .find(|page| page.code == plain)
        .ok_or_else(|| UnknownCode { nearest: nearest(&plain), word: word.to_owned() })
}

/// The codes that `word` may mean, the likeliest first.
fn nearest(word: &str) -> Vec<&'static str> {
    let likeness = |code: &str| {
        let part_of = word.len() > 2 && code.split('-').any(|part| part == word);
        if part_of { 1.0 } else { strsim::jaro_winkler(word, code) }
    };
    let mut found: Vec<(f64, &'static str)> = all().map(|page| (likeness(page.code), page.code)).collect();
    found.retain(|(alike, _)| *alike >= ALIKE);
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found.into_iter().map(|(_, code)| code).take(OFFERED).collect()
}

/// All codes in a table.
pub fn table() -> String {
    let mut grid = Grid::new(["Code", "Said by", "Meaning"]);
    for page in all() {
        grid.row([page.code, page.said_by(), page.meaning()]);
    }
    grid.to_string()
}

/// All codes for programs, without their pages.
pub fn list() -> Value {
    all()
        .map(|page| json!({"code": page.code, "meaning": page.meaning(), "saidBy": page.said_by()}))
        .collect()
}

// === impl Page ===

impl Page {
    /// The code.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// The page as it is written, in Markdown.
    pub fn text(self) -> &'static str {
        self.text
    }

    /// The sentence under the code.
    fn meaning(self) -> &'static str {
        self.text.lines().nth(2).unwrap_or_default()
    }

    /// Who says the code.
    fn said_by(self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix(SAID_BY)).unwrap_or_default()
    }

    /// What stands below `heading`, up to the next one.
    fn section(self, heading: &str) -> &'static str {
        let (_, rest) = self.text.split_once(&format!("\n## {heading}\n")).unwrap_or_default();
        rest.split("\n## ").next().unwrap_or_default().trim()
    }

    /// The likely causes, the likeliest first.
    fn causes(self) -> impl Iterator<Item = &'static str> {
        self.section(CAUSES).lines().filter_map(|line| Some(line.split_once(". ")?.1))
    }

    /// The page for programs, section by section; the text of each is Markdown.
    pub fn value(self) -> Value {
        let mut value = json!({"code": self.code, "meaning": self.meaning(), "saidBy": self.said_by()});
        for (heading, name) in SECTIONS {
            value[name] = json!(self.section(heading));
        }
        value["causes"] = self.causes().collect();
        value
    }
}

// === impl UnknownCode ===

impl fmt::Display for UnknownCode {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "there is no code {:?}", self.word)?;
        match self.nearest.as_slice() {
            [] => write!(to, ";")?,
            nearest => write!(to, "; did you mean {}?", nearest.join(" or "))?,
        }
        write!(to, " \"podid explain\" lists all codes")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests;
