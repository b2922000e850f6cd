//! What does the bill of materials say?
//!
//! `CycloneDX` 1.5 in JSON: the binary, every package in it with version, licence and checksum, and which uses
//! which. It is the same bytes for the same commit, so its serial number is made from its content.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::archive::{About, hex};
use super::bundle::{Bundle, Key, Library, Package};

/// Writes the bill for `binary`.
pub(crate) fn render(bundle: &Bundle, binary: &[u8], about: &About) -> anyhow::Result<Vec<u8>> {
    let (name, version) = &bundle.main;
    let mut main = library(name, version, bundle.packages.get(&bundle.main));
    main["type"] = "application".into();
    main["hashes"] = json!([{"alg": "SHA-256", "content": hex(binary)}]);
    let others = bundle.packages.iter().filter(|(key, _)| **key != bundle.main);
    let mut components: Vec<_> =
        others.map(|((name, version), it)| library(name, version, Some(it))).collect();
    components.extend(bundle.libraries.iter().map(linked));
    let mut bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": about.created,
            "component": main,
            "properties": [{"name": "podid:platform", "value": bundle.platform.to_string()}]
        },
        "components": components,
        "dependencies": dependencies(bundle)
    });
    bill["serialNumber"] = serial(&serde_json::to_vec(&bill)?).into();
    let mut bytes = serde_json::to_vec_pretty(&bill)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn library(name: &str, version: &str, package: Option<&Package>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(name, version),
        "name": name,
        "version": version
    });
    let Some(package) = package else { return component };
    if let Some(licence) = &package.licence {
        // Older packages write a slash where SPDX has OR.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    if let Some(description) = &package.description {
        component["description"] = description.split_whitespace().collect::<Vec<_>>().join(" ").into();
    }
    if let Some(checksum) = &package.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        component["purl"] = reference(name, version).into();
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

fn linked(library: &Library) -> Value {
    json!({
        "type": "library",
        "bom-ref": format!("{}@{}", library.name, library.version),
        "name": library.name,
        "version": library.version,
        "licenses": [{"expression": library.licence}]
    })
}

/// By which the bill speaks of a package; its URL for those of the registry.
fn reference(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

fn dependencies(bundle: &Bundle) -> Vec<Value> {
    let named = |(name, version): &Key| reference(name, version);
    let mut uses: BTreeMap<String, Vec<String>> =
        bundle.packages.iter().map(|(key, it)| (named(key), it.uses.iter().map(named).collect())).collect();
    let linked = bundle.libraries.iter().map(|it| format!("{}@{}", it.name, it.version));
    uses.entry(named(&bundle.main)).or_default().extend(linked);
    uses.into_iter().map(|(key, uses)| json!({"ref": key, "dependsOn": uses})).collect()
}

/// A UUID that depends on nothing but `content` (version 8 of RFC 9562).
fn serial(content: &[u8]) -> String {
    let hex = hex(content);
    format!("urn:uuid:{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

#[cfg(test)]
mod tests;
