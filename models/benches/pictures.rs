//! Small measures of what stands around a model's run: scaling into its tensor, non-maximum suppression, decoding a
//! plate. `cargo bench -p vong-models`; what they are compared with is in docs/performance.md.

use criterion::{Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage};
use std::hint::black_box;
use std::time::Duration;
use vong_models::detect::suppress;
use vong_models::picture::{Normalise, Region, Scaler};
use vong_models::plate::{Grammar, Lattice};
use vong_models::{BBoxPx, Detection, Job, Manifest};
use vong_wire::ObjectClass;

fn scaling(criterion: &mut Criterion) {
    let manifest = Manifest::load(None).expect("the manifest is part of the crate");
    let normalise = Normalise::of(manifest.model(Job::Objects, None).expect("there is a default"));
    for (name, width, height) in [("416x312, its own size", 416, 312), ("1920x1080", 1920, 1080)] {
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x ^ y) as u8]));
        let to_height = 416 * height as usize / width as usize;
        let tensor = (416, to_height.next_multiple_of(32));
        let (mut scaler, mut out) = (Scaler::default(), vec![0.0; tensor.0 * tensor.1 * 3]);
        criterion.bench_function(&format!("resize and normalise, {name}"), |bencher| {
            bencher.iter(|| {
                let whole = Region::whole(&picture);
                black_box(scaler.place(&picture, whole, (416, to_height), tensor, &normalise, &mut out))
            });
        });
    }
}

fn suppression(criterion: &mut Criterion) {
    let found: Vec<Detection> = (0..400)
        .map(|n| {
            let (x, y) = ((n * 37 % 400) as f32, (n * 53 % 280) as f32);
            Detection {
                bbox: BBoxPx::new(x, y, x + 24.0, y + 60.0),
                score: (n * 29 % 100) as f32 / 100.0,
                class: ObjectClass::Person,
            }
        })
        .collect();
    let (mut work, mut out) = (found.clone(), Vec::new());
    criterion.bench_function("non-maximum suppression, 400 boxes", |bencher| {
        bencher.iter(|| {
            work.copy_from_slice(&found);
            out.clear();
            suppress(&mut work, 0.6, &mut out);
            black_box(out.len())
        });
    });
}

fn plates(criterion: &mut Criterion) {
    let (grammar, lattice) = (Grammar::vietnam(), Lattice::certain(&["29B1", "12345"]));
    criterion.bench_function("plate decoding, two rows", |bencher| {
        bencher.iter(|| black_box(grammar.decode(&lattice, 3)));
    });
}

fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
}

criterion_group! { name = all; config = brief(); targets = scaling, suppression, plates }
criterion_main!(all);
