//! One track's way past one line. Invariant: between two passages of a track it was clearly on a side.

use super::line::{Line, count_point};
use crate::track::Track;
use vong_models::PointPx;
use vong_wire::{Direction, ObjectClass};

/// Beyond so many half bands a thing is on the other side at once ...
const FAR_BANDS: f32 = 2.0;
/// ... nearer only once it has stayed there, s: who stops on the line sways, and a filter overshoots when he stops.
const STAY_S: f64 = 0.5;

/// A whole passage over a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Passage {
    /// The way.
    pub direction: Direction,
    /// The track.
    pub track: u64,
    /// What passed.
    pub class: ObjectClass,
    /// When it went over the line, s, in the time of the steps.
    pub at_s: f64,
    /// How sure this passage is, 0 to 1.
    pub confidence: f32,
}

/// A sighting in the line's own terms.
#[derive(Debug, Clone, Copy)]
struct Place {
    at_s: f64,
    /// Signed distance from the line, px.
    distance: f32,
    point: PointPx,
}

/// Going over the line: where and when.
#[derive(Debug, Clone, Copy)]
struct Step {
    at_s: f64,
    /// Within the ends of the line.
    inside: bool,
    /// Seconds between the two sightings around it.
    gap_s: f64,
}

/// What is remembered of a track.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) round: u64,
    pub(super) confirmed: bool,
    pub(super) class: ObjectClass,
    track: u64,
    last: Option<Place>,
    first: Option<Place>,
    /// The side on which it last clearly was: 1, -1, or 0 for none yet.
    side: i8,
    /// Since when it has been beyond the band on the other side, but not far.
    beyond_since_s: Option<f64>,
    /// The last time it stepped over the line, since it was clearly on a side.
    step: Option<Step>,
    done: Option<Passage>,
}

impl Walk {
    pub(super) fn new(track: &Track) -> Self {
        Self {
            round: 0,
            confirmed: false,
            class: track.class,
            track: track.id,
            last: None,
            first: None,
            side: 0,
            beyond_since_s: None,
            step: None,
            done: None,
        }
    }

    pub(super) fn sighted(&mut self, at_s: f64, track: &Track, line: &Line) {
        let point = count_point(&track.bbox);
        let place = Place {
            at_s,
            distance: line.distance(point),
            point,
        };
        if let Some(before) = self.last {
            if (before.distance < 0.0) != (place.distance < 0.0) {
                self.step = Some(step_over(&before, &place, line));
            }
        } else {
            self.first = Some(place);
        }
        self.last = Some(place);
        if place.distance.abs() <= line.band {
            self.beyond_since_s = None;
            return;
        }
        let side = place.distance.signum() as i8;
        if self.side == 0 {
            self.side = -side;
            let began = self.first.is_some_and(|first| first.distance.signum() as i8 == side);
            if began {
                self.side = side;
            }
        }
        if side != self.side {
            let since_s = *self.beyond_since_s.get_or_insert(at_s);
            if place.distance.abs() < line.band * FAR_BANDS && at_s - since_s < STAY_S {
                return;
            }
            if let Some(step) = self.step.filter(|step| step.inside) {
                self.done = Some(self.passage(side, &step));
            }
            self.side = side;
        }
        self.beyond_since_s = None;
        self.step = None;
    }

    pub(super) fn take_done(&mut self) -> Option<Passage> {
        self.done.take()
    }

    /// The track is no more: a passage that was under way counts if the track was last seen beyond the line.
    pub(super) fn ended(&mut self, line: &Line) -> Option<Passage> {
        if self.done.is_some() {
            return self.take_done();
        }
        let (last, step) = (self.last?, self.step?);
        let side = last.distance.signum() as i8;
        let beyond = self.side != 0 && side != self.side && last.distance.abs() > line.band * 0.3;
        (beyond && step.inside).then(|| Passage {
            confidence: 0.6,
            ..self.passage(side, &step)
        })
    }

    fn passage(&self, side: i8, step: &Step) -> Passage {
        Passage {
            direction: if side > 0 { Direction::In } else { Direction::Out },
            track: self.track,
            class: self.class,
            at_s: step.at_s,
            confidence: (1.0 - 0.15 * step.gap_s as f32).clamp(0.5, 0.98),
        }
    }
}

/// Where a straight walk between two sightings meets the line.
fn step_over(before: &Place, after: &Place, line: &Line) -> Step {
    let share = before.distance.abs() / (before.distance.abs() + after.distance.abs()).max(f32::MIN_POSITIVE);
    let point = PointPx {
        x: before.point.x + share * (after.point.x - before.point.x),
        y: before.point.y + share * (after.point.y - before.point.y),
    };
    let gap_s = after.at_s - before.at_s;
    Step {
        at_s: before.at_s + f64::from(share) * gap_s,
        inside: (0.0..=1.0).contains(&line.share(point)),
        gap_s,
    }
}
