//! A model that fails in a frame. Skipped where the default models are not there.

use super::*;
use crate::config::ModelsConfig;
use crate::nets::Needs;
use vong_models::{Manifest, Store};
use vong_wire::BootId;

/// Models whose detector gives boxes that are not those of its family, so that every run of it fails.
fn failing() -> Option<Nets> {
    let store = Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/store"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let own =
        "[defaults]\nobjects = \"wrong\"\n[[model]]\nid = \"wrong\"\nlike = \"nanodet-g-416-u8\"\nfamily = \"yolox\"\n";
    std::fs::write(&path, own).unwrap();
    let manifest = Manifest::load(Some(&path)).unwrap();
    let needs = Needs {
        objects: true,
        faces: false,
        plates: false,
    };
    match Nets::open(&store, &manifest, &ModelsConfig::default(), needs, 1) {
        Ok(nets) => Some(nets),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

#[test]
fn what_was_decided_before_a_model_failed_is_kept() {
    let Some(mut nets) = failing() else { return };
    let text = "id = \"a\"\nfile = \"none\"\n[[line]]\nid = \"main\"\npoints = [0.5, 0.0, 0.5, 1.0]\n";
    let config: CameraConfig = toml::from_str(text).unwrap();
    let telemetry = Arc::new(CameraTelemetry::new(config.id.clone()));
    let mut chain = CameraChain::new(config.clone(), Books::new(&config, BootId::generate()), telemetry);
    let minutes: Vec<Vec<i64>> = [60, 61, 125]
        .iter()
        .map(|&at_s| {
            let mut frame = Frame {
                image: image::RgbImage::new(64, 48),
                at_ms: at_s * 1_000,
                at_s: at_s as f64,
                ..Frame::default()
            };
            let mut drafts = Vec::new();
            let failed = chain.frame(&mut frame, &mut nets, &Lists::default(), &mut drafts);
            assert!(failed.is_err());
            let minute = |draft: &Draft| match draft {
                Draft::Count(count) => Some(count.minute_ms),
                _ => None,
            };
            drafts.iter().filter_map(minute).collect()
        })
        .collect();
    assert_eq!(minutes, [vec![], vec![], vec![60_000]], "the minute that ended is told");
}
