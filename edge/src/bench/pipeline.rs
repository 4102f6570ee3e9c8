//! `bench pipeline`: what a frame costs, from the file to the decisions. Invariant: the frames go through
//! [`CameraChain`], as at the gate, every one of them, in order; decoding alone and model runs alone are measured in the
//! same run.

use super::gallery::{listed, normal, unit};
use crate::camera::{Books, CameraChain, Lists};
use crate::cli::few;
use crate::config::{CameraConfig, CountedClass, FacesConfig, LineConfig, ModelsConfig, PlatesConfig, look_px};
use crate::eval::count::{Line, line, round};
use crate::eval::usage::Usage;
use crate::identify::Gallery;
use crate::nets::{Needs, Nets, Precision};
use crate::outbox::Draft;
use crate::source::{FileOptions, FileSource, Frame, Next, Source, SourceOptions};
use crate::telemetry::{CameraTelemetry, Counted};
use anyhow::Context;
use clap::Args;
use image::{Rgb, RgbImage};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use vong_models::face::FaceEmbedder;
use vong_models::session::inference_time;
use vong_models::{Manifest, PointPx, Store};
use vong_wire::{BootId, CameraId, Direction, EventBody, LineId};

/// What `bench pipeline` takes.
#[derive(Debug, Clone, Args)]
pub struct PipelineArgs {
    /// The clip.
    #[arg(long)]
    pub video: PathBuf,
    /// x1,y1,x2,y2 in shares of the picture, y down.
    #[arg(long, value_parser = line, allow_hyphen_values = true)]
    pub line: Line,
    /// Look for the faces of 10,000 listed persons as well.
    #[arg(long)]
    pub faces: bool,
    /// Read the plates of vehicles as well.
    #[arg(long)]
    pub plates: bool,
    /// Detect on every frame, without the motion gate.
    #[arg(long)]
    pub every_frame: bool,
    /// Longest side of the picture that objects are looked for in, px; the model's own where not said.
    #[arg(long, value_name = "PX", value_parser = look_px)]
    pub look_px: Option<u32>,
    /// Which form of the models.
    #[arg(long, value_enum, default_value_t)]
    pub precision: Precision,
    /// Threads of a model run.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub threads: usize,
    /// So many cameras at once, each playing the clip at its own speed, on as many workers as cores.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub cameras: usize,
}

/// Faces of the list, as the comparison has.
const LISTED: usize = 10_000;

impl PipelineArgs {
    /// The camera that the flags describe.
    pub(super) fn camera(&self, number: usize) -> anyhow::Result<CameraConfig> {
        Ok(CameraConfig {
            id: CameraId::new(format!("camera-{number}"))?,
            file: Some(self.video.clone()),
            rtsp: None,
            usb: None,
            repeat: false,
            max_fps: 120.0,
            region: None,
            look_px: self.look_px,
            priority: 5,
            every_frame: self.every_frame,
            lines: vec![LineConfig {
                id: LineId::new("line")?,
                points: self.line,
                class: CountedClass::Person,
            }],
            faces: self.faces.then_some(FacesConfig { min_person_px: 90.0 }),
            plates: self.plates.then_some(PlatesConfig {
                region: None,
                reads_per_s: 4.0,
            }),
        })
    }

    /// A clip's faults show before the models are loaded.
    pub(super) fn look_at_clip(&self) -> anyhow::Result<()> {
        FileSource::open(&self.video, FileOptions::default())?.next(&mut Frame::default())?;
        Ok(())
    }

    /// Sessions of one worker, and the lists to search.
    pub(super) fn open(&self) -> anyhow::Result<(Nets, Lists)> {
        let manifest = Manifest::load(None)?;
        let models = self.precision.apply(&manifest, &ModelsConfig::default())?;
        let needs = Needs {
            objects: true,
            faces: self.faces,
            plates: self.plates,
        };
        let mut nets = Nets::open(&Store::locate(), &manifest, &models, needs, self.threads)?;
        nets.suit(&[self.camera(0)?])?;
        let lists = match &mut nets.faces {
            Some((_, embedder)) => Lists {
                gallery: strangers(embedder)?,
                ..Lists::default()
            },
            None => Lists::default(),
        };
        Ok((nets, lists))
    }
}

/// Runs the command for one camera, as fast as its frames are taken.
///
/// # Errors
/// When the clip or the models cannot be read.
pub fn run(args: &PipelineArgs) -> anyhow::Result<serde_json::Value> {
    let config = args.camera(0)?;
    args.look_at_clip()?;
    let (mut nets, lists) = args.open()?;
    let detector = nets.objects.as_ref().map(|objects| objects.size());
    let telemetry = Arc::new(CameraTelemetry::new(config.id.clone()));
    let options = FileOptions {
        source: SourceOptions {
            within: config.picture_within(detector),
            raw: true,
            ..SourceOptions::default()
        },
        ..FileOptions::default()
    };
    // Before and after: on a machine that others use, one moment is slower than the next.
    let decode_before_s = decoding_alone(&args.video)?;
    let books = Books::new(&config, BootId::generate());
    let mut chain = CameraChain::new(config, books, telemetry.clone());
    let (mut frames, mut crossings) = (0_u64, [0_u64; 2]);
    let (usage, start, inference) = (Usage::now(), Instant::now(), inference_time());
    {
        let mut source = FileSource::open(&args.video, options)?;
        let (mut frame, mut drafts) = (Frame::default(), Vec::new());
        while let Next::Frame = source.next(&mut frame)? {
            chain.frame(&mut frame, &mut nets, &lists, &mut drafts)?;
            tally(&drafts, &mut crossings);
            drafts.clear();
            chain.view(&mut frame);
            frames += 1;
        }
        tally(&chain.finish(&lists), &mut crossings);
    }
    let wall_s = start.elapsed().as_secs_f64();
    let spent = usage.until_now();
    let inference_s = (inference_time() - inference).as_secs_f64();
    let decode_s = (decode_before_s + decoding_alone(&args.video)?) / 2.0;
    let count = frames.max(1) as f64;
    let each = |seconds: f64| round(seconds * 1e3 / count, 1000.0);
    let ever = telemetry.ever();
    Ok(json!({
        "frames": frames,
        "fps": round(count / wall_s.max(1e-9), 100.0),
        "cpu_ms_per_frame": each(spent.cpu_s),
        "decode_ms_per_frame": each(decode_s),
        "inference_ms_per_frame": each(inference_s),
        "overhead_ratio": round(spent.cpu_s / (decode_s + inference_s).max(1e-9), 1000.0),
        "rss_mib": spent.rss_mib,
        "stages": stages(&ever, count),
        "in": crossings[0],
        "out": crossings[1],
        "counters": ever.counters,
        "models": nets.names(),
    }))
}

/// Wall time of the stages a frame, ms, and how often they ran.
pub(super) fn stages(ever: &Counted, frames: f64) -> serde_json::Value {
    let stage = |(name, (runs, time)): (&&str, &(u64, std::time::Duration))| {
        let ms = round(time.as_secs_f64() * 1e3 / frames, 1000.0);
        ((*name).to_string(), json!({ "runs": runs, "ms_per_frame": ms }))
    };
    ever.stages.iter().map(stage).collect::<serde_json::Map<_, _>>().into()
}

fn tally(drafts: &[Draft], crossings: &mut [u64; 2]) {
    for draft in drafts {
        if let Draft::Event(event) = draft
            && let EventBody::Crossing(crossing) = &event.body
        {
            crossings[usize::from(crossing.direction == Direction::Out)] += 1;
        }
    }
}

/// Processor time of decoding the clip and nothing else, s.
fn decoding_alone(video: &Path) -> anyhow::Result<f64> {
    let before = Usage::now();
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(format!("file:{}", video.display()))
        .args(["-map", "0:v:0", "-f", "null", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start `ffmpeg`; install the package ffmpeg")?;
    anyhow::ensure!(done.success(), "ffmpeg cannot decode `{}` alone", video.display());
    Ok(before.until_now().children_s)
}

/// A gallery of random faces: nobody is found in it, but every search goes through it.
fn strangers(embedder: &mut FaceEmbedder) -> anyhow::Result<Gallery> {
    // How long its vectors are, a model says only when it runs.
    let corners = [(40.0, 40.0), (80.0, 40.0), (60.0, 65.0), (45.0, 85.0), (75.0, 85.0)].map(|(x, y)| PointPx { x, y });
    let grey = RgbImage::from_pixel(120, 120, Rgb([128; 3]));
    let one = embedder
        .embed(&grey, &[corners])?
        .context("the embedding has no length")?;
    let mut random = StdRng::seed_from_u64(0);
    let faces = (0..LISTED).map(|_| unit(one.vector.iter().map(|_| normal(&mut random)).collect()));
    Ok(Gallery::new(&listed(&one.model, None, faces)?, &one.model, 1.0).0)
}
