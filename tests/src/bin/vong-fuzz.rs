//! `make fuzz`: millions of changed inputs to everything that parses. One line of JSON on standard output; status 1 and the
//! input where something panics.

use anyhow::{Context, Result};
use clap::Parser;
use std::path::Path;
use std::time::Instant;

#[derive(Debug, Parser)]
#[command(name = "vong-fuzz", about = "Give changed inputs to everything that parses")]
struct Arguments {
    /// Inputs in all.
    #[arg(long, default_value_t = 10_000_000)]
    inputs: u64,
    /// Repeats the inputs; by the clock where not said.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let seed = arguments.seed.unwrap_or(now.as_secs());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("tests/ lies in the workspace")?;
    eprintln!("seed {seed}; again with `vong-fuzz --seed {seed}`");
    let begun = Instant::now();
    let given = vong_tests::fuzz::run(root, arguments.inputs, seed)?;
    let taken: u64 = given.values().map(|(_, taken)| taken).sum();
    let by_target: serde_json::Map<String, serde_json::Value> = given
        .iter()
        .map(|(name, (all, taken))| {
            (
                (*name).to_string(),
                serde_json::json!({ "inputs": all, "taken": taken }),
            )
        })
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "seed": seed, "inputs": arguments.inputs, "taken": taken, "panics": 0,
            "seconds": begun.elapsed().as_secs(), "by_target": by_target,
        })
    );
    Ok(())
}
