//! Decisions of a gate, made up: crossings with their minutes, plates, alerts with pictures. Numbers and times are right
//! in themselves, so that a store can be checked against them.

use super::dice::Dice;
use vong_edge::outbox::Draft;
use vong_wire::{
    Alert, AlertCause, BootId, CameraId, Count, Crossing, Direction, EntryId, Event, EventBody, EventId, LineId,
    ListId, ObjectClass, PlateColour, PlateMatch, PlateSeen, Severity, UnixMs,
};

const MINUTE_MS: UnixMs = 60_000;
/// A picture of noise takes some 20 KB, above the ten kibibytes at which MQTT clients stop by default.
const PICTURE_PX: (u32, u32) = (160, 120);

/// A gate with one camera and one line.
#[derive(Debug)]
pub struct Gate {
    boot: BootId,
    /// Its camera.
    pub camera: CameraId,
    /// Its line.
    pub line: LineId,
    now_ms: UnixMs,
    crossed: (u32, u32),
    steps: u64,
    jpeg: Vec<u8>,
}

/// What is decided at once.
#[derive(Debug)]
pub struct Step {
    /// For the outbox.
    pub drafts: Vec<Draft>,
    /// Kind and id of each event and alert among them.
    pub ids: Vec<(&'static str, String)>,
}

impl Gate {
    /// A gate that begins to watch.
    pub fn new(boot: BootId, now_ms: UnixMs) -> anyhow::Result<Self> {
        Ok(Self {
            boot,
            camera: CameraId::new("gate")?,
            line: LineId::new("main")?,
            now_ms,
            crossed: (0, 0),
            steps: 0,
            jpeg: noise()?,
        })
    }

    /// The next decisions, `later_ms` after those before.
    pub fn step(&mut self, later_ms: UnixMs) -> Step {
        let minute_ms = self.now_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
        self.now_ms += later_ms;
        self.steps += 1;
        let mut step = Step {
            drafts: Vec::new(),
            ids: Vec::new(),
        };
        if self.now_ms.div_euclid(MINUTE_MS) * MINUTE_MS != minute_ms {
            step.drafts.push(Draft::Count(self.minute(minute_ms)));
        }
        match self.steps % 10 {
            0 => self.alert(&mut step),
            3 | 6 => drop(self.plate(&mut step)),
            _ => self.crossing(&mut step),
        }
        step
    }

    fn minute(&mut self, minute_ms: UnixMs) -> Count {
        let (entered, left) = std::mem::take(&mut self.crossed);
        Count {
            seq: 0,
            boot: self.boot,
            camera: self.camera.clone(),
            line: self.line.clone(),
            minute_ms,
            entered,
            left,
            epoch_ms: 0,
            total_in: 0,
            total_out: 0,
            coverage: 1.0,
            sent_ms: 0,
        }
    }

    fn event(&self, step: &mut Step, kind: &'static str, body: EventBody) -> EventId {
        let id = EventId::generate();
        step.ids.push((kind, id.to_string()));
        step.drafts.push(Draft::Event(Event {
            id,
            seq: 0,
            boot: self.boot,
            camera: self.camera.clone(),
            camera_time_ms: self.now_ms,
            sent_ms: 0,
            replayed: false,
            body,
        }));
        id
    }

    fn crossing(&mut self, step: &mut Step) {
        let direction = if self.steps.is_multiple_of(3) {
            Direction::Out
        } else {
            Direction::In
        };
        match direction {
            Direction::In => self.crossed.0 += 1,
            Direction::Out => self.crossed.1 += 1,
        }
        let crossing = Crossing {
            line: self.line.clone(),
            direction,
            class: ObjectClass::Person,
            track: self.steps,
        };
        self.event(step, "crossing", EventBody::Crossing(crossing));
    }

    fn plate(&self, step: &mut Step) -> EventId {
        let seen = PlateSeen {
            track: self.steps,
            plate: "51F99999".into(),
            raw: "51F-999.99".into(),
            class: "car".into(),
            colour: PlateColour::White,
            lines: 1,
            confidence: 0.9,
            readings: 3,
        };
        self.event(step, "plate", EventBody::Plate(seen))
    }

    fn alert(&self, step: &mut Step) {
        let event = self.plate(step);
        let (Ok(list), Ok(entry)) = (ListId::new("wanted"), EntryId::new("a")) else {
            return;
        };
        let id = EventId::generate();
        step.ids.push(("alert", id.to_string()));
        step.drafts.push(Draft::Alert(Alert {
            id,
            seq: 0,
            boot: self.boot,
            camera: self.camera.clone(),
            camera_time_ms: self.now_ms,
            sent_ms: 0,
            replayed: false,
            event,
            severity: Severity::Alarm,
            has_evidence: true,
            cause: AlertCause::Plate {
                list,
                entry,
                plate: "51F99999".into(),
                matched: PlateMatch::Exact,
            },
        }));
        let jpeg = self.jpeg.clone();
        step.drafts.push(Draft::Evidence { alert: id, jpeg });
    }
}

fn noise() -> anyhow::Result<Vec<u8>> {
    let mut dice = Dice::new(1);
    let picture = image::RgbImage::from_fn(PICTURE_PX.0, PICTURE_PX.1, |_, _| {
        image::Rgb([0; 3].map(|_| dice.below(256) as u8))
    });
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg)?;
    Ok(jpeg.into_inner())
}
