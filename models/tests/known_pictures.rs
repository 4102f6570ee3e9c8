//! The wrappers on pictures whose content is known: the two public-domain portraits of the demo, which `vong-models
//! fetch` puts into the store.

mod here;

use image::{Rgb, RgbImage};
use vong_models::detect::ObjectDetector;
use vong_models::face::{FaceDetector, FaceEmbedder};
use vong_models::picture::Region;
use vong_models::{Manifest, Store};
use vong_wire::ObjectClass;

/// The store, or none with a word about it: a fresh checkout has no models until they are fetched.
fn store() -> Option<Store> {
    let store = here::store();
    if store.file("astronaut.png").is_file() {
        return Some(store);
    }
    println!("skipped: no models in {}; run `make models`", store.root().display());
    None
}

fn portrait(store: &Store, name: &str) -> RgbImage {
    image::open(store.file(name))
        .expect("a fetched picture is readable")
        .to_rgb8()
}

#[test]
fn a_person_with_a_face_is_found_where_it_is() {
    let Some(store) = store() else { return };
    let manifest = Manifest::load(None).unwrap();
    let picture = portrait(&store, "astronaut.png");
    let mut objects = Vec::new();
    ObjectDetector::open(&store, &manifest, None, 1)
        .unwrap()
        .detect(&picture, 0.4, &mut objects)
        .unwrap();
    assert_eq!(
        objects.iter().map(|d| d.class).collect::<Vec<_>>(),
        [ObjectClass::Person]
    );
    assert!(objects[0].bbox.height() > 400.0, "{objects:?}");
    let mut faces = Vec::new();
    FaceDetector::open(&store, &manifest, None, 1)
        .unwrap()
        .detect(&picture, 0.5, &mut faces)
        .unwrap();
    assert_eq!(faces.len(), 1);
    let [left, right, nose, ..] = faces[0].points;
    // Eyes and nose as one sees them in the picture of 512 x 512.
    for (found, x, y) in [(left, 201.0, 111.0), (right, 245.0, 110.0), (nose, 224.0, 130.0)] {
        assert!(
            (found.x - x).hypot(found.y - y) < 15.0,
            "{found:?} is not near {x}, {y}"
        );
    }
}

#[test]
fn one_person_is_alike_and_two_are_not() {
    let Some(store) = store() else { return };
    let manifest = Manifest::load(None).unwrap();
    let mut detector = FaceDetector::open(&store, &manifest, None, 1).unwrap();
    let mut embedder = FaceEmbedder::open(&store, &manifest, None, 1).unwrap();
    let mut embed = |picture: &RgbImage| {
        let mut faces = Vec::new();
        detector.detect(picture, 0.5, &mut faces).unwrap();
        embedder.embed(picture, &[faces[0].points]).unwrap().unwrap()
    };
    let (a, b) = (portrait(&store, "astronaut.png"), portrait(&store, "grace_hopper.jpg"));
    let smaller = image::imageops::resize(&a, 256, 256, image::imageops::FilterType::Triangle);
    let (first, again, other) = (embed(&a), embed(&smaller), embed(&b));
    let length: f32 = first.vector.iter().map(|v| v * v).sum();
    assert!((length - 1.0).abs() < 1e-4);
    let (same, different) = (first.similarity(&again).unwrap(), first.similarity(&other).unwrap());
    let threshold = embedder.default_threshold();
    assert!(
        same > threshold && different < threshold,
        "same {same}, different {different}, threshold {threshold}"
    );
}

#[test]
fn a_part_of_a_picture_gives_points_of_the_whole() {
    let Some(store) = store() else { return };
    let manifest = Manifest::load(None).unwrap();
    let mut detector = FaceDetector::open(&store, &manifest, None, 1).unwrap();
    let picture = portrait(&store, "astronaut.png");
    let (mut whole, mut part) = (Vec::new(), Vec::new());
    detector.detect(&picture, 0.5, &mut whole).unwrap();
    let region = Region {
        x: 100,
        y: 20,
        width: 250,
        height: 250,
    };
    detector.detect_in(&picture, region, 320, 0.5, &mut part).unwrap();
    assert_eq!(part.len(), 1);
    assert!(
        part[0].bbox.iou(&whole[0].bbox) > 0.6,
        "{:?} {:?}",
        part[0].bbox,
        whole[0].bbox
    );
}

#[test]
fn a_detector_looks_at_larger_and_smaller_pictures_in_turn() {
    let Some(store) = store() else { return };
    let manifest = Manifest::load(None).unwrap();
    let picture = portrait(&store, "astronaut.png");
    let open = || ObjectDetector::open(&store, &manifest, None, 1).unwrap();
    let look = |detector: &mut ObjectDetector, side: u32| {
        let (within, mut found) = (detector.look(Some(side)).unwrap(), Vec::new());
        detector.detect_within(&picture, within, 0.4, &mut found).unwrap();
        found
    };
    // More sides than a session keeps tensors for, twice: each as if it were the only one.
    let mut detector = open();
    for side in [192, 256, 320, 416, 480, 512, 192, 256] {
        let found = look(&mut detector, side);
        assert_eq!(found, look(&mut open(), side), "{side} px");
        assert!(found[0].bbox.height() > 400.0, "{side} px: {found:?}");
    }
}

#[test]
fn pictures_without_content_give_nothing() {
    let Some(store) = store() else { return };
    let manifest = Manifest::load(None).unwrap();
    let mut objects = ObjectDetector::open(&store, &manifest, None, 1).unwrap();
    let mut faces = FaceDetector::open(&store, &manifest, None, 1).unwrap();
    for (width, height) in [(0, 0), (1, 1), (3, 2000), (640, 480)] {
        let picture = RgbImage::from_pixel(width, height, Rgb([90, 90, 90]));
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        objects.detect(&picture, 0.4, &mut found).unwrap();
        faces.detect(&picture, 0.5, &mut seen).unwrap();
        assert_eq!((found.len(), seen.len()), (0, 0), "{width} x {height}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let manifest = Manifest::load(None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let error = ObjectDetector::open(&store, &manifest, None, 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nanodet") && error.contains("vong-models fetch"),
        "{error}"
    );
    std::fs::write(store.file("nanodet-g-416-u8.onnx"), b"another file").unwrap();
    let error = ObjectDetector::open(&store, &manifest, None, 1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected sha256") && error.contains("found"), "{error}");
    let error = ObjectDetector::open(&store, &manifest, Some("resnet"), 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no model `resnet`") && error.contains("nanodet-g-416"),
        "{error}"
    );
}
