//! How are the rules listed?

use podid_console::{Format, Grid, Unwritable};
use serde_json::{Value, json};

use crate::rule::About;

/// The rules, one on a line for people, or all that is known about them for programs.
pub fn list<'a>(
    rules: impl Iterator<Item = &'a About> + Clone,
    format: Format,
) -> Result<String, Unwritable> {
    let all: Vec<Value> = rules.clone().map(whole).collect();
    format.render(&Value::Array(all), || {
        let mut grid = Grid::new(["Name", "Ref", "Level", "Release", "Since", "Synopsis"]);
        for rule in rules {
            let release = rule.retired.map_or(rule.release.as_str(), |_| "retired");
            let level = rule.level.as_str();
            grid.row([rule.name, rule.reference, level, release, rule.rule_set, rule.synopsis]);
        }
        grid.to_string()
    })
}

fn whole(rule: &About) -> Value {
    json!({
        "name": rule.name,
        "ref": rule.reference,
        "level": rule.level.as_str(),
        "title": rule.title,
        "synopsis": rule.synopsis,
        "recommendation": rule.recommendation,
        "link": rule.link,
        "tags": rule.tags.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "release": rule.release.as_str(),
        "ruleSet": rule.rule_set,
        "retired": rule.retired,
        "types": rule.types,
        "needs": rule.needs,
    })
}
