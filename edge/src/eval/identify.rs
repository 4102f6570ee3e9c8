//! `eval identify`: who of the list is it, if anybody? An open-set search as at the gate. Invariant: every probe counts; a
//! mated one without a usable face is a miss (ISO/IEC 19795-1: FNIR and FPIR).

use super::count::round;
use super::portraits::{PortraitArgs, Portraits, embed, read_table};
use super::roc::threshold_for;
use crate::identify::Gallery;
use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use vong_models::face::Embedding;
use vong_wire::{EntryId, FaceEntry, ListId, ListKind, Severity, Watchlist, WatchlistBundle};

/// What `eval identify` takes.
#[derive(Debug, Args)]
pub struct IdentifyArgs {
    /// The photographs and the models.
    #[command(flatten)]
    pub portraits: PortraitArgs,
    /// Table with the columns role,identity,file: enrol or probe; a probe whose identity is not enrolled is a stranger.
    #[arg(long)]
    pub protocol: PathBuf,
}

/// The best candidate of a probe.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    score: f32,
    right: bool,
}

/// Runs the command; the JSON object is its result.
///
/// # Errors
/// When the table, a photograph's file or the models cannot be used.
pub fn run(args: &IdentifyArgs) -> anyhow::Result<serde_json::Value> {
    let table = args.protocol.display();
    let rows = read_table(&args.protocol, ["role", "identity", "file"])?;
    if let Some((n, [role, ..])) = rows
        .iter()
        .enumerate()
        .find(|(_, [role, ..])| role != "enrol" && role != "probe")
    {
        bail!("table `{table}`, line {}: role `{role}`; write enrol or probe", n + 2);
    }
    let portraits = embed(
        &args.portraits,
        &args.protocol,
        rows.iter().map(|[_, _, file]| file.as_str()),
    )?;
    // Entry ids have their own alphabet, identities any: they are numbered.
    let mut enrolled: BTreeMap<&str, Vec<&Embedding>> = BTreeMap::new();
    for [_, identity, file] in rows.iter().filter(|[role, ..]| role == "enrol") {
        enrolled.entry(identity).or_default().extend(portraits.get(file));
    }
    ensure!(
        !enrolled.is_empty(),
        "table `{table}` enrols nobody; add rows with role enrol"
    );
    let gallery = gallery(&enrolled)?;
    let (mut mated, mut strangers) = (Vec::new(), Vec::new());
    for [_, identity, file] in rows.iter().filter(|[role, ..]| role == "probe") {
        let number = enrolled.keys().position(|known| known == identity);
        let found = search(&gallery, &portraits, file, number);
        match number {
            Some(_) => mated.push(found),
            None => strangers.push(found),
        }
    }
    ensure!(
        !mated.is_empty(),
        "table `{table}` has no probe of an enrolled identity; add some"
    );
    ensure!(
        !strangers.is_empty(),
        "table `{table}` has no probe of a stranger; add some"
    );
    let first = mated.iter().filter(|found| found.is_some_and(|c| c.right)).count();
    let fnir = |fpir: f64| round(fnir_at(&mated, &strangers, fpir), 1e5);
    Ok(json!({
        "gallery": enrolled.len(),
        "mated": mated.len(),
        "non_mated": strangers.len(),
        "failed_to_enrol": portraits.failed(),
        "rank1": round(first as f64 / mated.len() as f64, 1e5),
        "fnir_at_fpir": { "0.1": fnir(0.1), "0.01": fnir(0.01), "0.001": fnir(0.001) },
    }))
}

fn gallery(enrolled: &BTreeMap<&str, Vec<&Embedding>>) -> anyhow::Result<Gallery> {
    let model = enrolled
        .values()
        .flatten()
        .next()
        .map(|embedding| embedding.model.clone())
        .unwrap_or_default();
    let mut entries = Vec::new();
    for (number, vectors) in enrolled.values().enumerate() {
        let embeddings = vectors.iter().map(|embedding| embedding.vector.clone()).collect();
        entries.push(FaceEntry {
            id: EntryId::new(number.to_string())?,
            embeddings,
            not_this: Vec::new(),
        });
    }
    let kind = ListKind::Faces {
        model: model.clone(),
        threshold: None,
        entries,
    };
    let list = Watchlist {
        id: ListId::new("protocol")?,
        severity: Severity::Notice,
        exercise: true,
        kind,
    };
    let (gallery, faults) = Gallery::new(
        &WatchlistBundle {
            version: 1,
            lists: vec![list],
        },
        &model,
        0.0,
    );
    match faults.first() {
        Some(fault) => bail!("{fault}"),
        None => Ok(gallery),
    }
}

fn search(gallery: &Gallery, portraits: &Portraits, file: &str, right: Option<usize>) -> Option<Candidate> {
    let best = gallery.nearest(portraits.get(file)?).into_iter().next()?;
    let right = right.is_some_and(|number| best.entry.as_str() == number.to_string());
    Some(Candidate {
        score: best.similarity,
        right,
    })
}

/// Share of mated probes that are missed at the lowest threshold at which at most this share of strangers is taken for
/// somebody.
fn fnir_at(mated: &[Option<Candidate>], strangers: &[Option<Candidate>], fpir: f64) -> f64 {
    let scores: Vec<f32> = strangers
        .iter()
        .map(|found| found.map_or(f32::NEG_INFINITY, |c| c.score))
        .collect();
    let threshold = threshold_for(&scores, fpir);
    let found = mated
        .iter()
        .flatten()
        .filter(|c| c.right && c.score > threshold)
        .count();
    1.0 - found as f64 / mated.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_a_wrong_name_a_low_score_or_no_face() {
        let found = |score, right| Some(Candidate { score, right });
        let mated = [found(0.9, true), found(0.9, false), found(0.4, true), None];
        let strangers = [found(0.5, false), found(0.3, false), None];
        assert!((fnir_at(&mated, &strangers, 0.0) - 0.75).abs() < 1e-9);
        assert!((fnir_at(&mated, &strangers, 0.34) - 0.5).abs() < 1e-9);
    }
}
