//! `make eval`: runs the measuring commands of `vong-edge` over a folder of material with known truth and writes the
//! figures down with their uncertainty. Invariant: every figure in the report comes from a command that is printed beside
//! it, run just then.

pub mod material;
pub mod report;
pub mod wilson;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A command that was run and what it printed.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What is shown of it: the command without folders.
    pub command: String,
    /// Its JSON.
    pub result: Value,
}

/// Runs `vong-edge eval ...`; its progress goes to standard error.
///
/// # Errors
/// When the program cannot be started or refuses its input.
pub fn measure(edge: &Path, arguments: &[String], shown: &str) -> Result<Measured> {
    let output = Command::new(edge)
        .arg("eval")
        .args(arguments)
        .stderr(std::process::Stdio::inherit())
        .output();
    let output = output.with_context(|| format!("cannot start {}; build it with `make build`", edge.display()))?;
    ensure!(
        output.status.success(),
        "vong-edge eval {} ended with {}",
        arguments.join(" "),
        output.status
    );
    let result = serde_json::from_slice(&output.stdout).context("vong-edge printed no JSON")?;
    Ok(Measured {
        command: format!("vong-edge eval {shown}"),
        result,
    })
}
