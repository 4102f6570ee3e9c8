//! Faces of a camera's persons. A face is looked for only inside a person who is near enough and lacks good shots, and
//! embedded only when the shot improves the track. What belongs to a track ends with it: unknown faces are not kept.

use crate::config::FacesConfig;
use crate::identify::{Gallery, IdentityVote};
use crate::recognise::{BestShots, assess};
use crate::source::Frame;
use crate::telemetry::CameraTelemetry;
use crate::track::{Track, TrackState};
use std::collections::HashMap;
use vong_models::face::{Face, FaceDetector, FaceEmbedder};
use vong_models::picture::Region;
use vong_models::{BBoxPx, ModelError};
use vong_wire::{ObjectClass, Recognition, Severity};

/// Between two looks at a track that lacks shots, and at one that has enough.
const LOOK_EVERY_S: f64 = 0.15;
const LOOK_AGAIN_EVERY_S: f64 = 1.0;
/// Looks a frame at most; the largest persons first, who are the nearest.
const LOOKS_A_FRAME: usize = 2;
/// The head is in this upper share of a person's box.
const UPPER: f32 = 0.6;
/// Longer side of what the face detector sees, px.
const SEEN_PX: usize = 320;
const LEAST_SCORE: f32 = 0.5;

/// Who was recognised, how urgent that is, and where the face is.
pub(super) type Recognised = (Recognition, Severity, BBoxPx);

#[derive(Debug, Default)]
struct Seen {
    shots: BestShots,
    vote: IdentityVote,
    last_look_s: Option<f64>,
}

/// The faces of one camera's tracks.
#[derive(Debug)]
pub(super) struct FaceStage {
    config: FacesConfig,
    tracks: HashMap<u64, Seen>,
    found: Vec<Face>,
}

impl FaceStage {
    pub(super) fn new(config: FacesConfig) -> Self {
        Self {
            config,
            tracks: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Whether a track has hit a list.
    pub(super) fn is_hit(&self, track: u64) -> bool {
        self.tracks.get(&track).is_some_and(|seen| seen.vote.is_hit())
    }

    /// All tracks have ended.
    pub(super) fn forget(&mut self) {
        self.tracks.clear();
    }

    /// Looks where it is worth it and says who is newly recognised.
    pub(super) fn frame(
        &mut self,
        frame: &Frame,
        tracks: &[Track],
        nets: (&mut FaceDetector, &mut FaceEmbedder),
        gallery: &Gallery,
        telemetry: &CameraTelemetry,
    ) -> Result<Vec<Recognised>, ModelError> {
        self.tracks.retain(|id, _| tracks.iter().any(|track| track.id == *id));
        let mut due: Vec<&Track> = tracks.iter().filter(|track| self.is_due(track, frame.at_s)).collect();
        due.sort_by(|a, b| b.bbox.area().total_cmp(&a.bbox.area()));
        telemetry.count("face_looks_put_off", due.len().saturating_sub(LOOKS_A_FRAME) as u64);
        due.truncate(LOOKS_A_FRAME);
        let mut recognised = Vec::new();
        let (detector, embedder) = nets;
        for track in due {
            recognised.extend(self.look(frame, track, (detector, embedder), gallery, telemetry)?);
        }
        Ok(recognised)
    }

    fn is_due(&self, track: &Track, at_s: f64) -> bool {
        if track.class != ObjectClass::Person
            || track.state != TrackState::Seen
            || track.bbox.height() < self.config.min_person_px
        {
            return false;
        }
        let Some(seen) = self.tracks.get(&track.id) else {
            return true;
        };
        let every = if seen.shots.is_full() {
            LOOK_AGAIN_EVERY_S
        } else {
            LOOK_EVERY_S
        };
        seen.last_look_s.is_none_or(|last| at_s - last >= every)
    }

    fn look(
        &mut self,
        frame: &Frame,
        track: &Track,
        nets: (&mut FaceDetector, &mut FaceEmbedder),
        gallery: &Gallery,
        telemetry: &CameraTelemetry,
    ) -> Result<Vec<Recognised>, ModelError> {
        let (detector, embedder) = nets;
        let seen = self.tracks.entry(track.id).or_default();
        seen.last_look_s = Some(frame.at_s);
        let person = track.bbox;
        let (margin, upper) = (person.width() * 0.1, person.height() * UPPER);
        let head = BBoxPx::new(
            person.x1 - margin,
            person.y1 - margin,
            person.x2 + margin,
            person.y1 + upper,
        );
        let Some(region) = Region::within(&frame.image, &head) else {
            return Ok(Vec::new());
        };
        telemetry.timed("find_faces", || {
            detector.detect_in(&frame.image, region, SEEN_PX, LEAST_SCORE, &mut self.found)
        })?;
        let Some(face) = self.found.iter().find(|face| person.contains(face.bbox.centre())) else {
            telemetry.count("face_not_found", 1);
            return Ok(Vec::new());
        };
        let quality = match assess(&frame.image, face) {
            Ok(quality) => quality,
            Err(refusal) => {
                telemetry.count(refusal.counter(), 1);
                return Ok(Vec::new());
            }
        };
        if !seen.shots.wants(quality) {
            telemetry.count("shot_no_better", 1);
            return Ok(Vec::new());
        }
        let points = telemetry.timed("find_points", || detector.points(&frame.image, face))?;
        let embedding = telemetry.timed("embed", || embedder.embed(&frame.image, &points))?;
        let Some(embedding) = embedding else {
            return Ok(Vec::new());
        };
        seen.shots.add(quality, embedding);
        let believed = telemetry.timed("search", || seen.vote.decide(&seen.shots, gallery));
        let bbox = face.bbox;
        let told = believed.into_iter().map(|(best, shots)| {
            let recognition = Recognition {
                track: track.id,
                list: best.list,
                entry: best.entry,
                bundle_version: gallery.version(),
                similarity: best.similarity,
                threshold: best.threshold,
                shots,
            };
            (recognition, best.severity, bbox)
        });
        Ok(told.collect())
    }
}
