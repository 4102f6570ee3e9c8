//! `vong-edge fit`: how large the pictures must be in which a camera's objects are looked for. Invariant: every side is
//! judged by the same objects, which no side decides alone; nothing that was seen is kept.
//!
//! A detector's work grows with the square of the side. Whoever passes a narrow gate fills half of the picture and is found
//! in a quarter of the work; in a wide square persons are lost that way. Which of the two it is, the camera itself shows.

use crate::clock::SystemClock;
use crate::config::{CameraConfig, CameraSource, Config, CountedClass};
use crate::eval::count::round;
use crate::motion::MotionGate;
use crate::nets::{Needs, Nets};
use crate::pace;
use crate::source::{self, FileOptions, FileSource, Frame, Next, Source, SourceOptions};
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vong_models::detect::ObjectDetector;
use vong_models::session::inference_time;
use vong_models::{Detection, Manifest, Store};

/// What `fit` takes.
#[derive(Debug, Args)]
pub struct FitArgs {
    /// The configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// This camera only; all of them where none is named.
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// Minutes to watch each, a busy hour best; a file ends sooner.
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    pub minutes: f64,
}

fn minutes(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|minutes| (0.1..=1440.0).contains(minutes));
    number.ok_or_else(|| "give minutes, from 0.1 to 1440".into())
}

/// Sides that are tried, px.
const TRIED: [u32; 8] = [192, 224, 256, 320, 384, 416, 512, 640];
const LARGEST: u32 = TRIED[TRIED.len() - 1];
/// Between two pictures that are looked at, s: who walks on is seen from elsewhere.
const EVERY_S: f64 = 0.5;
/// Pictures that are looked at, at most.
const PICTURES: usize = 1_000;
/// An object is there where two sides find it, one of them with the first score and both with the second: those that begin
/// and carry on a track (`TrackerConfig`).
const THERE: f32 = 0.5;
const FOUND: f32 = 0.45;
const AT_LEAST: u32 = 2;
/// Found in the same place: the overlap that annotated boxes are matched by.
const SAME_PLACE: f32 = 0.5;
/// Who is so many of one's heights away from all lines does not count yet.
const NEAR_HEIGHTS: f32 = 2.0;
/// Objects that an answer needs.
const ENOUGH: u64 = 200;
/// Share of what the best side finds that suffices. Chosen on the annotated clips (docs/performance.md): with less,
/// crossings are lost.
const SUFFICES: f64 = 0.97;

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    pictures: usize,
    objects: u64,
    /// How many of them each side found, and what that took.
    found: [u64; TRIED.len()],
    took: [Duration; TRIED.len()],
}

/// An object in one picture, and the sides that found it, a bit each.
#[derive(Debug, Clone, Copy)]
struct Object {
    best: Detection,
    sides: u32,
}

/// Runs the command: one line of JSON for each camera.
///
/// # Errors
/// When the configuration, the models or a camera cannot be used.
pub fn run(args: &FitArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    let named = |camera: &&CameraConfig| args.camera.as_deref().is_none_or(|id| camera.id.as_str() == id);
    let cameras: Vec<&CameraConfig> = config.cameras.iter().filter(named).collect();
    ensure!(
        !cameras.is_empty(),
        "no camera `{}` in `{}`; name one that is there",
        args.camera.as_deref().unwrap_or_default(),
        args.config.display()
    );
    let manifest = Manifest::load(config.models.manifest.as_deref())?;
    let needs = Needs {
        objects: true,
        ..Needs::default()
    };
    let nets = Nets::open(&Store::locate(), &manifest, &config.models, needs, 1)?;
    let mut detector = nets.objects.context("the detector was not opened")?;
    detector.look(Some(TRIED[0]))?;
    for camera in cameras {
        println!("{}", watch(camera, args, &mut detector)?);
    }
    Ok(())
}

fn watch(camera: &CameraConfig, args: &FitArgs, detector: &mut ObjectDetector) -> anyhow::Result<serde_json::Value> {
    let (mut seen, mut objects, mut found) = (Seen::default(), Vec::new(), Vec::new());
    let (mut gate, mut frame, mut looked_s) = (MotionGate::default(), Frame::default(), None);
    let mut source = open(camera)?;
    let until = Instant::now() + Duration::from_secs_f64(args.minutes * 60.0);
    while seen.pictures < PICTURES {
        match source.next(&mut frame)? {
            Next::Frame if frame.at_s > args.minutes * 60.0 => break,
            Next::Frame => {}
            Next::Cut => continue,
            Next::Lost(cause) => {
                // A camera that is away has no time of its own.
                ensure!(Instant::now() < until, "{cause}");
                tracing::warn!(%cause, "asking again");
                continue;
            }
            Next::Ended => break,
        }
        let moves = gate.look(frame.grey());
        if !moves || looked_s.is_some_and(|looked_s| frame.at_s - looked_s < EVERY_S) {
            continue;
        }
        looked_s = Some(frame.at_s);
        frame.develop();
        objects.clear();
        for (place, side) in TRIED.into_iter().enumerate() {
            let before = inference_time();
            detector.detect_within(&frame.image, [side as usize; 2], FOUND, &mut found)?;
            seen.took[place] += inference_time() - before;
            found.retain(|object| matters(camera, frame.size(), object));
            join(&mut objects, &found, place);
        }
        seen.add(&objects);
        if seen.pictures.is_multiple_of(100) {
            tracing::info!(camera = %camera.id, pictures = seen.pictures, objects = seen.objects, "watching");
        }
    }
    let suggested = seen.suggested();
    if suggested.is_none() {
        tracing::warn!(
            camera = %camera.id,
            "{} objects are too few to tell, {ENOUGH} are needed; watch a busier hour, or longer with --minutes",
            seen.objects
        );
    }
    let sides = TRIED.iter().enumerate().map(|(place, side)| {
        json!({
            "look_px": side,
            "found": round(seen.found[place] as f64 / seen.objects.max(1) as f64, 1000.0),
            "ms": round(seen.took[place].as_secs_f64() * 1e3 / seen.pictures.max(1) as f64, 1000.0),
        })
    });
    Ok(json!({
        "camera": camera.id,
        "pictures": seen.pictures,
        "objects": seen.objects,
        "sides": sides.collect::<Vec<_>>(),
        "look_px": camera.look_px,
        "suggested": suggested,
    }))
}

fn open(camera: &CameraConfig) -> anyhow::Result<Box<dyn Source>> {
    let from = camera.source().context("no source is set; write file, rtsp or usb")?;
    let options = SourceOptions {
        region: camera.region,
        within: Some((LARGEST, LARGEST)),
        raw: true,
        max_fps: Some(camera.max_fps),
        ..SourceOptions::default()
    };
    if let CameraSource::File(path) = &from {
        let file = FileOptions {
            source: options,
            ..FileOptions::default()
        };
        return Ok(Box::new(FileSource::open(path, file)?));
    }
    let clock = Arc::new(SystemClock);
    Ok(source::open(camera.id.as_str(), &from, false, options, clock)?)
}

/// Whether this camera has anything to do with an object: it counts its kind and has it near a line, or has no lines.
fn matters(camera: &CameraConfig, size: (u32, u32), object: &Detection) -> bool {
    let counts = |class: CountedClass| (class == CountedClass::Vehicle) == object.class.is_vehicle();
    let reach = NEAR_HEIGHTS * object.bbox.height();
    let mut lines = camera.lines.iter().filter(|line| counts(line.class));
    match camera.lines.is_empty() {
        true => camera.faces.is_none() || !object.class.is_vehicle(),
        false => lines.any(|line| pace::away(&line.points, size, object.bbox.centre()) < reach),
    }
}

fn is_same(object: &Detection, other: &Detection) -> bool {
    object.class.is_vehicle() == other.class.is_vehicle() && object.bbox.iou(&other.bbox) >= SAME_PLACE
}

/// Adds what a side found to the objects of a picture.
fn join(objects: &mut Vec<Object>, found: &[Detection], place: usize) {
    for detection in found {
        let free = |object: &&mut Object| object.sides & 1 << place == 0 && is_same(&object.best, detection);
        match objects.iter_mut().find(free) {
            Some(object) => {
                object.sides |= 1 << place;
                if detection.score > object.best.score {
                    object.best = *detection;
                }
            }
            None => objects.push(Object {
                best: *detection,
                sides: 1 << place,
            }),
        }
    }
}

impl Seen {
    /// Takes in the objects of one picture.
    fn add(&mut self, objects: &[Object]) {
        self.pictures += 1;
        let there = objects
            .iter()
            .filter(|object| object.best.score >= THERE && object.sides.count_ones() >= AT_LEAST);
        for object in there {
            self.objects += 1;
            for (place, found) in self.found.iter_mut().enumerate() {
                *found += u64::from(object.sides >> place & 1);
            }
        }
    }

    /// The least side that suffices; none where too little was seen.
    fn suggested(&self) -> Option<u32> {
        let most = self.found.iter().copied().max().filter(|_| self.objects >= ENOUGH)?;
        let suffices = |found: &u64| *found as f64 >= SUFFICES * most as f64;
        self.found.iter().position(suffices).map(|place| TRIED[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_models::BBoxPx;
    use vong_wire::ObjectClass;

    fn person(x: f32, score: f32) -> Detection {
        Detection {
            bbox: BBoxPx::new(x, 100.0, x + 40.0, 200.0),
            score,
            class: ObjectClass::Person,
        }
    }

    /// Pictures with a person near whom all sides find, and one far off whom those from this place on find.
    fn seen(pictures: usize, from: usize) -> Seen {
        let mut seen = Seen::default();
        for _ in 0..pictures {
            let mut objects = Vec::new();
            for place in 0..TRIED.len() {
                let far = (place >= from).then(|| person(300.0, 0.6));
                let found: Vec<_> = [person(place as f32, 0.9)].into_iter().chain(far).collect();
                join(&mut objects, &found, place);
            }
            seen.add(&objects);
        }
        seen
    }

    #[test]
    fn the_least_side_that_loses_nobody_is_suggested() {
        assert_eq!(seen(200, 4).suggested(), Some(TRIED[4]));
        assert_eq!(seen(200, 0).suggested(), Some(TRIED[0]));
        assert_eq!(seen(200, 4).objects, 400);
    }

    #[test]
    fn what_one_side_alone_sees_is_nobody_and_too_little_is_no_answer() {
        let alone = seen(200, TRIED.len() - 1);
        assert_eq!((alone.objects, alone.suggested()), (200, Some(TRIED[0])));
        assert_eq!(seen(99, 4).suggested(), None);
        assert_eq!(Seen::default().suggested(), None);
    }

    #[test]
    fn only_what_a_line_counts_and_has_near_matters() {
        let text = "[device]\nsite = \"s\"\nid = \"d\"\ndata = \"x\"\n[broker]\nhost = \"h\"\n\
                    [[camera]]\nid = \"c\"\nfile = \"f\"\n[[camera.line]]\nid = \"l\"\npoints = [0.5, 0, 0.5, 1]\n";
        let config = Config::parse(text, std::path::Path::new("edge.toml")).unwrap();
        let matters = |object: Detection| matters(&config.cameras[0], (1000, 400), &object);
        assert!(matters(person(400.0, 0.9)));
        assert!(!matters(person(100.0, 0.9)), "too far from the line");
        let car = Detection {
            class: ObjectClass::Car,
            ..person(400.0, 0.9)
        };
        assert!(!matters(car), "nobody counts vehicles there");
    }
}
