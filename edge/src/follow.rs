//! Following what moves: motion gate, detector, tracker. Used by the gate and by what measures it. Invariant: tracks are
//! always those of the newest frame; a frame without detection only carries them on.

use crate::motion::MotionGate;
use crate::pace::Pace;
use crate::source::Frame;
use crate::track::{Track, Tracker, TrackerConfig};
use vong_models::detect::ObjectDetector;
use vong_models::{Detection, ModelError};

/// Room from the start, so that it need not grow in the middle of a rush.
const USUAL_DETECTIONS: usize = 256;

/// What following a frame took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Objects were looked for.
    Detected,
    /// Nothing moved; the tracks were carried on.
    Still,
    /// Something moved, but the last look was a moment ago; the tracks were carried on.
    Paced,
}

/// Follows the objects of one camera.
#[derive(Debug)]
pub struct Follower {
    gate: MotionGate,
    /// Detect on every frame, whatever moves.
    every_frame: bool,
    tracker: Tracker,
    least_score: f32,
    /// Longest side of what the detector looks at, px; the model's own where not said.
    look_px: Option<u32>,
    detections: Vec<Detection>,
    pace: Pace,
}

/// The detector's size that [`TrackerConfig::small_side`] was found with, px.
const USUAL_SIDE: f32 = 416.0;

impl Follower {
    /// A follower that has objects looked for in pictures with this longest side, px, or the model's own; `every_frame`
    /// switches the motion gate off.
    pub fn new(mut config: TrackerConfig, look_px: Option<u32>, every_frame: bool) -> Self {
        if let Some(look_px) = look_px {
            // What is small is so in what the detector sees.
            config.small_side *= USUAL_SIDE / look_px as f32;
        }
        Self {
            look_px,
            gate: MotionGate::default(),
            every_frame,
            least_score: config.least_score,
            tracker: Tracker::new(config),
            detections: Vec::with_capacity(USUAL_DETECTIONS),
            pace: Pace::default(),
        }
    }

    /// Looks more often while somebody is near one of these lines, in shares of the picture.
    pub fn with_lines(mut self, lines: Vec<[f32; 4]>) -> Self {
        self.pace = Pace::new(lines);
        self
    }

    /// Takes in a frame. `timed` runs the stages `motion`, `develop`, `detect` and `track` and may note their times.
    ///
    /// # Errors
    /// When the detector fails; the tracks then stay as they were.
    pub fn step(
        &mut self,
        frame: &mut Frame,
        detector: &mut ObjectDetector,
        timed: &mut dyn FnMut(&'static str, &mut dyn FnMut()),
    ) -> Result<Looked, ModelError> {
        let mut moves = true;
        if !self.every_frame {
            timed("motion", &mut || moves = self.gate.look(frame.grey()));
        }
        let is_due = self.pace.is_due(frame.at_s, frame.size(), moves, self.tracker.tracks());
        if !self.every_frame && !is_due {
            let since_s = self.pace.rested_since(frame.at_s);
            timed("track", &mut || {
                match since_s {
                    Some(since_s) => self.tracker.hold(since_s, frame.at_s),
                    None => self.tracker.coast(frame.at_s),
                };
            });
            return Ok(if moves { Looked::Paced } else { Looked::Still });
        }
        let within = detector.look(self.look_px)?;
        timed("develop", &mut || frame.develop());
        let mut detected = Ok(());
        timed("detect", &mut || {
            detected = detector.detect_within(&frame.image, within, self.least_score, &mut self.detections)
        });
        detected?;
        self.pace.looked(frame.at_s);
        timed("track", &mut || {
            self.tracker.step_with(frame.at_s, &frame.image, &self.detections);
        });
        Ok(Looked::Detected)
    }

    /// When something last moved, s.
    pub fn moved_s(&self) -> f64 {
        self.pace.moved_s()
    }

    /// The tracks of the newest frame.
    pub fn tracks(&self) -> &[Track] {
        self.tracker.tracks()
    }
}

/// Runs a stage without noting its time.
pub fn untimed(_stage: &'static str, work: &mut dyn FnMut()) {
    work();
}
