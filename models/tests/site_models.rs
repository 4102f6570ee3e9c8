//! A site's own models by manifest alone: those of docs/guide/own-models.toml find what the default ones find, and a wrong one
//! is told with its remedy. Skipped where their files, which are not ours to pass on, or the store's are not there.

mod here;

use image::RgbImage;
use std::path::{Path, PathBuf};
use vong_models::detect::ObjectDetector;
use vong_models::face::{FaceDetector, FaceEmbedder};
use vong_models::{Manifest, Store};
use vong_wire::ObjectClass;

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/own-models.toml");
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/models");

/// The models' files and the manifest in one folder, as a site lays them out.
struct Site {
    store: Store,
    manifest: Manifest,
    _folder: tempfile::TempDir,
}

fn site() -> Option<Site> {
    let store = here::store();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("own-models.toml");
    std::fs::copy(MANIFEST, &path).expect("the guide has a manifest");
    let manifest = Manifest::load(Some(&path)).expect("the manifest of the guide is right");
    let own = [
        "mobilefacenet_paddle_112.onnx",
        "yunet_n_dynamic.onnx",
        "yolox_nano_416.onnx",
    ];
    let absent: Vec<PathBuf> = own
        .iter()
        .map(|name| Path::new(FILES).join(name))
        .chain([store.file("astronaut.png"), store.file("grace_hopper.jpg")])
        .filter(|path| !path.is_file())
        .collect();
    if !absent.is_empty() {
        println!("skipped: {absent:?} are not there");
        return None;
    }
    for name in own {
        std::os::unix::fs::symlink(Path::new(FILES).join(name), folder.path().join(name)).expect("a link can be made");
    }
    Some(Site {
        store,
        manifest,
        _folder: folder,
    })
}

impl Site {
    fn portrait(&self, name: &str) -> RgbImage {
        vong_models::open_picture(&self.store.file(name)).expect("a fetched picture is readable")
    }

    fn faces(&self, model: Option<&str>, picture: &RgbImage) -> Vec<vong_models::face::Face> {
        let mut found = Vec::new();
        let mut detector = FaceDetector::open(&self.store, &self.manifest, model, 1).expect("the model opens");
        detector.detect(picture, 0.5, &mut found).expect("the model runs");
        found
    }
}

#[test]
fn yolox_finds_the_person_that_the_default_finds() {
    let Some(site) = site() else { return };
    let picture = site.portrait("astronaut.png");
    let found = |model: Option<&str>| {
        let mut found = Vec::new();
        let mut detector = ObjectDetector::open(&site.store, &site.manifest, model, 1).unwrap();
        detector.detect(&picture, 0.4, &mut found).unwrap();
        found.retain(|object| object.class == ObjectClass::Person);
        assert_eq!(found.len(), 1, "{model:?}: {found:?}");
        found[0].bbox
    };
    let fixed = ObjectDetector::open(&site.store, &site.manifest, Some("yolox-nano"), 1).unwrap();
    let refused = fixed.look(Some(256)).unwrap_err().to_string();
    assert!(
        refused.contains("`yolox-nano` looks at 416 x 416 px only") && refused.contains("leave look_px out"),
        "{refused}"
    );
    let overlap = found(Some("yolox-nano")).iou(&found(None));
    assert!(overlap > 0.7, "they overlap by {overlap} only");
}

#[test]
fn yunet_finds_the_face_and_its_points_where_the_default_does() {
    let Some(site) = site() else { return };
    for name in ["astronaut.png", "grace_hopper.jpg"] {
        let picture = site.portrait(name);
        let (own, default) = (site.faces(Some("yunet-n"), &picture), site.faces(None, &picture));
        assert_eq!((own.len(), default.len()), (1, 1), "{name}");
        let eyes = default[0].points[0].x - default[0].points[1].x;
        for (a, b) in own[0].points.iter().zip(&default[0].points) {
            let apart = (a.x - b.x).hypot(a.y - b.y) / eyes.abs();
            assert!(
                apart < 0.25,
                "{name}: {a:?} and {b:?} lie {apart:.2} of the eyes' distance apart"
            );
        }
    }
}

#[test]
fn mobilefacenet_knows_a_person_again_and_no_other() {
    let Some(site) = site() else { return };
    let mut embedder = FaceEmbedder::open(&site.store, &site.manifest, Some("mobilefacenet-paddle"), 1).unwrap();
    let mut embed = |picture: &RgbImage, finder: Option<&str>| {
        let faces = site.faces(finder, picture);
        embedder.embed(picture, &[faces[0].points]).unwrap().unwrap()
    };
    let picture = site.portrait("astronaut.png");
    let smaller = image::imageops::resize(&picture, 256, 256, image::imageops::FilterType::Triangle);
    let (first, again) = (embed(&picture, None), embed(&smaller, Some("yunet-n")));
    let other = embed(&site.portrait("grace_hopper.jpg"), None);
    let (same, different) = (first.similarity(&again).unwrap(), first.similarity(&other).unwrap());
    assert_eq!(first.model, "mobilefacenet-paddle");
    let threshold = embedder.default_threshold();
    assert!(
        same > threshold && different < threshold,
        "same {same}, different {different}, threshold {threshold}"
    );
}

/// The same model as `like`, from this file and with this line of its own.
fn own(like: &str, file: &Path, line: &str) -> (Store, Manifest) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("own.toml");
    let sha256 = vong_models::hash::sha256_of(file).expect("the file is readable");
    let text = format!(
        "[[model]]\nid = \"own\"\nlike = \"{like}\"\nfile = \"{}\"\nsha256 = \"{sha256}\"\n{line}\n",
        file.display()
    );
    std::fs::write(&path, text).expect("a file can be written");
    (here::store(), Manifest::load(Some(&path)).expect("the manifest can be"))
}

/// A file of the store, where it and ONNX Runtime are there.
fn stored(name: &str) -> Option<PathBuf> {
    let store = here::store();
    let there = store.file(name).is_file() && store.onnx_runtime().is_file();
    if !there {
        println!("skipped: no models in {}; run `make models`", store.root().display());
    }
    there.then(|| store.file(name).canonicalize().expect("the file is there"))
}

fn check_told(error: &vong_models::ModelError, parts: &[&str]) {
    let told = error.to_string();
    assert!(!told.contains('\n'), "{told:?} has several lines");
    for part in parts {
        assert!(told.contains(part), "{told:?} does not say {part:?}");
    }
}

#[test]
fn a_file_that_is_cut_short_is_told_with_its_remedy() {
    let Some(whole) = stored("centerface.onnx") else { return };
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.onnx");
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let (store, manifest) = own("centerface", &cut, "");
    let Err(error) = FaceDetector::open(&store, &manifest, Some("own"), 1) else {
        panic!("half a model was opened");
    };
    check_told(&error, &["cut.onnx", "cut short", "sha256", "manifest"]);
}

#[test]
fn a_size_that_is_not_the_files_is_told_with_its_remedy() {
    let Some(file) = stored("faceres.onnx") else { return };
    let (store, manifest) = own("faceres", &file, "size = [112, 112]");
    let mut embedder = FaceEmbedder::open(&store, &manifest, Some("own"), 1).unwrap();
    let points = [(40.0, 40.0), (80.0, 40.0), (60.0, 65.0), (45.0, 85.0), (75.0, 85.0)];
    let points = points.map(|(x, y)| vong_models::PointPx { x, y });
    let error = embedder.embed(&RgbImage::new(120, 120), &[points]).unwrap_err();
    check_told(&error, &["faceres.onnx", "112", "224", "`size`", "manifest"]);
}
