//! Following what moves: motion gate, detector, tracker. Used by the gate and by what measures it. Invariant: tracks are
//! always those of the newest frame; a frame without detection only carries them on.

use crate::motion::MotionGate;
use crate::source::Frame;
use crate::track::{Track, Tracker, TrackerConfig};
use vong_models::detect::ObjectDetector;
use vong_models::{Detection, ModelError};

/// While nothing moves, objects are looked for this often, s: a person who stands stays a track.
const STILL_EVERY_S: f64 = 0.4;

/// What following a frame took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Objects were looked for.
    Detected,
    /// Nothing moved; the tracks were carried on.
    Still,
}

/// Follows the objects of one camera.
#[derive(Debug)]
pub struct Follower {
    gate: MotionGate,
    /// Detect on every frame, whatever moves.
    every_frame: bool,
    tracker: Tracker,
    least_score: f32,
    detections: Vec<Detection>,
    last_detected_s: Option<f64>,
}

impl Follower {
    /// A follower; `every_frame` switches the motion gate off.
    pub fn new(config: TrackerConfig, every_frame: bool) -> Self {
        Self {
            gate: MotionGate::default(),
            every_frame,
            least_score: config.least_score,
            tracker: Tracker::new(config),
            detections: Vec::new(),
            last_detected_s: None,
        }
    }

    /// Takes in a frame. `timed` runs the stages `motion`, `detect` and `track` and may note their times.
    ///
    /// # Errors
    /// When the detector fails; the tracks then stay as they were.
    pub fn step(
        &mut self,
        frame: &Frame,
        detector: &mut ObjectDetector,
        timed: &mut dyn FnMut(&'static str, &mut dyn FnMut()),
    ) -> Result<Looked, ModelError> {
        let mut moves = true;
        if !self.every_frame {
            timed("motion", &mut || moves = self.gate.look(&frame.image));
        }
        let rested = |last: f64| frame.at_s - last >= STILL_EVERY_S - 1e-6;
        if !moves && !self.last_detected_s.is_none_or(rested) {
            timed("track", &mut || {
                self.tracker.coast(frame.at_s);
            });
            return Ok(Looked::Still);
        }
        let mut detected = Ok(());
        timed("detect", &mut || {
            detected = detector.detect(&frame.image, self.least_score, &mut self.detections)
        });
        detected?;
        self.last_detected_s = Some(frame.at_s);
        timed("track", &mut || {
            self.tracker.step_with(frame.at_s, &frame.image, &self.detections);
        });
        Ok(Looked::Detected)
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
