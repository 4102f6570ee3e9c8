//! A clip through the gate's own stages: source, motion gate, detector, tracker. Invariant: every frame of the clip
//! is handed on, in order; a clip that cannot be read to its end is an error.

use super::usage::{Spent, Usage};
use anyhow::Context;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vong_models::detect::ObjectDetector;
use vong_models::{Manifest, Store};

use crate::cli::few;
use crate::config::{Region, look_px};
use crate::follow::{Follower, untimed};
use crate::source::{FileOptions, FileSource, Frame, Next, Source, SourceOptions};
use crate::track::{Track, TrackerConfig};

/// How a clip is looked at.
#[derive(Debug, Clone, Args)]
pub struct FollowArgs {
    /// The clip.
    #[arg(long)]
    pub video: PathBuf,
    /// Model id of the detector; the default one where not said.
    #[arg(long, value_name = "ID")]
    pub detector: Option<String>,
    /// A site's own manifest of models.
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    /// Threads of a model run.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub threads: usize,
    /// Detect on every frame, without the motion gate.
    #[arg(long)]
    pub every_frame: bool,
    /// Longest side of the picture that objects are looked for in, px; the model's own where not said.
    #[arg(long, value_name = "PX", value_parser = look_px)]
    pub look_px: Option<u32>,
}

/// What following a clip took.
#[derive(Debug, Clone, Copy)]
pub struct Followed {
    /// Frames of the clip.
    pub frames: u64,
    /// Seconds, without loading the model.
    pub wall_s: f64,
    /// Processor time and memory, the decoder's included.
    pub spent: Spent,
}

/// Follows what is in a clip, in pictures of the size that a camera which only counts these lines has; without lines, in
/// full pictures. The lines are shares of the region. `each` is given the time of a frame, its size and the tracks.
///
/// # Errors
/// When the models or the clip cannot be read.
pub fn follow(
    args: &FollowArgs,
    lines: Vec<[f32; 4]>,
    region: Option<Region>,
    mut each: impl FnMut(f64, (u32, u32), &[Track]),
) -> anyhow::Result<Followed> {
    // The first frame first: a clip's faults show at once, the model takes a second to load.
    FileSource::open(&args.video, FileOptions::default())?.next(&mut Frame::default())?;
    let mut detector = open_detector(args.models.as_deref(), args.detector.as_deref(), args.threads)?;
    let look = detector.look(args.look_px)?;
    let within = (!lines.is_empty()).then(|| look.map(|side| side as u32).into());
    let options = FileOptions {
        source: SourceOptions {
            region,
            within,
            raw: true,
            ..SourceOptions::default()
        },
        ..FileOptions::default()
    };
    let mut follower = Follower::new(TrackerConfig::default(), args.look_px, args.every_frame).with_lines(lines);
    let mut frames = 0;
    let (usage, start) = (Usage::now(), Instant::now());
    let mut source = FileSource::open(&args.video, options)?;
    let mut frame = Frame::default();
    let mut next = source.next(&mut frame)?;
    while let Next::Frame = next {
        follower.step(&mut frame, &mut detector, &mut untimed)?;
        each(frame.at_s, frame.size(), follower.tracks());
        frames += 1;
        next = source.next(&mut frame)?;
    }
    Ok(Followed {
        frames,
        wall_s: start.elapsed().as_secs_f64(),
        spent: usage.until_now(),
    })
}

fn open_detector(manifest: Option<&Path>, id: Option<&str>, threads: usize) -> anyhow::Result<ObjectDetector> {
    let manifest = Manifest::load(manifest)?;
    ObjectDetector::open(&Store::locate(), &manifest, id, threads.max(1)).context("cannot open the detector")
}
