//! Is every package of the binary in the bill of materials, with what others need to know of it?

use std::collections::BTreeSet;
use std::path::PathBuf;

use cyclonedx_bom::prelude::{Bom, SpecVersion, Validate};

use super::*;
use crate::image::bundle;
use crate::image::commit::Commit;
use crate::image::platform::Platform;
use crate::workspace::Workspace;

fn about() -> About {
    About::new("podid:1", "0.1.0", &Commit { revision: None, time: 1_700_000_000 }).unwrap()
}

fn key(name: &str) -> Key {
    (name.to_owned(), "1.0.0+x".to_owned())
}

fn package(licence: &str, checksum: Option<&str>, uses: &[&str]) -> Package {
    Package {
        licence: Some(licence.to_owned()),
        description: Some("Two\nlines".to_owned()),
        repository: Some("https://example.org/it".to_owned()),
        checksum: checksum.map(|digit| digit.repeat(64)),
        folder: PathBuf::new(),
        uses: uses.iter().map(|name| key(name)).collect(),
    }
}

fn small() -> Bundle {
    let packages = [
        (key("podid"), package("Apache-2.0", None, &["http"])),
        (key("http"), package("MIT/Apache-2.0", Some("a"), &[])),
    ];
    let library = |name| Library { name, version: "1.2.5".to_owned(), licence: "MIT" };
    let libraries = [library("rust-std"), library("musl")];
    Bundle { platform: Platform::Amd64, main: key("podid"), packages: packages.into(), libraries }
}

fn parse(bytes: &[u8]) -> Value {
    let bom = Bom::parse_from_json_v1_5(bytes).unwrap();
    let valid = bom.validate_version(SpecVersion::V1_5);
    assert!(valid.passed(), "{valid:?}");
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn a_bill_names_the_binary_and_what_is_in_it() {
    let bill = parse(&render(&small(), b"elf", &about()).unwrap());
    let main = &bill["metadata"]["component"];
    assert_eq!(main["name"], "podid");
    assert_eq!(main["hashes"][0]["content"], hex(b"elf"));
    assert_eq!(main["purl"], Value::Null, "podid is in no registry");
    let component = &bill["components"][0];
    assert_eq!(component["purl"], "pkg:cargo/http@1.0.0%2Bx");
    assert_eq!(component["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(component["description"], "Two lines");
    assert_eq!(component["hashes"][0]["content"], "a".repeat(64));
    let uses = &bill["dependencies"][1];
    assert_eq!(uses["ref"], "pkg:cargo/podid@1.0.0%2Bx");
    assert_eq!(uses["dependsOn"], json!(["pkg:cargo/http@1.0.0%2Bx", "rust-std@1.2.5", "musl@1.2.5"]));
}

#[test]
fn another_binary_has_another_serial_number_and_the_same_one_the_same() {
    let bill = |binary: &[u8]| render(&small(), binary, &about()).unwrap();
    assert_eq!(bill(b"one"), bill(b"one"));
    assert_ne!(parse(&bill(b"one"))["serialNumber"], parse(&bill(b"two"))["serialNumber"]);
}

#[test]
fn podids_own_bill_is_complete_for_each_platform() {
    let workspace = Workspace::find().unwrap();
    for platform in [Platform::Amd64, Platform::Arm64] {
        let bundle = bundle::read(&workspace, platform).unwrap();
        let bill = parse(&render(&bundle, b"elf", &about()).unwrap());
        let components = bill["components"].as_array().unwrap();
        let names: BTreeSet<_> = components.iter().filter_map(|it| it["name"].as_str()).collect();
        for expected in ["podid-nmi", "kube", "ring", "rustls", "mimalloc", "musl", "rust-std"] {
            assert!(names.contains(expected), "{expected} is missing for {platform}");
        }
        for absent in ["podid-lab", "serde_derive", "syn", "windows-sys", "cc"] {
            assert!(!names.contains(absent), "{absent} is not in the binary for {platform}");
        }
        for component in components {
            let licence = component["licenses"][0]["expression"].as_str();
            assert!(licence.is_some_and(|it| !it.is_empty()), "{component} has no licence");
            let ours = component["name"].as_str().is_some_and(|name| name.starts_with("podid-"));
            let linked = ["musl", "rust-std"].contains(&component["name"].as_str().unwrap());
            assert_eq!(component["purl"].is_string(), !ours && !linked, "{component}");
            assert_eq!(component["hashes"].is_array(), !ours && !linked, "{component}");
        }
    }
}
