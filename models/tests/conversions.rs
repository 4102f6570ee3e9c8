//! What the conversions make of the packages, beside reference conversions of the same models by another hand, on the
//! same input; and whether the manifest agrees with itself.

mod here;

use here::store;
use std::path::{Path, PathBuf};
use vong_models::session::{Session, SessionOptions};
use vong_models::{Manifest, Store};

/// Reference conversions, where this machine has them.
const REFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/models");
/// Largest difference of an output value.
const TOLERANCE: f32 = 1e-3;

/// All outputs of a model for an input of noise that is the same at every call, sorted by shape: two conversions need
/// not put them in the same order.
fn outputs(store: &Store, model: &Path, shape: &[usize], scale: f32, shift: f32) -> Vec<(Vec<i64>, Vec<f32>)> {
    let mut session = Session::open(store, model, SessionOptions::default()).expect("the model opens");
    let count = session.output_count();
    let outputs = session
        .run(shape, |tensor| {
            let mut state = 0x9e37_79b9_7f4a_7c15_u64;
            for value in tensor {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *value = (state >> 40) as f32 / (1 << 24) as f32 * scale + shift;
            }
        })
        .expect("the model runs");
    let tensors = (0..count).map(|index| outputs.at(index).expect("an output of floats"));
    let mut all: Vec<(Vec<i64>, Vec<f32>)> = tensors
        .map(|tensor| (tensor.shape.to_vec(), tensor.data.to_vec()))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[track_caller]
fn check(file: &str, shape: &[usize], scale: f32, shift: f32) {
    let (store, reference) = (store(), PathBuf::from(REFERENCES).join(file));
    if !reference.is_file() {
        println!("skipped: no reference conversion `../shared/models/{file}` on this machine");
        return;
    }
    if !store.file(file).is_file() {
        println!("skipped: no `{file}` in {}; run `make models`", store.root().display());
        return;
    }
    let ours = outputs(&store, &store.file(file), shape, scale, shift);
    let theirs = outputs(&store, &reference, shape, scale, shift);
    assert_eq!(ours.len(), theirs.len(), "{file}: number of outputs");
    // Maps of one shape may stand in any order: each of ours must be one of theirs.
    for (shape, values) in &ours {
        let nearest = theirs.iter().filter(|(other, _)| other == shape).map(|(_, other)| {
            let apart = values.iter().zip(other).map(|(a, b)| (a - b).abs());
            apart.fold(0.0, f32::max)
        });
        let apart = nearest.fold(f32::INFINITY, f32::min);
        assert!(apart <= TOLERANCE, "{file}: an output {shape:?} differs by {apart}");
    }
}

#[test]
fn centerface_is_as_the_reference() {
    check("centerface.onnx", &[1, 3, 320, 384], 255.0, 0.0);
}

#[test]
fn dlib_resnet_is_as_the_reference() {
    check("dlib-resnet.onnx", &[1, 3, 150, 150], 255.0, 0.0);
}

#[test]
fn nanodet_is_as_the_reference() {
    check("nanodet-g-416.onnx", &[1, 3, 416, 416], 4.0, -2.0);
}

#[test]
fn models_of_packages_have_the_hash_of_the_file_that_is_made_for_them() {
    let manifest = Manifest::load(None).expect("the built-in manifest is right");
    for file in manifest.packages().iter().flat_map(|package| &package.files) {
        for model in manifest.models().filter(|model| model.file == file.to) {
            assert_eq!(model.sha256, file.sha256, "model `{}`", model.id);
        }
        let hashes = file.members.iter().map(|member| &member.sha256);
        for hash in hashes.chain([&file.sha256]) {
            assert!(
                hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
                "{hash}"
            );
        }
    }
}
