//! `eval track`: the gate's tracks of one clip beside annotated ones. Invariant: every frame of the clip is scored, and
//! what was assumed about the truth is said on standard error.

use super::count::round;
use super::follow::{FollowArgs, follow};
use super::mot::{Labelled, Score, Scorer, Truth, TruthError};
use crate::track::Tracker;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use vong_wire::ObjectClass;

/// What `eval track` takes.
#[derive(Debug, Args)]
pub struct TrackArgs {
    /// The clip and the detector.
    #[command(flatten)]
    pub follow: FollowArgs,
    /// Annotated tracks of persons in MOTChallenge format.
    #[arg(long)]
    pub truth: PathBuf,
    /// Size of the picture that the truth was drawn on; where not said, the clip's, or a usual one that the boxes fit.
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub truth_size: Option<(u32, u32)>,
}

/// Usual widths of pictures, px; the height follows from the clip's shape.
const USUAL_WIDTHS: [u32; 24] = [
    160, 176, 240, 320, 352, 384, 400, 426, 480, 512, 640, 704, 720, 768, 800, 854, 960, 1024, 1280, 1440, 1600, 1920,
    2560, 3840,
];

fn size(text: &str) -> Result<(u32, u32), String> {
    let sides = text
        .split_once(['x', 'X'])
        .and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
    sides
        .filter(|&(w, h): &(u32, u32)| w > 0 && h > 0)
        .ok_or_else(|| "give a size such as 768x576".to_owned())
}

/// Runs the command; the JSON object is its result.
///
/// # Errors
/// When the clip, the truth or the models cannot be read, or the truth is not of this clip.
pub fn run(args: &TrackArgs) -> anyhow::Result<serde_json::Value> {
    let truth = Truth::load(&args.truth)?;
    let mut picture_size = (0, 0);
    let mut found: Vec<Vec<Labelled>> = Vec::new();
    // Truth is given frame by frame, so objects are looked for in every one, as with a camera's `every_frame = true`.
    let every_frame = FollowArgs {
        every_frame: true,
        ..args.follow.clone()
    };
    let followed = follow(&every_frame, Vec::new(), None, |at_s, size, tracks| {
        picture_size = size;
        let shown = Tracker::present(tracks, at_s).filter(|track| track.class == ObjectClass::Person);
        found.push(shown.map(|track| (track.id, track.bbox)).collect());
    })?;
    if truth.last_frame() > followed.frames {
        let (path, video) = (args.truth.clone(), args.follow.video.clone());
        return Err(TruthError::OtherClip {
            path,
            frame: truth.last_frame(),
            video,
            frames: followed.frames,
        }
        .into());
    }
    let score = match args.truth_size {
        Some(size) => score(&fitted(&truth, size, picture_size), &found),
        None => score_fitting(&truth, picture_size, &found).ok_or(TruthError::NoScale {
            path: args.truth.clone(),
        })?,
    };
    Ok(json!({
        "mota": round(score.mota, 1e4),
        "idf1": round(score.idf1, 1e4),
        "id_switches": score.id_switches,
        "fp": score.fp,
        "fn": score.fn_,
        "frames": score.frames,
    }))
}

fn score(truth: &Truth, found: &[Vec<Labelled>]) -> Score {
    let mut scorer = Scorer::default();
    for (n, boxes) in found.iter().enumerate() {
        scorer.frame(truth.frame(n as u64 + 1), boxes);
    }
    scorer.score()
}

/// Truth that does not fit the clip's picture was drawn on a larger one of the same shape: of the usual sizes that hold
/// its boxes, the one on which most boxes agree.
fn score_fitting(truth: &Truth, picture: (u32, u32), found: &[Vec<Labelled>]) -> Option<Score> {
    let extent = truth.extent();
    if holds(picture, extent) {
        return Some(score(truth, found));
    }
    let sizes = USUAL_WIDTHS
        .iter()
        .map(|&width| (width, (width * picture.1 + picture.0 / 2) / picture.0.max(1)));
    let tried = sizes
        .filter(|&size| holds(size, extent))
        .map(|size| (size, score(&fitted(truth, size, picture), found)));
    let (size, best) = tried.min_by_key(|(_, score)| score.fn_)?;
    eprintln!(
        "the truth's boxes do not fit the clip's {}x{}: taken as drawn on {}x{} (say --truth-size WxH if that is wrong)",
        picture.0, picture.1, size.0, size.1
    );
    Some(best)
}

/// Annotated boxes reach a little beyond the picture where somebody is cut off by its edge.
fn holds(size: (u32, u32), extent: (f32, f32)) -> bool {
    extent.0 <= size.0 as f32 * 1.02 && extent.1 <= size.1 as f32 * 1.02
}

fn fitted(truth: &Truth, from: (u32, u32), to: (u32, u32)) -> Truth {
    truth
        .clone()
        .scaled(to.0 as f32 / from.0 as f32, to.1 as f32 / from.1 as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_models::BBoxPx;

    #[test]
    fn truth_of_a_larger_picture_is_recognised() {
        let mut truth = Truth::default();
        let mut found = Vec::new();
        for n in 0..10_u64 {
            let x = n as f32 * 70.0;
            truth
                .frames
                .insert(n + 1, vec![(1, BBoxPx::new(x, 400.0, x + 40.0, 500.0))]);
            found.push(vec![(5, BBoxPx::new(x * 0.625, 250.0, (x + 40.0) * 0.625, 312.5))]);
        }
        let score = score_fitting(&truth, (480, 360), &found).unwrap();
        assert_eq!((score.fn_, score.fp, score.frames), (0, 0, 10));
        let own = score_fitting(&truth, (768, 576), &found).unwrap();
        assert_eq!(own.fn_, 10, "truth that fits is taken as it is");
        assert_eq!(score_fitting(&truth.scaled(100.0, 100.0), (480, 360), &found), None);
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(size("768x576"), Ok((768, 576)));
        for bad in ["", "768", "0x5", "ax5", "768x"] {
            assert!(size(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
