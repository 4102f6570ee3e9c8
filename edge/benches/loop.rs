//! Small measures of the loop: a step of the tracker and a search among faces. `cargo bench -p vong-edge`; what they are
//! compared with is in docs/performance.md.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::time::Duration;
use vong_edge::bench::gallery::{listed, unit};
use vong_edge::identify::Gallery;
use vong_edge::track::{Tracker, TrackerConfig};
use vong_models::face::Embedding;
use vong_models::{BBoxPx, Detection};
use vong_wire::ObjectClass;

/// Walkers in rows who go to and fro.
fn crowd(walkers: usize, step: usize) -> Vec<Detection> {
    let walker = |k: usize| {
        let way = if k.is_multiple_of(2) { 3.0 } else { -3.0 } * step as f32;
        let (x, y) = ((k % 20 * 45) as f32 + way, (k / 20 * 50 + step * k % 3) as f32);
        Detection {
            bbox: BBoxPx::new(x - 15.0, y - 40.0, x + 15.0, y + 40.0),
            score: 0.8,
            class: ObjectClass::Person,
        }
    };
    (0..walkers).map(walker).collect()
}

fn tracker(criterion: &mut Criterion) {
    for walkers in [10, 50, 200] {
        let warm = || {
            let mut tracker = Tracker::new(TrackerConfig::default());
            for step in 0..10 {
                tracker.step(step as f64 / 10.0, &crowd(walkers, step));
            }
            tracker
        };
        let next = crowd(walkers, 10);
        criterion.bench_function(&format!("tracker step, {walkers} objects"), |bencher| {
            bencher.iter_batched_ref(
                warm,
                |tracker| {
                    black_box(tracker.step(1.0, &next));
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn gallery(criterion: &mut Criterion) {
    for size in [10_000, 100_000] {
        let mut random = StdRng::seed_from_u64(7);
        let mut face = || unit((0..128).map(|_| random.random::<f32>() - 0.5).collect());
        let faces: Vec<Vec<f32>> = (0..size).map(|_| face()).collect();
        let bundle = listed("bench", None, faces).expect("plain names");
        let (gallery, _) = Gallery::new(&bundle, "bench", -4.0);
        let probe = Embedding {
            model: "bench".into(),
            vector: face(),
        };
        criterion.bench_function(&format!("gallery, {size} faces of 128"), |bencher| {
            bencher.iter(|| black_box(gallery.search(&probe)));
        });
    }
}

fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

criterion_group! { name = all; config = brief(); targets = tracker, gallery }
criterion_main!(all);
