//! `eval identify`: who of the list is it, if anybody? An open-set search as at the gate. Invariant: every probe counts; a
//! mated one without a usable face is a miss (ISO/IEC 19795-1: FNIR and FPIR).

use super::count::round;
use super::portraits::{PortraitArgs, Portraits, embed};
use super::roc::threshold_for;
use super::table::read_table;
use crate::identify::Gallery;
use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
    cosine: f32,
    right: bool,
}

/// The searches of a protocol: what calibration and evaluation have in common. Calibration counts a stranger's photograph
/// once, evaluation every probe.
#[derive(Debug, Default)]
pub struct Trials {
    /// The model that made the embeddings.
    pub model: String,
    /// Identities searched among.
    pub gallery: usize,
    /// Probes of enrolled persons.
    mated: Vec<Option<Candidate>>,
    /// Probes of strangers.
    strangers: Vec<Option<Candidate>>,
    /// Scores of strangers' photographs in which a face was usable, by file: the same one again is no further trial.
    different: BTreeMap<String, f32>,
    /// Photographs without a usable face.
    pub failed: usize,
}

impl Trials {
    /// Takes in what a probe came to.
    fn add(&mut self, file: &str, enrolled: bool, found: Option<Candidate>) {
        if enrolled {
            self.mated.push(found);
            return;
        }
        self.strangers.push(found);
        if let Some(found) = found {
            self.different.entry(file.to_owned()).or_insert(found.score);
        }
    }

    /// Probes of enrolled persons.
    pub fn mated(&self) -> usize {
        self.mated.len()
    }

    /// Photographs of strangers that were searched for: without a usable face there is no trial, and the same photograph
    /// again is none either.
    pub fn non_mated(&self) -> usize {
        self.different.len()
    }

    /// The lowest threshold, "at least" as at the gate, at which at most this share of strangers' photographs is taken for
    /// somebody.
    pub fn threshold(&self, fpir: f64) -> f32 {
        let scores: Vec<f32> = self.different.values().copied().collect();
        let above = threshold_for(&scores, fpir);
        // Written with five digits, rounded up: what is written is what was measured.
        (((f64::from(above) * 1e5).floor() + 1.0) / 1e5) as f32
    }

    /// Strangers' photographs that are taken for somebody at this threshold.
    pub fn false_alarms(&self, threshold: f32) -> usize {
        self.different.values().filter(|score| **score >= threshold).count()
    }

    /// Enrolled persons that are missed at this threshold.
    pub fn misses(&self, threshold: f32) -> usize {
        let found = |c: &&Candidate| c.right && c.score >= threshold;
        self.mated.len() - self.mated.iter().flatten().filter(found).count()
    }
}

fn score(found: Option<Candidate>) -> f32 {
    found.map_or(f32::NEG_INFINITY, |c| c.score)
}

/// Runs the command; the JSON object is its result.
///
/// # Errors
/// When the table, a photograph's file or the models cannot be used.
pub fn run(args: &IdentifyArgs) -> anyhow::Result<serde_json::Value> {
    let trials = search_all(args)?;
    let (mated, strangers) = (&trials.mated, &trials.strangers);
    let first = mated.iter().filter(|found| found.is_some_and(|c| c.right)).count();
    let plain = |found: &[Option<Candidate>]| {
        let by_cosine = |c: &Candidate| Candidate { score: c.cosine, ..*c };
        found.iter().map(|c| c.as_ref().map(by_cosine)).collect::<Vec<_>>()
    };
    let (plain_mated, plain_strangers) = (plain(mated), plain(strangers));
    let fnir = |fpir: f64| round(fnir_at(mated, strangers, fpir), 1e5);
    let plain_fnir = |fpir: f64| round(fnir_at(&plain_mated, &plain_strangers, fpir), 1e5);
    Ok(json!({
        "gallery": trials.gallery,
        "mated": mated.len(),
        "non_mated": strangers.len(),
        "failed_to_enrol": trials.failed,
        "rank1": round(first as f64 / mated.len() as f64, 1e5),
        "fnir_at_fpir": { "0.1": fnir(0.1), "0.01": fnir(0.01), "0.001": fnir(0.001) },
        "plain_cosine": { "0.1": plain_fnir(0.1), "0.01": plain_fnir(0.01), "0.001": plain_fnir(0.001) },
    }))
}

/// The rows of a protocol: role, identity, file.
fn read_protocol(path: &Path) -> anyhow::Result<Vec<[String; 3]>> {
    read_table(path, ["role", "identity", "file"], |[role, ..]| match role.as_str() {
        "enrol" | "probe" => Ok(()),
        _ => Err(format!("role `{role}`; write enrol or probe")),
    })
}

/// Refuses, before an hour of embedding, a protocol in which something to measure is missing.
fn complete(rows: &[[String; 3]], table: &Path) -> anyhow::Result<()> {
    let table = table.display();
    let of = |role: &'static str| rows.iter().filter(move |row| row[0] == role);
    let enrolled: BTreeSet<&str> = of("enrol").map(|row| row[1].as_str()).collect();
    let probed = |known: bool| of("probe").any(|row| enrolled.contains(row[1].as_str()) == known);
    ensure!(
        !enrolled.is_empty(),
        "table `{table}` enrols nobody; add rows with role enrol"
    );
    ensure!(
        probed(true),
        "table `{table}` has no probe of an enrolled identity; add some"
    );
    ensure!(probed(false), "table `{table}` has no probe of a stranger; add some");
    Ok(())
}

/// Photographs of strangers in a protocol.
///
/// # Errors
/// When the table cannot be used.
pub fn non_mated(protocol: &Path) -> anyhow::Result<usize> {
    let rows = read_protocol(protocol)?;
    let enrolled: BTreeSet<&str> = rows
        .iter()
        .filter(|[role, ..]| role == "enrol")
        .map(|[_, identity, _]| identity.as_str())
        .collect();
    let strange = |row: &&[String; 3]| row[0] == "probe" && !enrolled.contains(row[1].as_str());
    let files: BTreeSet<&str> = rows.iter().filter(strange).map(|[.., file]| file.as_str()).collect();
    Ok(files.len())
}

/// Enrols and searches as the protocol says.
///
/// # Errors
/// When the table, a photograph's file or the models cannot be used.
pub fn search_all(args: &IdentifyArgs) -> anyhow::Result<Trials> {
    let rows = read_protocol(&args.protocol)?;
    complete(&rows, &args.protocol)?;
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
        enrolled.values().any(|vectors| !vectors.is_empty()),
        "table `{}`: no photograph with role enrol has a usable face; look at them",
        args.protocol.display()
    );
    let gallery = gallery(&enrolled)?;
    let model = enrolled
        .values()
        .flatten()
        .next()
        .map(|embedding| embedding.model.clone());
    let mut trials = Trials {
        model: model.unwrap_or_default(),
        gallery: enrolled.len(),
        failed: portraits.failed(),
        ..Trials::default()
    };
    for [_, identity, file] in rows.iter().filter(|[role, ..]| role == "probe") {
        let number = enrolled.keys().position(|known| known == identity);
        trials.add(file, number.is_some(), search(&gallery, &portraits, file, number));
    }
    Ok(trials)
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
        cosine: best.cosine,
        right,
    })
}

/// Share of mated probes that are missed at the lowest threshold at which at most this share of strangers is taken for
/// somebody.
fn fnir_at(mated: &[Option<Candidate>], strangers: &[Option<Candidate>], fpir: f64) -> f64 {
    let scores: Vec<f32> = strangers.iter().map(|found| score(*found)).collect();
    let threshold = threshold_for(&scores, fpir);
    let found = mated
        .iter()
        .flatten()
        .filter(|c| c.right && c.score > threshold)
        .count();
    1.0 - found as f64 / mated.len() as f64
}

#[cfg(test)]
impl Trials {
    /// Strangers with these scores, and one enrolled person that is found with 0.9.
    pub(crate) fn of_strangers(scores: &[f32]) -> Self {
        let names: Vec<String> = (0..scores.len()).map(|number| format!("{number}.jpg")).collect();
        Self::of_photographs(names.iter().map(String::as_str).zip(scores.iter().copied()))
    }

    /// The same for photographs of strangers by name.
    fn of_photographs<'a>(strangers: impl Iterator<Item = (&'a str, f32)>) -> Self {
        let candidate = |score, right| {
            Some(Candidate {
                score,
                cosine: score,
                right,
            })
        };
        let mut trials = Self {
            model: "m".into(),
            gallery: 1,
            ..Self::default()
        };
        trials.add("enrolled.jpg", true, candidate(0.9, true));
        for (file, score) in strangers {
            trials.add(file, false, candidate(score, false));
        }
        trials
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_little_above_the_strangers_that_it_keeps_out() {
        let trials = Trials::of_strangers(&[0.1, 0.2, 0.3, 0.4]);
        for (fpir, alarms) in [(0.0, 0), (0.25, 1), (0.5, 2)] {
            assert_eq!(trials.false_alarms(trials.threshold(fpir)), alarms, "{fpir}");
        }
        assert_eq!(trials.misses(trials.threshold(0.0)), 0);
        assert_eq!(trials.misses(0.95), 1);
    }

    #[test]
    fn a_photograph_of_a_stranger_that_is_listed_again_is_no_further_false_alarm() {
        let once = [("a.jpg", 0.8), ("b.jpg", 0.3), ("c.jpg", 0.2), ("d.jpg", 0.1)];
        let again = once.iter().chain(&once[..1]).chain(&once[..1]).copied();
        let (once, mut again) = (Trials::of_photographs(once.into_iter()), Trials::of_photographs(again));
        // Without a usable face there is no trial.
        again.add("e.jpg", false, None);
        for (fpir, alarms) in [(0.0, 0), (0.25, 1), (0.5, 2)] {
            let threshold = again.threshold(fpir);
            assert_eq!(threshold, once.threshold(fpir), "{fpir}");
            assert_eq!(
                (again.false_alarms(threshold), again.non_mated()),
                (alarms, 4),
                "{fpir}"
            );
        }
        // `eval identify` counts every probe.
        assert_eq!((once.strangers.len(), again.strangers.len()), (4, 7));
    }

    #[test]
    fn a_miss_is_a_wrong_name_a_low_score_or_no_face() {
        let found = |score, right| {
            Some(Candidate {
                score,
                cosine: score,
                right,
            })
        };
        let mated = [found(0.9, true), found(0.9, false), found(0.4, true), None];
        let strangers = [found(0.5, false), found(0.3, false), None];
        assert!((fnir_at(&mated, &strangers, 0.0) - 0.75).abs() < 1e-9);
        assert!((fnir_at(&mated, &strangers, 0.34) - 0.5).abs() < 1e-9);
    }
}
