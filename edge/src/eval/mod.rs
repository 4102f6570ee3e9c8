//! The commands that measure, on the very code that runs at the gate.
//!
//! Invariant: one JSON object on standard output, everything else on standard error; no figure over fewer items than it
//! says. What measures knows the truth; what is measured never does.

pub mod count;
pub mod faces;
pub mod follow;
pub mod identify;
pub mod mot;
pub mod plate_truth;
pub mod plates;
pub mod portraits;
pub mod roc;
pub mod table;
pub mod track;
pub mod usage;
pub mod wilson;

use clap::Subcommand;

/// What can be measured. Whatever goes wrong here is bad input: the caller's files, or models that are not there.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Crossings of a line in a clip.
    Count(count::CountArgs),
    /// Tracks of persons in a clip beside annotated ones.
    Track(track::TrackArgs),
    /// Whether two photographs show the same person.
    Faces(faces::FacesArgs),
    /// Who of a list a photograph shows, if anybody.
    Identify(identify::IdentifyArgs),
    /// Licence plates of pictures.
    Plates(plates::PlatesArgs),
}

/// Runs a command; the JSON object is its result.
///
/// # Errors
/// When an input cannot be used; the text names it and the remedy.
pub fn run(command: &EvalCommand) -> anyhow::Result<serde_json::Value> {
    match command {
        EvalCommand::Count(args) => count::run(args),
        EvalCommand::Track(args) => track::run(args),
        EvalCommand::Faces(args) => faces::run(args),
        EvalCommand::Identify(args) => identify::run(args),
        EvalCommand::Plates(args) => plates::run(args),
    }
}
