//! The commands that measure speed, on the very code that runs at the gate.
//!
//! Invariant: one JSON object on standard output; what is compared is measured in the same run.

pub mod cameras;
pub mod gallery;
pub mod pipeline;

use clap::Subcommand;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// What a frame of a clip costs.
    Pipeline(pipeline::PipelineArgs),
    /// What a search among faces costs.
    Gallery(gallery::GalleryArgs),
}

/// Runs a command; the JSON object is its result.
///
/// # Errors
/// When an input cannot be used; the text names it and the remedy.
pub fn run(command: &BenchCommand) -> anyhow::Result<serde_json::Value> {
    match command {
        BenchCommand::Pipeline(args) if args.cameras > 1 => cameras::run(args),
        BenchCommand::Pipeline(args) => pipeline::run(args),
        BenchCommand::Gallery(args) => gallery::run(args),
    }
}
