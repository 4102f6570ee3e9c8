//! The house rules that a compiler does not check. Each rule is a function over a file's path and text, so that a test
//! can also show that the rule catches what it is there for.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest source file, lines. Above it, a second thing in the file wants its own room.
const MOST_LINES: usize = 600;

/// Crates by floor: a crate uses only lower floors, and the two on floor 2 never see each other.
const FLOORS: [(&str, u32); 8] = [
    ("vong-wire", 0),
    ("vong-servers", 0),
    ("vong-models", 1),
    ("vong-tls", 1),
    ("vong-edge", 2),
    ("vong-central", 2),
    ("vong-sample-video", 2),
    ("vong-tests", 3),
];

/// Crates that may be named only in certain rooms.
const ROOMS: [(&str, &[&str]); 3] = [
    ("ort", &["models/src/session.rs", "tests/tests/tidy/"]),
    (
        "rumqttc",
        &["edge/src/publish/link.rs", "central/src/ingest/", "tests/"],
    ),
    ("sqlx", &["edge/src/outbox/", "central/src/store/", "tests/tests/tidy/"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_path_buf()
}

/// Every file that git tracks or would track.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut files: Vec<String> = String::from_utf8(output.stdout)
        .expect("git writes UTF-8")
        .lines()
        .map(String::from)
        .collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

fn check(rule: impl Fn(&str, &str) -> Vec<String>) {
    let mut faults = Vec::new();
    let mut looked_at = 0;
    for file in files() {
        // Pictures and weights are not text.
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        looked_at += 1;
        faults.extend(rule(&file, &text).into_iter().map(|fault| format!("{file}: {fault}")));
    }
    assert!(
        looked_at > 30,
        "only {looked_at} files were looked at; is this the project?"
    );
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn missing_module_doc(file: &str, text: &str) -> Vec<String> {
    let is_source = file.ends_with(".rs") && !file.contains("/benches/");
    if is_source && !text.trim_start().starts_with("//!") {
        vec!["does not begin with //!".into()]
    } else {
        vec![]
    }
}

fn too_long(file: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if file.ends_with(".rs") && lines > MOST_LINES {
        vec![format!("{lines} lines, more than {MOST_LINES}")]
    } else {
        vec![]
    }
}

/// Whether a line of code names a crate: as a path or an import, not within another word or a comment.
fn names_crate(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    let mut rest = code;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        let starts = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-' && c != '"' && c != '/');
        if starts && (after.starts_with("::") || after.starts_with(';') && code.trim_start().starts_with("use")) {
            return true;
        }
        rest = after;
    }
    false
}

fn outside_its_room(file: &str, text: &str) -> Vec<String> {
    if !file.ends_with(".rs") {
        return vec![];
    }
    let mut faults = Vec::new();
    for (name, rooms) in ROOMS {
        if rooms.iter().any(|room| file.starts_with(room)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if names_crate(line, name) {
                faults.push(format!(
                    "line {}: `{name}` may be named only in {}",
                    number + 1,
                    rooms.join(", ")
                ));
            }
        }
    }
    faults
}

fn upward_dependency(file: &str, text: &str) -> Vec<String> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return if file.ends_with("Cargo.toml") {
            vec!["is no TOML".into()]
        } else {
            vec![]
        };
    };
    if !file.ends_with("/Cargo.toml") {
        return vec![];
    }
    let floor = |name: &str| {
        FLOORS
            .iter()
            .find(|(member, _)| *member == name)
            .map(|(_, floor)| *floor)
    };
    let Some(own) = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(|name| name.as_str())
    else {
        return vec!["has no package name".into()];
    };
    let Some(own_floor) = floor(own) else {
        return vec![format!("`{own}` stands on no floor")];
    };
    let mut faults = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(section).and_then(|section| section.as_table()) else {
            continue;
        };
        for name in dependencies.keys() {
            if floor(name).is_some_and(|floor| floor >= own_floor) {
                faults.push(format!(
                    "`{own}` on floor {own_floor} uses `{name}`, which is not below it"
                ));
            }
        }
    }
    faults
}

fn foreign_address(file: &str, text: &str) -> Vec<String> {
    // Spelled in parts, so that this file does not name them.
    let hosts = [
        ["crates", ".io"],
        ["pypi", ".org"],
        ["files.python", "hosted.org"],
        ["registry.npm", "js.org"],
        ["deb.debian", ".org"],
    ];
    // cargo writes the name of its registry into the lock file itself.
    if file == "Cargo.lock" {
        return vec![];
    }
    let named = |host: &[&str; 2]| text.contains(&host.concat());
    hosts
        .iter()
        .filter(|host| named(host))
        .map(|host| format!("names the host {}", host.concat()))
        .collect()
}

#[test]
fn every_module_says_what_it_holds() {
    check(missing_module_doc);
}

#[test]
fn no_file_holds_two_things() {
    check(too_long);
}

#[test]
fn each_outer_crate_stays_in_its_room() {
    check(outside_its_room);
}

#[test]
fn no_crate_looks_upward() {
    check(upward_dependency);
}

#[test]
fn no_registry_host_is_named() {
    check(foreign_address);
}

#[test]
fn the_rules_catch_what_they_are_there_for() {
    assert!(!missing_module_doc("edge/src/a.rs", "use std;\n").is_empty());
    assert!(!too_long("edge/src/a.rs", &"\n".repeat(MOST_LINES + 1)).is_empty());
    for line in [
        "use sqlx::Row;",
        "    sqlx::query(x)",
        "let a = ort::init();",
        "use rumqttc;",
    ] {
        assert!(!outside_its_room("central/src/api.rs", line).is_empty(), "{line}");
    }
    for line in [
        "// sqlx::query",
        "let import::x = 1;",
        "support::x()",
        "let a = \"ort::\";",
    ] {
        assert!(outside_its_room("central/src/api.rs", line).is_empty(), "{line}");
    }
    let upward = "[package]\nname = \"vong-wire\"\n[dependencies]\nvong-models = { path = \"../models\" }\n";
    assert!(!upward_dependency("wire/Cargo.toml", upward).is_empty());
    let sideways = "[package]\nname = \"vong-edge\"\n[dev-dependencies]\nvong-central.workspace = true\n";
    assert!(!upward_dependency("edge/Cargo.toml", sideways).is_empty());
    assert!(!foreign_address("a.md", &format!("see {}{}", "pypi", ".org")).is_empty());
}
