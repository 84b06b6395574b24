//! Dependencies: their sources, the completeness of the bill of materials, and the declared minimum Rust version.
//! cargo-deny checks licences and bans (`bin/test`, deny.toml).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates of this workspace that are part of the program: in no registry, so without a hash.
const OURS: [&str; 3] = ["latchkey-db", "latchkey-sessions", "local-postgres"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn json(program: &str, arguments: &[&str]) -> Value {
    let ran = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SOURCE_DATE_EPOCH", "1790000000")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// The packages of Cargo.lock: their fields by name.
fn locked() -> Vec<BTreeMap<String, String>> {
    let lock = read("Cargo.lock");
    let fields = |block: &str| {
        let pairs = block.lines().filter_map(|line| line.split_once(" = \""));
        pairs.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned())).collect()
    };
    lock.split("[[package]]").skip(1).map(fields).collect()
}

#[test]
fn every_crate_comes_from_crates_io_and_is_pinned_by_its_hash() {
    let locked = locked();
    assert!(locked.len() > 300, "{} packages", locked.len());
    let (theirs, ours): (Vec<_>, Vec<_>) = locked.iter().partition(|package| package.contains_key("source"));
    let ours: Vec<_> = ours.iter().map(|package| package["name"].as_str()).collect();
    assert_eq!(ours, ["latchkey", "latchkey-db", "latchkey-sessions", "local-postgres", "test-db"]);
    for package in theirs {
        assert_eq!(package.get("source").map(String::as_str), Some(CRATES_IO), "{package:?}");
        assert_eq!(package["checksum"].len(), 64, "{package:?}");
    }
}

#[test]
fn the_bill_of_materials_names_every_crate_of_the_program_with_version_hash_and_licence() {
    let bill = json("bin/sbom", &[]);
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(bill["metadata"]["timestamp"], "2026-09-21T14:13:20Z");
    let components = bill["components"].as_array().unwrap();
    let hashes: BTreeMap<_, _> = locked()
        .into_iter()
        .filter_map(|mut package| {
            let hash = package.remove("checksum")?;
            Some((format!("pkg:cargo/{}@{}", package["name"], package["version"]), hash))
        })
        .collect();
    let mut named = BTreeSet::new();
    for component in components {
        let reference = component["bom-ref"].as_str().unwrap();
        assert!(named.insert(reference), "{reference} twice");
        let ours = OURS.iter().any(|name| reference.starts_with(&format!("pkg:cargo/{name}@")));
        if !ours {
            assert_eq!(component["purl"], reference);
        }
        if !reference.starts_with("pkg:deb/") {
            assert_eq!(component["hashes"][0]["content"].as_str(), hashes.get(reference).map(String::as_str));
            assert!(!component["licenses"][0]["expression"].as_str().unwrap().is_empty(), "{reference}");
        }
    }
    let has = |name: &str| named.iter().any(|reference| reference.starts_with(&format!("pkg:cargo/{name}@")));
    for name in
        ["actix-web", "actix-session", "actix-identity", "askama", "diesel", "pq-sys", "openssl-sys", "cc"]
    {
        assert!(has(name), "{name} is missing");
    }
    for name in ["proptest", "loom", "fantoccini", "scraper", "windows-sys", "test-db"] {
        assert!(!has(name), "{name} does not become part of the program");
    }
    assert!(named.contains("pkg:deb/debian/libpq5"));
    // Every dependency is named as well, and every named component is a dependency of another.
    let program = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
    let mut needed = BTreeSet::new();
    for entry in bill["dependencies"].as_array().unwrap() {
        let dependent = entry["ref"].as_str().unwrap();
        assert!(dependent == program || named.contains(dependent), "{dependent}");
        needed.extend(entry["dependsOn"].as_array().into_iter().flatten().map(|on| on.as_str().unwrap()));
    }
    assert_eq!(needed, named);
}

#[test]
fn no_dependency_asks_for_a_newer_rust_than_we_declare() {
    let metadata = json(env!("CARGO"), &["metadata", "--format-version", "1", "--locked"]);
    let number =
        |version: &str| -> Vec<u32> { version.split('.').take(2).map(|n| n.parse().unwrap()).collect() };
    let packages = metadata["packages"].as_array().unwrap();
    let ours = packages.iter().find(|package| package["name"] == "latchkey").unwrap();
    let declared = number(ours["rust_version"].as_str().unwrap());
    for package in packages {
        let asked = package["rust_version"].as_str().map(number).unwrap_or_default();
        assert!(asked <= declared, "{} {}: Rust {asked:?}", package["name"], package["version"]);
    }
    let readme = read("README.md");
    let oldest = format!("(Rust {}.{} or newer)", declared[0], declared[1]);
    assert!(readme.contains(&oldest), "README.md does not say {oldest}");
}
