//! `eval plates`: reads every picture of a list with the gate's reader and sets it beside the truth.
//!
//! Invariant: every plate of the truth counts, also where its picture could not be opened (then as missed). A plate with
//! `?` is not scored, and pays for one extra reading of its picture.

use super::plate_truth::{Groups, Truth, read_truth};
use super::table::folder_there;
use crate::cli::few;
use crate::config::ModelsConfig;
use crate::nets::Precision;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use vong_models::plate::{PlateReader, PlateReaderOptions, PlateReading};
use vong_models::{Manifest, Store, open_picture};

/// What `eval plates` takes.
#[derive(Debug, Args)]
pub struct PlatesArgs {
    /// Folder of the pictures.
    #[arg(long)]
    pub images: PathBuf,
    /// Table with the columns file,plates: normal form, `;` between plates, `?` in one that is unsure.
    #[arg(long)]
    pub truth: PathBuf,
    /// Threads of a model run.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub threads: usize,
    /// A site's own manifest of models.
    #[arg(long)]
    pub models: Option<PathBuf>,
    /// Which form of the models runs.
    #[arg(long, value_enum, default_value_t = Precision::Default)]
    pub precision: Precision,
    /// Say on standard error which plates were missed or read falsely.
    #[arg(long)]
    pub detail: bool,
}

/// Sums over the pictures.
#[derive(Debug, Default, PartialEq)]
struct Score {
    plates: usize,
    exact: usize,
    false_plates: usize,
    edits: usize,
    characters: usize,
}

/// Runs the command; the JSON object is its result.
pub fn run(args: &PlatesArgs) -> anyhow::Result<serde_json::Value> {
    folder_there(&args.images)?;
    let truth = read_truth(&args.truth, &args.images)?;
    let store = Store::locate();
    let manifest = Manifest::load(args.models.as_deref())?;
    let models = args.precision.apply(&manifest, &ModelsConfig::default())?;
    let mut reader = PlateReader::open(
        &store,
        &manifest,
        models.plates(),
        args.threads,
        PlateReaderOptions::default(),
    )?;
    let (mut score, mut times_ms, mut refused) = (Score::default(), Vec::new(), 0);
    let mut groups = Groups::default();
    let mut found = Vec::new();
    for (number, row) in truth.iter().enumerate() {
        let start = Instant::now();
        found.clear();
        match open_picture(&args.images.join(&row.file)) {
            Ok(picture) => {
                reader.read(&picture, None, &mut found)?;
                times_ms.push(start.elapsed().as_secs_f64() * 1e3);
            }
            Err(reason) => {
                refused += 1;
                eprintln!("refused: {reason}");
            }
        }
        let hits = score.add(row, &found);
        for (plate, hit) in row.plates.iter().zip(hits) {
            groups.add(plate, hit);
            if args.detail && !hit {
                eprintln!("missed: {} {}; read {}", row.file, plate.plate, described(&found));
            }
        }
        if args.detail && found.iter().any(|f| row.plates.iter().all(|p| p.plate != f.plate)) {
            eprintln!(
                "other: {} ({} unsure); read {}",
                row.file,
                row.unsure,
                described(&found)
            );
        }
        if (number + 1) % 20 == 0 {
            eprintln!("{} of {} pictures", number + 1, truth.len());
        }
    }
    Ok(json!({
        "images": truth.len(),
        "plates": score.plates,
        "exact": score.exact,
        "exact_rate": share(score.exact, score.plates),
        "cer": share(score.edits, score.characters),
        "false_plates": score.false_plates,
        "refused": refused,
        "ms_per_image": { "p50": quantile(&mut times_ms, 0.5), "p95": quantile(&mut times_ms, 0.95) },
        "by": groups.as_json(),
    }))
}

fn described(found: &[PlateReading]) -> String {
    let one = |f: &PlateReading| {
        format!(
            "{} ({:.2}, {}, {:?}, raw `{}`)",
            f.plate, f.confidence, f.class, f.colour, f.raw
        )
    };
    if found.is_empty() {
        "nothing".into()
    } else {
        found.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Score {
    /// Adds a picture; says of each sure plate whether it was read exactly.
    fn add(&mut self, row: &Truth, found: &[PlateReading]) -> Vec<bool> {
        let mut left: Vec<&str> = found.iter().map(|f| f.plate.as_str()).collect();
        let hits: Vec<bool> = row
            .plates
            .iter()
            .map(|want| {
                left.iter()
                    .position(|got| *got == want.plate)
                    .map(|at| left.swap_remove(at))
                    .is_some()
            })
            .collect();
        self.plates += row.plates.len();
        self.exact += hits.iter().filter(|&&hit| hit).count();
        self.false_plates += left.len().saturating_sub(row.unsure);
        for (want, hit) in row.plates.iter().zip(&hits) {
            let want: Vec<char> = want.plate.chars().collect();
            self.characters += want.len();
            if !hit {
                let nearest = (0..left.len()).min_by_key(|&i| edits(&want, left[i]));
                let cost = nearest.map_or(want.len(), |i| edits(&want, left[i]).min(want.len()));
                if cost < want.len() {
                    nearest.map(|i| left.swap_remove(i));
                }
                self.edits += cost;
            }
        }
        hits
    }
}

/// Levenshtein distance.
fn edits(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (i, &ca) in a.iter().enumerate() {
        let mut now = vec![i + 1];
        for (j, &cb) in b.iter().enumerate() {
            now.push(
                (before[j] + usize::from(ca != cb))
                    .min(before[j + 1] + 1)
                    .min(now[j] + 1),
            );
        }
        before = now;
    }
    before[b.len()]
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (part as f64 / whole as f64 * 1e4).round() / 1e4
    }
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1));
    values.get(at).map_or(0.0, |v| (v * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_models::BBoxPx;
    use vong_wire::PlateColour;

    fn reading(plate: &str) -> PlateReading {
        PlateReading {
            bbox: BBoxPx::default(),
            plate: plate.into(),
            raw: plate.into(),
            class: "car",
            colour: PlateColour::White,
            lines: 1,
            confidence: 1.0,
            alternatives: vec![],
        }
    }

    fn check(truth: &str, found: &[&str], exact: usize, false_plates: usize, edits: usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.csv");
        std::fs::write(&path, format!("file,plates\na.jpg,{truth}\n")).unwrap();
        std::fs::write(folder.path().join("a.jpg"), "").unwrap();
        let rows = read_truth(&path, folder.path()).unwrap();
        let mut score = Score::default();
        score.add(&rows[0], &found.iter().map(|p| reading(p)).collect::<Vec<_>>());
        assert_eq!(
            (score.exact, score.false_plates, score.edits),
            (exact, false_plates, edits),
            "{truth} {found:?}"
        );
    }

    #[test]
    fn readings_are_scored_as_the_truth_means_them() {
        check("30A33918", &["30A33918"], 1, 0, 0);
        check("30A33918", &[], 0, 0, 8);
        check("30A33918", &["30A33919"], 0, 1, 1);
        check("30A33918", &["30A33918", "59X12345"], 1, 1, 0);
        check("30A33918;59X212345", &["59X212345", "30A33918"], 2, 0, 0);
        // One unsure plate pays for one extra reading, and is not scored itself.
        check("30F21717;?", &["30F21717", "29A12345"], 1, 0, 0);
        check("30F21717;?", &["30F21717", "29A12345", "29A12346"], 1, 1, 0);
        check("71B217757?", &[], 0, 0, 0);
        check("29MĐ112345", &["29MĐ112345"], 1, 0, 0);
        check("29-MĐ1 123.45", &["29MĐ112345"], 1, 0, 0);
    }
}
