//! `eval faces`: is it the same person on two photographs? Invariant: every pair of the table counts; one with a
//! photograph that could not be enrolled counts as "different".

use super::count::round;
use super::portraits::{PortraitArgs, embed};
use super::roc::Roc;
use super::table::read_table;
use anyhow::ensure;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// What `eval faces` takes.
#[derive(Debug, Args)]
pub struct FacesArgs {
    /// The photographs and the models.
    #[command(flatten)]
    pub portraits: PortraitArgs,
    /// Table with the columns a,b,same: two files and 1 or 0.
    #[arg(long)]
    pub pairs: PathBuf,
}

/// Runs the command; the JSON object is its result.
///
/// # Errors
/// When the table, a photograph's file or the models cannot be used.
pub fn run(args: &FacesArgs) -> anyhow::Result<serde_json::Value> {
    let pairs = read_table(&args.pairs, ["a", "b", "same"], |[_, _, same]| {
        let wrong = || format!("`{same}` in `same`; write 1 or 0");
        is_same(same).map(drop).ok_or_else(wrong)
    })?;
    let same: Vec<bool> = pairs.iter().filter_map(|[_, _, same]| is_same(same)).collect();
    let table = args.pairs.display();
    ensure!(
        same.contains(&true),
        "table `{table}` has no pair of the same person; add some with same=1"
    );
    ensure!(
        same.contains(&false),
        "table `{table}` has no pair of different persons; add some with same=0"
    );
    let files = pairs.iter().flat_map(|[a, b, _]| [a.as_str(), b.as_str()]);
    let portraits = embed(&args.portraits, &args.pairs, files)?;
    let mut roc = Roc::default();
    for ([a, b, _], same) in pairs.iter().zip(same) {
        let both = portraits.get(a).zip(portraits.get(b));
        roc.add(same, both.and_then(|(a, b)| a.similarity(b)));
    }
    Ok(json!({
        "pairs": pairs.len(),
        "genuine": roc.genuine(),
        "failed_to_enrol": portraits.failed(),
        "auc": round(roc.auc(), 1e6),
        "eer": round(roc.eer(), 1e5),
        "tar_at_far": { "0.01": round(roc.tar_at_far(0.01), 1e5), "0.001": round(roc.tar_at_far(0.001), 1e5) },
    }))
}

fn is_same(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}
