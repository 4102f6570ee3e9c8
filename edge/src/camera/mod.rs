//! What one camera does with a frame, from pixels to decisions. Invariant: everything here is pure in time: it knows
//! only the frame's own clock, so that a clip gives the same decisions however fast it is played.

mod faces;
mod minutes;
mod pictures;
mod plates;

use crate::config::CameraConfig;
use crate::count::{LineCounter, LineSpec};
use crate::decide::Decider;
use crate::follow::{Follower, Looked};
use crate::identify::{Gallery, PlateLists};
use crate::nets::Nets;
use crate::outbox::Draft;
use crate::source::Frame;
use crate::telemetry::CameraTelemetry;
use crate::track::{TrackState, TrackerConfig};
use faces::FaceStage;
use minutes::Minutes;
use plates::PlateStage;
use std::collections::BTreeMap;
use std::sync::Arc;
use vong_models::ModelError;
use vong_wire::{BootId, Crossing, Direction, LineId, UnixMs, View, ViewBox, ViewHeader, ViewLine};

/// Between two views for the operator's page, while something moves and while nothing does.
const VIEW_EVERY_MS: UnixMs = 1_000;
const STILL_VIEW_EVERY_MS: UnixMs = 5_000;
const STILL_AFTER_MS: f64 = 3_000.0;
/// A line shows for so long that it was crossed.
const FLASH_MS: UnixMs = 1_000;

/// The lists in force, prepared for searching.
#[derive(Debug, Default)]
pub struct Lists {
    /// Faces.
    pub gallery: Gallery,
    /// Plates.
    pub plates: PlateLists,
}

/// What a line has seen, for the page.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    entered: u64,
    left: u64,
    last: Option<(Direction, UnixMs)>,
}

/// What a camera knows beyond its open tracks, and keeps when its stages are opened anew: what was counted in the open
/// minute, whom was alerted of, what the page shows.
#[derive(Debug, Clone)]
pub struct Books {
    minutes: Minutes,
    decider: Decider,
    shown: BTreeMap<LineId, Shown>,
}

impl Books {
    /// Of a camera that has seen nothing in this start of the device.
    pub fn new(config: &CameraConfig, boot: BootId) -> Self {
        let lines = config.lines.iter().map(|line| line.id.clone());
        Self {
            decider: Decider::new(boot, config.id.clone()),
            minutes: Minutes::new(boot, config.id.clone(), lines.clone().collect()),
            shown: lines.map(|line| (line, Shown::default())).collect(),
        }
    }

    /// Totals to show from the start, as the outbox remembers them.
    pub fn show_totals(&mut self, line: &LineId, entered: u64, left: u64) {
        let last = None;
        self.shown.insert(line.clone(), Shown { entered, left, last });
    }
}

/// The stages of one camera.
pub struct CameraChain {
    config: CameraConfig,
    telemetry: Arc<CameraTelemetry>,
    books: Books,
    follower: Follower,
    counters: Vec<(LineId, LineCounter)>,
    picture_size: (u32, u32),
    faces: Option<FaceStage>,
    plates: Option<PlateStage>,
    last_frame: (UnixMs, f64),
    last_view_ms: Option<UnixMs>,
}

fn follower(config: &CameraConfig) -> Follower {
    let lines = config.lines.iter().map(|line| line.points).collect();
    Follower::new(TrackerConfig::default(), config.look_px, config.every_frame).with_lines(lines)
}

impl CameraChain {
    /// The stages that a camera's configuration asks for; they go on with what the books hold.
    pub fn new(config: CameraConfig, books: Books, telemetry: Arc<CameraTelemetry>) -> Self {
        let faces = config.faces.clone().map(FaceStage::new);
        let plates = config.plates.clone().map(PlateStage::new);
        Self {
            books,
            telemetry,
            follower: follower(&config),
            counters: Vec::new(),
            picture_size: (0, 0),
            faces,
            plates,
            last_frame: (0, 0.0),
            last_view_ms: None,
            config,
        }
    }

    /// Writes down how the books stand after a frame from which these drafts followed; without any, nothing but the open
    /// minute has changed.
    pub fn keep_books(&self, kept: &mut Books, drafts: &[Draft]) {
        match drafts.is_empty() {
            true => kept.minutes.copy(&self.books.minutes),
            false => kept.clone_from(&self.books),
        }
    }

    /// Works on one frame; what is decided goes to `drafts`, and must be in the outbox before anything acts on it.
    ///
    /// # Errors
    /// When a model fails. What was decided before that stands in `drafts` all the same.
    pub fn frame(
        &mut self,
        frame: &mut Frame,
        nets: &mut Nets,
        lists: &Lists,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), ModelError> {
        drafts.extend(self.books.minutes.frame(frame.at_ms));
        self.fit_to(frame, drafts);
        self.last_frame = (frame.at_ms, frame.at_s);
        if let Some(objects) = nets.objects.as_mut().filter(|_| self.needs_objects()) {
            let telemetry = &self.telemetry;
            let looked = self
                .follower
                .step(frame, objects, &mut |stage, work| telemetry.timed(stage, work))?;
            match looked {
                Looked::Detected => {}
                Looked::Still => telemetry.count("frames_still", 1),
                Looked::Paced => telemetry.count("frames_paced", 1),
            }
            self.count(frame, drafts);
            if let (Some(faces), Some((detector, embedder))) = (&mut self.faces, &mut nets.faces)
                && looked == Looked::Detected
            {
                let seen = faces.frame(
                    frame,
                    self.follower.tracks(),
                    (detector, embedder),
                    &lists.gallery,
                    &self.telemetry,
                )?;
                for (recognition, severity, bbox) in seen {
                    let picture = || pictures::evidence(&frame.image, &bbox);
                    drafts.extend(
                        self.books
                            .decider
                            .recognition(frame.at_ms, recognition, severity, picture),
                    );
                }
            }
        }
        if let (Some(plates), Some(reader)) = (&mut self.plates, &mut nets.plates) {
            let read = plates.frame(frame, self.follower.tracks(), reader, &self.telemetry)?;
            for seen in read {
                let hits = lists.plates.hits(&seen.plate.plate, &seen.others, seen.plate.colour);
                drafts.extend(self.books.decider.plate(seen.at_ms, seen.plate, hits, || seen.picture));
            }
        }
        Ok(())
    }

    /// So many frames before the next one were given up on purpose.
    pub fn shed(&mut self, frames: u32) {
        self.books.minutes.shed(frames);
    }

    /// The camera has ended or begins anew: what is open is finished.
    pub fn finish(&mut self, lists: &Lists) -> Vec<Draft> {
        let mut drafts = Vec::new();
        self.finish_counting(&mut drafts);
        self.follower = follower(&self.config);
        if let Some(faces) = &mut self.faces {
            faces.forget();
        }
        if let Some(plates) = &mut self.plates {
            for seen in plates.finish(self.last_frame.0) {
                let hits = lists.plates.hits(&seen.plate.plate, &seen.others, seen.plate.colour);
                drafts.extend(self.books.decider.plate(seen.at_ms, seen.plate, hits, || seen.picture));
            }
        }
        drafts.extend(self.books.minutes.finish());
        drafts
    }

    fn needs_objects(&self) -> bool {
        let in_vehicles = self
            .config
            .plates
            .as_ref()
            .is_some_and(|plates| plates.region.is_none());
        !self.config.lines.is_empty() || self.faces.is_some() || in_vehicles
    }

    /// Counters work in pixels: a picture of another size begins them anew.
    fn fit_to(&mut self, frame: &Frame, drafts: &mut Vec<Draft>) {
        let size = frame.size();
        if size == self.picture_size {
            return;
        }
        self.finish_counting(drafts);
        self.picture_size = size;
        let counter = |line: &crate::config::LineConfig| {
            let spec = LineSpec {
                points: line.points,
                class: line.class,
            };
            (line.id.clone(), LineCounter::new(&spec, size.0, size.1))
        };
        self.counters = self.config.lines.iter().map(counter).collect();
    }

    fn count(&mut self, frame: &Frame, drafts: &mut Vec<Draft>) {
        let mut crossings = Vec::new();
        for (line, counter) in &mut self.counters {
            let passages = counter.update(frame.at_s, self.follower.tracks());
            crossings.extend(passages.iter().map(|passage| (line.clone(), *passage)));
        }
        self.cross(crossings, drafts);
    }

    fn finish_counting(&mut self, drafts: &mut Vec<Draft>) {
        let mut crossings = Vec::new();
        for (line, counter) in &mut self.counters {
            crossings.extend(counter.finish().iter().map(|passage| (line.clone(), *passage)));
        }
        self.cross(crossings, drafts);
    }

    fn cross(&mut self, crossings: Vec<(LineId, crate::count::Passage)>, drafts: &mut Vec<Draft>) {
        for (line, passage) in crossings {
            let (frame_ms, frame_s) = self.last_frame;
            let at_ms = frame_ms - ((frame_s - passage.at_s).max(0.0) * 1e3) as UnixMs;
            let shown = self.books.shown.entry(line.clone()).or_default();
            match passage.direction {
                Direction::In => shown.entered += 1,
                Direction::Out => shown.left += 1,
            }
            shown.last = Some((passage.direction, frame_ms));
            self.books.minutes.crossed(&line, &passage);
            let crossing = Crossing {
                line,
                direction: passage.direction,
                class: passage.class,
                track: passage.track,
            };
            drafts.push(self.books.decider.crossing(at_ms, crossing));
        }
    }

    /// A picture for the operator's page, where the last one is old enough.
    pub fn view(&mut self, frame: &mut Frame) -> Option<View> {
        let moved_ms = (frame.at_s - self.follower.moved_s()) * 1e3;
        let every_ms = if moved_ms < STILL_AFTER_MS {
            VIEW_EVERY_MS
        } else {
            STILL_VIEW_EVERY_MS
        };
        let due = self
            .last_view_ms
            .is_none_or(|last| !(0..every_ms).contains(&(frame.at_ms - last)));
        if !due {
            return None;
        }
        self.last_view_ms = Some(frame.at_ms);
        frame.develop();
        let jpeg = self.telemetry.timed("view", || pictures::view(&frame.image))?;
        let (width, height) = (frame.image.width() as f32, frame.image.height() as f32);
        let share = |b: &vong_models::BBoxPx| {
            let clipped = b.clipped(width, height);
            [
                clipped.x1 / width,
                clipped.y1 / height,
                clipped.x2 / width,
                clipped.y2 / height,
            ]
        };
        let tracks = self
            .follower
            .tracks()
            .iter()
            .filter(|track| track.confirmed && track.state == TrackState::Seen);
        let mut boxes: Vec<ViewBox> = tracks
            .map(|track| ViewBox {
                bbox: share(&track.bbox),
                class: track.class,
                track: track.id,
                alert: self.faces.as_ref().is_some_and(|faces| faces.is_hit(track.id)),
                label: None,
            })
            .collect();
        if let Some(plates) = &self.plates {
            boxes.extend(plates.boxes(frame.at_ms).map(|(bbox, passage, plate)| ViewBox {
                bbox: share(bbox),
                class: vong_wire::ObjectClass::Car,
                track: passage,
                alert: false,
                label: Some(plate.to_string()),
            }));
        }
        let line = |line: &crate::config::LineConfig| {
            let shown = self.books.shown.get(&line.id).copied().unwrap_or_default();
            let flash = shown
                .last
                .filter(|(_, at_ms)| frame.at_ms - at_ms < FLASH_MS)
                .map(|(direction, _)| direction);
            let (total_in, total_out) = (shown.entered, shown.left);
            ViewLine {
                line: line.id.clone(),
                points: line.points,
                total_in,
                total_out,
                flash,
            }
        };
        let lines = self.config.lines.iter().map(line).collect();
        Some(View {
            header: ViewHeader {
                camera: self.config.id.clone(),
                at_ms: frame.at_ms,
                boxes,
                lines,
            },
            jpeg,
        })
    }
}

#[cfg(test)]
mod tests;
