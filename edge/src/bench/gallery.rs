//! `bench gallery`: the search of the gate among many faces, its score lessened by the crowd, beside a plain f32 scan.
//! Invariant: both see the same rows and probes; whom the search names is whom the plain scan finds nearest. How crowded it
//! is around an entry is learned at the first search that finds it, as at the gate, and not measured.

use crate::cli::few;
use crate::eval::count::round;
use crate::identify::{FaceMatch, Gallery};
use anyhow::ensure;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};
use vong_models::face::Embedding;
use vong_wire::{EntryId, FaceEntry, ListId, ListKind, Severity, Watchlist, WatchlistBundle};

/// What `bench gallery` takes.
#[derive(Debug, Args)]
pub struct GalleryArgs {
    /// Faces.
    #[arg(long)]
    pub size: usize,
    /// Values of a face.
    #[arg(long)]
    pub dim: usize,
    /// A search runs on one thread, whatever is said.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub threads: usize,
}

const QUERIES: usize = 200;
/// All of them are asked so often; the middle round counts: one lasts a few milliseconds, less than a turn of another process.
const ROUNDS: usize = 15;
/// A probe is one of the rows with this much noise on each value.
const NOISE: f32 = 0.05;
const MODEL: &str = "bench";
/// A threshold that every score reaches.
const ANYBODY: f32 = -4.0;

/// Runs the command.
///
/// # Errors
/// When the gallery would be empty or larger than the memory of a gate.
pub fn run(args: &GalleryArgs) -> anyhow::Result<serde_json::Value> {
    let values = args.size.saturating_mul(args.dim);
    ensure!(values > 0, "--size and --dim must be at least 1");
    ensure!(
        values <= 1 << 30 && args.dim <= 8192,
        "--size {} of --dim {} is more than a gate holds; give at most 2^30 values and 8192 a row",
        args.size,
        args.dim
    );
    let mut random = StdRng::seed_from_u64(7);
    let rows: Vec<Vec<f32>> = (0..args.size)
        .map(|_| unit((0..args.dim).map(|_| normal(&mut random)).collect()))
        .collect();
    let probe = |_| {
        let row = &rows[random.random_range(0..args.size)];
        let noisy = row.iter().map(|v| v + NOISE * normal(&mut random)).collect();
        Embedding {
            model: MODEL.to_string(),
            vector: unit(noisy),
        }
    };
    let probes: Vec<Embedding> = (0..QUERIES).map(probe).collect();
    let nearest: Vec<Nearest> = probes.iter().map(|probe| plain(&rows, &probe.vector)).collect();
    let (gallery, _) = Gallery::new(&listed(MODEL, Some(ANYBODY), rows)?, MODEL, ANYBODY);
    let mut found: Vec<Vec<FaceMatch>> = probes.iter().map(|probe| gallery.search(probe)).collect();
    let mut rounds = [Duration::ZERO; ROUNDS];
    for spent in &mut rounds {
        found.clear();
        let start = Instant::now();
        found.extend(probes.iter().map(|probe| gallery.search(probe)));
        *spent = start.elapsed();
    }
    rounds.sort();
    let spent = rounds[ROUNDS / 2];
    let agree = found.iter().zip(&nearest).all(|(found, nearest)| {
        let named = found.first().map(|best| best.entry.as_str());
        named.is_some_and(|named| nearest.iter().any(|row| named == format!("entry-{row}")))
    });
    Ok(json!({
        "size": args.size,
        "dim": args.dim,
        "us_per_query": round(spent.as_secs_f64() * 1e6 / QUERIES as f64, 10.0),
        "top1_agrees": agree,
    }))
}

/// The row of the greatest cosine, and those that 32-bit floats cannot tell from it.
type Nearest = Vec<usize>;
/// So much do two sums of the same products differ that were added in another order; both are near 1.
const ROUNDING: f32 = 2.0 * f32::EPSILON;

/// The nearest row by a plain scan; rows and probe have length 1.
fn plain(rows: &[Vec<f32>], probe: &[f32]) -> Nearest {
    let products = rows
        .iter()
        .map(|row| row.iter().zip(probe).map(|(a, b)| a * b).sum::<f32>());
    let products: Vec<f32> = products.collect();
    let best = products.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (0..rows.len())
        .filter(|row| products[*row] >= best - ROUNDING)
        .collect()
}

/// A list of these faces, one an entry, named `entry-0` and so on.
///
/// # Errors
/// Never with these names; the type of a name asks.
pub fn listed(
    model: &str,
    threshold: Option<f32>,
    faces: impl IntoIterator<Item = Vec<f32>>,
) -> anyhow::Result<WatchlistBundle> {
    let mut entries = Vec::new();
    for (number, face) in faces.into_iter().enumerate() {
        entries.push(FaceEntry {
            id: EntryId::new(format!("entry-{number}"))?,
            embeddings: vec![face],
            not_this: Vec::new(),
        });
    }
    Ok(WatchlistBundle {
        version: 1,
        lists: vec![Watchlist {
            id: ListId::new("strangers")?,
            severity: Severity::Alarm,
            exercise: true,
            kind: ListKind::Faces {
                model: model.to_string(),
                threshold,
                entries,
            },
        }],
    })
}

/// A number of the normal distribution (Box and Muller 1958).
pub(super) fn normal(random: &mut StdRng) -> f32 {
    let (a, b): (f32, f32) = (random.random(), random.random());
    (-2.0 * (1.0 - a).max(f32::MIN_POSITIVE).ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}

/// The vector with length 1.
pub fn unit(mut values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|v| *v /= length);
    values
}
