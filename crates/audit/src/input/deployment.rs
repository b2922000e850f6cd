//! What would the deployment of a template make?

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::find::Found;
use super::parameters::{Parameters, beside};
use super::text::{Text, read};
use super::{Look, kind, name, real, resource};
use crate::target::Source;
use crate::template::{Place, expand};

/// The resources of a template, as they stand in the file.
#[derive(Deserialize)]
struct Pieces<'a> {
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
}

// === impl Look ===

impl Look<'_, '_> {
    /// A parameter file: its template is expanded with it.
    pub(super) fn parameters(&mut self, found: &Found, text: &Text) {
        let parameters: Parameters = match serde_json::from_str(text.as_str()) {
            Ok(parameters) => parameters,
            Err(error) => {
                return self.report.cannot_read(&found.name, format!("is no parameter file: {error}"));
            }
        };
        match parameters.template(&found.path) {
            Err(why) => self.report.cannot_read(&found.name, why.to_string()),
            Ok(template) => {
                self.used.insert(real(&template));
                self.template(&template, Some((&found.name, &parameters)));
            }
        }
    }

    /// A template to which no parameter file led: with the one beside it, or with its own defaults.
    pub(super) fn lone_template(&mut self, found: &Found) {
        let Some(path) = beside(&found.path) else { return self.template(&found.path, None) };
        let file = name(&path);
        let parameters = read(&path).map_err(|why| why.to_string()).and_then(|text| {
            serde_json::from_str::<Parameters>(text.as_str())
                .map_err(|error| format!("is no parameter file: {error}"))
        });
        match parameters {
            Ok(parameters) => self.template(&found.path, Some((&file, &parameters))),
            Err(why) => self.report.cannot_read(file, why),
        }
    }

    fn template(&mut self, path: &Path, parameters: Option<(&str, &Parameters)>) {
        let file = name(path);
        // Parameters that do not fit are a mistake of either.
        let whole = parameters.map_or_else(|| file.clone(), |(with, _)| format!("{file} with {with}"));
        let text = match read(path) {
            Ok(text) => text,
            Err(why) => return self.report.cannot_read(file, why.to_string()),
        };
        if !matches!(kind::of(&text), Ok(kind::Kind::Template)) {
            return self.report.cannot_read(whole, format!("{file} is no template"));
        }
        let template: Value = match serde_json::from_str(text.as_str()) {
            Ok(template) => template,
            Err(error) => return self.report.cannot_read(file, format!("is not JSON: {error}")),
        };
        let empty = serde_json::Map::new();
        let given = parameters.map_or(&empty, |(_, parameters)| &parameters.parameters);
        let deployment = path.file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let expanded = match expand(&template, given, &Place::default(), deployment) {
            Ok(expanded) => expanded,
            Err(why) => return self.report.cannot_read(whole, why.to_string()),
        };
        for link in expanded.links {
            self.report.cannot_read(&file, format!("the template {link} is elsewhere; audit it by itself"));
        }
        let places = places(&file, &text);
        for made in expanded.resources {
            match resource::of(made.data) {
                Err(why) => self.report.cannot_read(&whole, format!("a resource {why}")),
                Ok(target) if !self.run.asks(target.kind()) => self.report.targets += 1,
                Ok(mut target) => {
                    if let Some(source) = places.get(made.origin) {
                        target = target.found(source.clone());
                    }
                    if let Some((file, _)) = parameters {
                        let file = file.to_owned();
                        target =
                            target.found(Source { file, line: Some(1), position: None, kind: "Parameter" });
                    }
                    self.run.look(&target, self.report);
                }
            }
        }
    }
}

/// Where each resource of a template stands.
fn places(file: &str, text: &Text) -> Vec<Source> {
    let Ok(Pieces { resources: Some(all) }) = serde_json::from_str(text.as_str()) else { return Vec::new() };
    let listed = serde_json::from_str::<Vec<&RawValue>>(all.get());
    let pieces = listed.or_else(|_| {
        serde_json::from_str::<BTreeMap<String, &RawValue>>(all.get())
            .map(|named| named.into_values().collect())
    });
    pieces.unwrap_or_default().into_iter().map(|piece| text.source(file, piece, "Template")).collect()
}
