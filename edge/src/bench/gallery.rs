//! `bench gallery`: the five nearest of many faces, beside a plain f32 scan. Invariant: both see the same rows and probes.

use crate::eval::count::round;
use crate::identify::FlatRows;
use anyhow::ensure;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};

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
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

const QUERIES: usize = 200;
/// All of them are asked so often; the middle round counts: one lasts a few milliseconds, less than a turn of another process.
const ROUNDS: usize = 15;
/// A probe is one of the rows with this much noise on each value.
const NOISE: f32 = 0.05;

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
    let mut rows = FlatRows::new(args.dim);
    for _ in 0..args.size {
        rows.push(&unit((0..args.dim).map(|_| normal(&mut random)).collect()));
    }
    let picked: Vec<usize> = (0..QUERIES).map(|_| random.random_range(0..args.size)).collect();
    let probes: Vec<Vec<f32>> = picked
        .iter()
        .filter_map(|row| rows.rows().nth(*row).map(<[f32]>::to_vec))
        .map(|row| unit(row.into_iter().map(|v| v + NOISE * normal(&mut random)).collect()))
        .collect();
    let search = |probe: &[f32]| rows.nearest::<5>(probe, |_, _| true)[0].map(|near| near.row);
    search(&probes[0]);
    let mut found = Vec::new();
    let mut rounds = [Duration::ZERO; ROUNDS];
    for spent in &mut rounds {
        found.clear();
        let start = Instant::now();
        found.extend(probes.iter().map(|probe| search(probe)));
        *spent = start.elapsed();
    }
    rounds.sort();
    let spent = rounds[ROUNDS / 2];
    let plain = |probe: &[f32]| {
        let products = rows
            .rows()
            .map(|row| row.iter().zip(probe).map(|(a, b)| a * b).sum::<f32>());
        products
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(row, _)| row)
    };
    let agree = probes.iter().zip(&found).all(|(probe, found)| plain(probe) == *found);
    Ok(json!({
        "size": args.size,
        "dim": args.dim,
        "us_per_query": round(spent.as_secs_f64() * 1e6 / QUERIES as f64, 10.0),
        "top1_agrees": agree,
    }))
}

/// A number of the normal distribution (Box and Muller 1958).
pub(super) fn normal(random: &mut StdRng) -> f32 {
    let (a, b): (f32, f32) = (random.random(), random.random());
    (-2.0 * (1.0 - a).max(f32::MIN_POSITIVE).ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}

/// The vector with length 1.
pub(super) fn unit(mut values: Vec<f32>) -> Vec<f32> {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|v| *v /= length);
    values
}
