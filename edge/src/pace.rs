//! When to look for objects again. Invariant: the answer depends on the frames' own clock and on what is followed, never
//! on how busy the machine is; there is a longest pause, so that nothing still is missed for good.

use crate::track::{Track, TrackState};
use vong_models::PointPx;

/// While something moves, s: between two looks a walker goes half a pace, and the tracker knows where.
const MOVING_EVERY_S: f64 = 0.3;
/// While something has been seen that is not yet believed, s: soon enough for its second sighting.
const NEW_EVERY_S: f64 = 0.2;
/// While somebody is near a line, s: who crosses is seen on both sides.
const NEAR_EVERY_S: f64 = 0.12;
/// Near is this share of one's height, and what one walks in this time, s.
const NEAR_HEIGHTS: f32 = 0.35;
const NEAR_WALK_S: f32 = 0.3;
/// While nothing moves, s: a person who stands stays a track.
const STILL_EVERY_S: f64 = 0.6;
/// The same once nothing has moved for `RESTED_AFTER_S`: who was seen since then cannot have gone.
const RESTED_EVERY_S: f64 = 15.0;
const RESTED_AFTER_S: f64 = 3.0;
/// Frames come at whole multiples of their own period.
const SLACK_S: f64 = 0.01;

/// The pace of one camera.
#[derive(Debug, Default)]
pub struct Pace {
    lines: Vec<[f32; 4]>,
    looked_s: Option<f64>,
    moved_s: f64,
}

impl Pace {
    /// The pace of a camera with these lines, in shares of the picture.
    pub fn new(lines: Vec<[f32; 4]>) -> Self {
        Self {
            lines,
            ..Self::default()
        }
    }

    /// Whether objects are to be looked for in the frame of this time and size; `moves` is what the motion gate says.
    pub fn is_due(&mut self, at_s: f64, size: (u32, u32), moves: bool, tracks: &[Track]) -> bool {
        if moves {
            self.moved_s = at_s;
        }
        let Some(looked_s) = self.looked_s else {
            return true;
        };
        at_s - looked_s >= self.every_s(at_s, size, moves, tracks) - SLACK_S
    }

    fn every_s(&self, at_s: f64, size: (u32, u32), moves: bool, tracks: &[Track]) -> f64 {
        let near = |track: &Track| self.lines.iter().any(|line| is_near(line, size, track));
        match (moves, self.rested_since(at_s)) {
            (true, _) if tracks.iter().any(near) => NEAR_EVERY_S,
            (true, _) if tracks.iter().any(|track| track.state == TrackState::New) => NEW_EVERY_S,
            (true, _) => MOVING_EVERY_S,
            (false, None) => STILL_EVERY_S,
            (false, Some(_)) => RESTED_EVERY_S,
        }
    }

    /// Since when nothing has moved, s, if that is long enough ago to call the scene at rest.
    pub fn rested_since(&self, at_s: f64) -> Option<f64> {
        (at_s - self.moved_s >= RESTED_AFTER_S).then_some(self.moved_s)
    }

    /// When something last moved, s.
    pub fn moved_s(&self) -> f64 {
        self.moved_s
    }

    /// Objects were looked for in the frame of this time.
    pub fn looked(&mut self, at_s: f64) {
        self.looked_s = Some(at_s);
    }
}

/// Whether a track is about to reach a line, or just has.
fn is_near(line: &[f32; 4], size: (u32, u32), track: &Track) -> bool {
    let speed = track.velocity[0].hypot(track.velocity[1]);
    away(line, size, track.bbox.centre()) < NEAR_HEIGHTS * track.bbox.height() + NEAR_WALK_S * speed
}

/// How far a point of a picture of this size is from a line in shares of it, px.
pub(crate) fn away(line: &[f32; 4], size: (u32, u32), point: PointPx) -> f32 {
    let (width, height) = (size.0 as f32, size.1 as f32);
    let (from, to) = ((line[0] * width, line[1] * height), (line[2] * width, line[3] * height));
    let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
    let length = (along_x * along_x + along_y * along_y).max(1e-3);
    let share = (((point.x - from.0) * along_x + (point.y - from.1) * along_y) / length).clamp(0.0, 1.0);
    (point.x - from.0 - share * along_x).hypot(point.y - from.1 - share * along_y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::{Tracker, TrackerConfig};
    use vong_models::{BBoxPx, Detection};
    use vong_wire::ObjectClass;

    /// Looks in ten seconds at ten frames a second, with a walker at `x` of 640 who is believed.
    fn looks(pace: &mut Pace, moves: bool, x: Option<f32>) -> usize {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut looks = 0;
        for frame in 0..100 {
            let at_s = f64::from(frame) * 0.1;
            let seen = x.map(|x| Detection {
                bbox: BBoxPx::new(x, 100.0, x + 30.0, 180.0),
                score: 0.95,
                class: ObjectClass::Person,
            });
            let tracks = tracker.step(at_s, seen.as_slice());
            if pace.is_due(at_s, (640, 480), moves && frame > 0, tracks) {
                pace.looked(at_s);
                looks += 1;
            }
        }
        looks
    }

    #[test]
    fn a_scene_is_looked_at_as_often_as_it_asks_for() {
        let line = || Pace::new(vec![[0.5, 0.0, 0.5, 1.0]]);
        let (near, far) = (
            looks(&mut line(), true, Some(310.0)),
            looks(&mut line(), true, Some(40.0)),
        );
        let (standing, empty) = (looks(&mut line(), false, Some(40.0)), looks(&mut line(), false, None));
        assert!(
            near > far && far > standing && standing >= empty && empty >= 5,
            "{near} {far} {standing} {empty}"
        );
        assert!(near <= 51, "{near}");
    }
}
