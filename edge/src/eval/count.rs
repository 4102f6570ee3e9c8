//! `eval count`: crossings of one line in one clip, by the gate's own stages. Invariant: the printed counts are over
//! exactly the printed frames.

use super::follow::{FollowArgs, follow};
use crate::config::{CountedClass, Region};
use crate::count::{LineCounter, LineSpec, Passage};
use clap::{Args, ValueEnum};
use serde_json::json;
use vong_wire::Direction;

/// What `eval count` takes.
#[derive(Debug, Args)]
pub struct CountArgs {
    /// The clip and the detector.
    #[command(flatten)]
    pub follow: FollowArgs,
    /// x1,y1,x2,y2 in shares of the picture, y down. "In" is from the side where (p2-p1) x (p-p1) is negative.
    #[arg(long, value_parser = line, allow_hyphen_values = true)]
    pub line: Line,
    /// Look at this part of the picture only, in full detail: left,top,right,bottom in its shares.
    #[arg(long, value_parser = region)]
    pub region: Option<Region>,
    /// What is counted.
    #[arg(long, value_enum, default_value_t = Class::Person)]
    pub class: Class,
    /// Say on standard error when each crossing was.
    #[arg(long)]
    pub detail: bool,
}

/// A line as given on the command line.
pub type Line = [f32; 4];

/// What may be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// Persons.
    Person,
    /// Vehicles of any kind.
    Vehicle,
}

impl From<Class> for CountedClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Person => Self::Person,
            Class::Vehicle => Self::Vehicle,
        }
    }
}

/// Reads a line.
pub(crate) fn line(text: &str) -> Result<Line, String> {
    let points: Line = four(text, "x1,y1,x2,y2")?;
    if !points.iter().all(|value| (0.0..=1.0).contains(value)) {
        return Err("the four numbers x1,y1,x2,y2 must lie between 0 and 1".to_owned());
    }
    if points[..2] == points[2..] {
        return Err("both ends are the same point; give two".to_owned());
    }
    Ok(points)
}

/// Reads a region.
fn region(text: &str) -> Result<Region, String> {
    Ok(Region::try_from(four(text, "left,top,right,bottom")?)?)
}

fn four(text: &str, names: &str) -> Result<[f32; 4], String> {
    let form = || format!("give four numbers from 0 to 1: {names}");
    let values: Result<Vec<f32>, _> = text.split(',').map(|value| value.trim().parse()).collect();
    values.map_err(|_| form())?.try_into().map_err(|_| form())
}

/// Runs the command; the JSON object is its result.
///
/// # Errors
/// When the clip or the models cannot be read.
pub fn run(args: &CountArgs) -> anyhow::Result<serde_json::Value> {
    let points = args.region.map_or(args.line, |region| region.line(&args.line));
    let spec = LineSpec {
        points,
        class: args.class.into(),
    };
    let mut counter: Option<LineCounter> = None;
    let mut counts = Counts {
        detail: args.detail,
        ..Counts::default()
    };
    let followed = follow(&args.follow, vec![points], args.region, |at_s, size, tracks| {
        let counter = counter.get_or_insert_with(|| LineCounter::new(&spec, size.0, size.1));
        counts.add(counter.update(at_s, tracks));
    })?;
    if let Some(counter) = &mut counter {
        counts.add(counter.finish());
    }
    let frames = followed.frames.max(1) as f64;
    Ok(json!({
        "in": counts.entered,
        "out": counts.left,
        "frames": followed.frames,
        "wall_s": round(followed.wall_s, 100.0),
        "fps": round(frames / followed.wall_s.max(1e-9), 100.0),
        "cpu_ms_per_frame": round(followed.spent.cpu_s * 1e3 / frames, 100.0),
        "rss_mib": followed.spent.rss_mib,
    }))
}

#[derive(Debug, Default)]
struct Counts {
    entered: u32,
    left: u32,
    detail: bool,
}

impl Counts {
    fn add(&mut self, passages: &[Passage]) {
        for passage in passages {
            match passage.direction {
                Direction::In => self.entered += 1,
                Direction::Out => self.left += 1,
            }
            if self.detail {
                let way = if passage.direction == Direction::In {
                    "in"
                } else {
                    "out"
                };
                eprintln!(
                    "{:8.2} s  {way:3}  track {}  confidence {:.2}",
                    passage.at_s, passage.track, passage.confidence
                );
            }
        }
    }
}

/// Rounds to 1/`parts`.
pub(crate) fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_checked() {
        assert_eq!(line("0,0.5, 1,0.5"), Ok([0.0, 0.5, 1.0, 0.5]));
        for bad in [
            "",
            "0,0.5,1",
            "0,0.5,1,0.5,1",
            "0,x,1,0.5",
            "0,0.5,1,1.5",
            "-0.1,0,1,1",
            "nan,0,1,1",
            "0.5,0.5,0.5,0.5",
        ] {
            assert!(line(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
