//! How fast messages become committed rows, beside how fast the same rows can be written at all. The way is the gate's
//! own ([`Intake`]): JSON decoding, checking, removal of doubles, days of lines, acknowledgements; only the broker is left
//! out. Both are measured in turn, so that whatever else the machine does meets both.

use super::decode::{Context, take};
use super::intake::{Intake, MOST_AT_ONCE};
use super::link::Message;
use crate::domain::{Directory, now_ms};
use crate::service::{AccessLog, EvidenceFolder, PhotographFolders, Service};
use crate::store::{BareRow, Record, StoreAddress, StoreError};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use vong_wire::{
    BootId, CameraId, Channel, Crossing, DeviceId, Direction, Event, EventBody, EventId, LineId, ObjectClass,
    PlateColour, PlateSeen, SiteId, Topic,
};

const ROUNDS: usize = 5;
/// Everything of this site is deleted afterwards.
const SITE: &str = "vong-bench";
const DEVICES: u64 = 50;
/// Every so many messages one comes twice.
const DOUBLE_EVERY: usize = 100;

/// What was measured.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct IngestFigures {
    /// Events committed a second: the median of the rounds.
    pub events_per_s: f64,
    /// Rows a second by the fastest plain way: the median of the rounds.
    pub bare_rows_per_s: f64,
    /// The first by the second.
    pub ratio: f64,
}

/// Measures the ingest of so many events into a store.
///
/// # Errors
/// When the store fails or does not keep what it was given.
pub async fn measure_ingest(address: &StoreAddress, events: usize) -> Result<IngestFigures, StoreError> {
    let unavailable = |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable(cause);
    let folder = std::env::temp_dir().join(format!("vong-bench-{}", std::process::id()));
    let evidence = EvidenceFolder::open(&folder).map_err(|cause| unavailable(cause.into()))?;
    let store = address.open().await?;
    address.forget_site(SITE).await?;
    let (access, _looks) = AccessLog::new();
    let photographs = PhotographFolders {
        seeds: None,
        models: folder.clone(),
    };
    let service = Arc::new(Service::open(store.clone(), access, evidence, photographs).await?);
    let intake = Intake {
        service,
        alarm_limit_ms: 300_000,
        stop: CancellationToken::new(),
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let messages = messages(events)?;
        let rows = rows(&messages);
        let before = store.stats().await?.events;
        let begun = Instant::now();
        let mut chunks = messages.chunks(MOST_AT_ONCE).map(<[Message]>::to_vec);
        let mut waiting = None;
        loop {
            // As the collector: the next messages are decoded while a batch is being committed.
            let next = chunks.next();
            let ended = next.is_none() && waiting.is_none();
            let decode = async { Some(intake.decode(next?).await) };
            let commit = async {
                match waiting.take() {
                    None => Some(Vec::new()),
                    Some(decoded) => intake.commit(decoded).await,
                }
            };
            let (decoded, acks) = tokio::join!(decode, commit);
            acks.ok_or_else(|| unavailable("the measurement was told to stop".into()))?;
            waiting = decoded;
            if ended {
                break;
            }
        }
        let took = begun.elapsed();
        let kept = store.stats().await?.events - before;
        if kept != events as u64 {
            return Err(unavailable(format!("{events} events were sent and {kept} kept").into()));
        }
        let plain = address.write_bare(&rows).await?;
        tracing::info!(
            round,
            ours_ms = took.as_millis() as u64,
            bare_ms = plain.as_millis() as u64,
            "a round"
        );
        // The first round warms both up.
        if round > 0 {
            ours.push(events as f64 / took.as_secs_f64());
            bare.push(events as f64 / plain.as_secs_f64());
        }
    }
    address.forget_site(SITE).await?;
    store.close().await;
    // Nothing was written there; a folder that stays does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    let (events_per_s, bare_rows_per_s) = (median(ours), median(bare));
    Ok(IngestFigures {
        events_per_s,
        bare_rows_per_s,
        ratio: events_per_s / bare_rows_per_s,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Events as edges send them: three crossings, then a plate.
fn messages(events: usize) -> Result<Vec<Message>, StoreError> {
    let refused = |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused(cause);
    let site = SiteId::new(SITE).map_err(|cause| refused(cause.into()))?;
    let (camera, line) = (CameraId::new("gate"), LineId::new("main"));
    let camera = camera.map_err(|cause| refused(cause.into()))?;
    let line = line.map_err(|cause| refused(cause.into()))?;
    let (boot, now_ms) = (BootId::generate(), now_ms());
    let mut messages: Vec<Message> = Vec::with_capacity(events + events / DOUBLE_EVERY);
    for n in 0..events as u64 {
        let device = DeviceId::new(format!("edge-{}", n % DEVICES)).map_err(|cause| refused(cause.into()))?;
        let body = match n % 4 {
            3 => EventBody::Plate(PlateSeen {
                track: n,
                plate: format!("60A{:05}", n % 100_000),
                raw: format!("60A {:05}", n % 100_000),
                class: "car".into(),
                colour: PlateColour::White,
                lines: 2,
                confidence: 0.93,
                readings: 7,
            }),
            _ => EventBody::Crossing(Crossing {
                line: line.clone(),
                direction: if n % 3 == 0 { Direction::Out } else { Direction::In },
                class: ObjectClass::Person,
                track: n,
            }),
        };
        let event = Event {
            id: EventId::generate(),
            seq: n / DEVICES + 1,
            boot,
            camera: camera.clone(),
            camera_time_ms: now_ms - 1_000 + n as i64 % 1_000,
            sent_ms: now_ms,
            replayed: false,
            body,
        };
        let payload = serde_json::to_vec(&event).map_err(|cause| refused(cause.into()))?;
        messages.push(Message {
            topic: Topic::new(&site, &device, Channel::Event).to_string(),
            payload: payload.into(),
            seq: None,
        });
        if n as usize % DOUBLE_EVERY == DOUBLE_EVERY - 1 {
            messages.extend(messages.last().cloned());
        }
    }
    Ok(messages)
}

/// The rows that those messages become, each once.
fn rows(messages: &[Message]) -> Vec<BareRow> {
    let directory = Directory::default();
    let context = Context {
        directory: &directory,
        received_ms: now_ms(),
        alarm_limit_ms: 0,
    };
    let mut rows: Vec<BareRow> = Vec::with_capacity(messages.len());
    for message in messages {
        let Record::Event(origin, event) = take(&message.topic, &message.payload, None, &context).record else {
            continue;
        };
        if rows.last().is_some_and(|last| last.id == event.id.0) {
            continue;
        }
        let kind = match event.body {
            EventBody::Crossing(_) => "crossing",
            EventBody::Recognition(_) => "recognition",
            EventBody::Plate(_) => "plate",
        };
        rows.push(BareRow {
            id: event.id.0,
            texts: [
                origin.site.to_string(),
                origin.device.to_string(),
                event.camera.to_string(),
                kind.into(),
            ],
            times: [event.camera_time_ms, origin.received_ms, context.received_ms],
            body: String::from_utf8_lossy(&message.payload).into_owned(),
        });
    }
    rows
}
