//! Plates of a camera: where they are read, how often, and the vote over a passage.

use super::pictures;
use crate::config::PlatesConfig;
use crate::lane::{Lane, Reading, Verdict};
use crate::source::Frame;
use crate::telemetry::CameraTelemetry;
use crate::track::{Track, TrackState};
use vong_models::plate::{PlateReader, PlateReading};
use vong_models::{BBoxPx, ModelError};
use vong_wire::{PlateSeen, UnixMs};

/// While every vehicle's vote is settled, so much more seldom is read.
const SETTLED_FACTOR: f64 = 2.0;
/// A box is shown so long after its reading.
const SHOWN_MS: UnixMs = 800;

/// What belongs to a reading besides its text.
#[derive(Debug, Clone)]
struct Detail {
    reading: PlateReading,
    picture: Option<Vec<u8>>,
}

/// A plate that was decided, with its picture.
#[derive(Debug)]
pub(super) struct Decided {
    /// When it was read best.
    pub at_ms: UnixMs,
    /// The plate.
    pub plate: PlateSeen,
    /// What else it may be, with probabilities: other readings of the passage, and second thoughts of the best one.
    pub others: Vec<(String, f32)>,
    /// The plate with what is around it, JPEG.
    pub picture: Option<Vec<u8>>,
}

/// The plates of one camera.
pub(super) struct PlateStage {
    config: PlatesConfig,
    lane: Lane<Detail>,
    last_read_s: Option<f64>,
    found: Vec<PlateReading>,
    shown: Vec<(BBoxPx, String)>,
    shown_ms: UnixMs,
}

impl PlateStage {
    pub(super) fn new(config: PlatesConfig) -> Self {
        Self {
            config,
            lane: Lane::default(),
            last_read_s: None,
            found: Vec::new(),
            shown: Vec::new(),
            shown_ms: 0,
        }
    }

    /// Boxes of the last readings, with their texts.
    pub(super) fn boxes(&self, at_ms: UnixMs) -> impl Iterator<Item = (&BBoxPx, u64, &str)> {
        let fresh = at_ms - self.shown_ms < SHOWN_MS;
        self.shown
            .iter()
            .filter(move |_| fresh)
            .enumerate()
            .map(|(index, (bbox, plate))| (bbox, index as u64, plate.as_str()))
    }

    /// Reads where and when it is due, and says which plates are newly decided.
    pub(super) fn frame(
        &mut self,
        frame: &mut Frame,
        tracks: &[Track],
        reader: &mut PlateReader,
        telemetry: &CameraTelemetry,
    ) -> Result<Vec<Decided>, ModelError> {
        if self.is_due(frame.at_s) {
            self.last_read_s = Some(frame.at_s);
            frame.develop();
            self.read(frame, tracks, reader, telemetry)?;
        } else {
            telemetry.count("plate_reads_put_off", 1);
        }
        Ok(self.lane.verdicts(frame.at_ms).into_iter().map(decided).collect())
    }

    /// The camera has ended.
    pub(super) fn finish(&mut self, at_ms: UnixMs) -> Vec<Decided> {
        let verdicts = self.lane.finish(at_ms);
        (self.lane, self.last_read_s) = (Lane::default(), None);
        verdicts.into_iter().map(decided).collect()
    }

    fn is_due(&self, at_s: f64) -> bool {
        let factor = if self.lane.settled() { SETTLED_FACTOR } else { 1.0 };
        // Frames come at whole multiples of their own period: a small slack keeps 4 a second from becoming 3.3.
        self.last_read_s
            .is_none_or(|last| at_s - last >= factor / self.config.reads_per_s - 0.01)
    }

    fn read(
        &mut self,
        frame: &Frame,
        tracks: &[Track],
        reader: &mut PlateReader,
        telemetry: &CameraTelemetry,
    ) -> Result<(), ModelError> {
        let (width, height) = (frame.image.width() as f32, frame.image.height() as f32);
        let places: Vec<BBoxPx> = match self.config.region {
            Some(lane) => {
                let [x1, y1, x2, y2] = lane.sides();
                vec![BBoxPx::new(x1 * width, y1 * height, x2 * width, y2 * height)]
            }
            None => {
                let vehicle =
                    |track: &&Track| track.class.is_vehicle() && track.confirmed && track.state == TrackState::Seen;
                tracks.iter().filter(vehicle).map(|track| track.bbox).collect()
            }
        };
        self.shown.clear();
        self.shown_ms = frame.at_ms;
        for place in places {
            let found = &mut self.found;
            telemetry.timed("read_plates", || reader.read(&frame.image, Some(place), found))?;
            self.shown
                .extend(self.found.iter().map(|reading| (reading.bbox, reading.plate.clone())));
            let readings = self.found.drain(..).map(|reading| Reading {
                plate: reading.plate.clone(),
                confidence: reading.confidence,
                colour: reading.colour,
                bbox: reading.bbox,
                detail: Detail {
                    picture: pictures::evidence(&frame.image, &reading.bbox),
                    reading,
                },
            });
            self.lane.observe(frame.at_ms, readings);
        }
        Ok(())
    }
}

fn decided(verdict: Verdict<Detail>) -> Decided {
    let Detail { reading, picture } = verdict.reading.detail;
    let mut others = verdict.others;
    others.extend(reading.alternatives);
    let plate = PlateSeen {
        track: verdict.passage,
        plate: reading.plate,
        raw: reading.raw,
        class: reading.class.to_string(),
        colour: verdict.colour,
        lines: reading.lines,
        confidence: verdict.confidence,
        readings: verdict.readings,
    };
    Decided {
        at_ms: verdict.at_ms,
        plate,
        others,
        picture,
    }
}
