//! From messages to what is kept: decoding and committing, without a broker. The gate's collector and the measurement of
//! ingest both go this way. Invariant: what [`Intake::commit`] hands back acknowledgements for is committed.

use super::backoff::Backoff;
use super::decode::{self, Context, Taken};
use super::link::Message;
use crate::domain::now_ms;
use crate::service::Service;
use crate::store::{Batch, Origin, QuarantineRow, Record, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vong_wire::{Ack, AckItem, Channel, DeviceId, SiteId, Topic};

/// Messages committed in one transaction at most: so many that the disk's flush at its end weighs little beside them.
pub(super) const MOST_AT_ONCE: usize = 8_192;
/// Messages that are decoded where they come: about 100 us.
const FEW: usize = 32;

/// Decodes and commits.
#[derive(Clone)]
pub(super) struct Intake {
    pub(super) service: Arc<Service>,
    /// A replayed alert that is older raises no alarm.
    pub(super) alarm_limit_ms: i64,
    pub(super) stop: CancellationToken,
}

/// Messages understood, in the order in which they came.
pub(super) struct Decoded {
    records: Vec<Record>,
    /// Pictures to write before the records.
    pictures: Vec<(String, bytes::Bytes)>,
    acks: BTreeMap<(SiteId, DeviceId), Vec<AckItem>>,
    /// A device announced itself among them.
    pub(super) greeted: bool,
}

enum Failed {
    /// These very records can never be written.
    Refused(String),
    /// It may work later.
    NotNow(String),
}

impl Intake {
    /// Understands messages; many of them beside the tasks that must not wait.
    pub(super) async fn decode(&self, messages: Vec<Message>) -> Decoded {
        if messages.len() <= FEW {
            return self.decode_here(&messages);
        }
        let (this, messages) = (self.clone(), Arc::new(messages));
        let theirs = messages.clone();
        let decoded = tokio::task::spawn_blocking(move || this.decode_here(&theirs)).await;
        // A panic there would be a fault of ours; here it is met again, where it belongs to the caller.
        decoded.unwrap_or_else(|_| self.decode_here(&messages))
    }

    fn decode_here(&self, messages: &[Message]) -> Decoded {
        let directory = self.service.directory();
        let context = Context {
            directory: &directory,
            received_ms: now_ms(),
            alarm_limit_ms: self.alarm_limit_ms,
        };
        let mut decoded = Decoded {
            records: Vec::new(),
            pictures: Vec::new(),
            acks: BTreeMap::new(),
            greeted: false,
        };
        for message in messages {
            let taken = decode::take(&message.topic, &message.payload, message.seq, &context);
            decoded.take(taken);
        }
        decoded
    }

    /// Commits until it is done, and hands back the acknowledgements for the devices; none if told to stop before.
    pub(super) async fn commit(&self, decoded: Decoded) -> Option<Vec<(Topic, Vec<u8>)>> {
        let Decoded {
            records,
            pictures,
            acks,
            ..
        } = decoded;
        let mut batch = Batch { stored_ms: 0, records };
        let mut backoff = Backoff::default();
        let mut said = false;
        loop {
            batch.stored_ms = now_ms();
            self.silence_old(&mut batch);
            let cause = match self.try_commit(&pictures, &batch).await {
                Ok(()) => return Some(coded(acks)),
                Err(Failed::Refused(cause)) => {
                    tracing::error!(cause, "the database refuses a message; it goes to quarantine");
                    self.quarantine_refused(&mut batch.records).await;
                    continue;
                }
                Err(Failed::NotNow(cause)) => cause,
            };
            if !std::mem::replace(&mut said, true) {
                tracing::error!(
                    cause,
                    "what devices publish cannot be kept; nothing is acknowledged until it can"
                );
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(backoff.next(&mut rand::rng())) => {}
            }
        }
    }

    /// An alert that waited here for the database, by this office's own clock, for longer than an alarm lasts, rings no more.
    fn silence_old(&self, batch: &mut Batch) {
        for record in &mut batch.records {
            if let Record::Alert(origin, _, live) = record {
                *live &= batch.stored_ms - origin.received_ms <= self.alarm_limit_ms;
            }
        }
    }

    async fn try_commit(&self, pictures: &[(String, bytes::Bytes)], batch: &Batch) -> Result<(), Failed> {
        if !pictures.is_empty() {
            let (folder, pictures) = (self.service.evidence.clone(), pictures.to_vec());
            let written = tokio::task::spawn_blocking(move || folder.write_all(&pictures));
            let written = written.await.map_err(|cause| Failed::NotNow(cause.to_string()))?;
            written.map_err(|cause| Failed::NotNow(cause.to_string()))?;
        }
        self.service.keep(batch).await.map_err(|cause| match cause {
            StoreError::Refused(_) => Failed::Refused(cause.to_string()),
            other => Failed::NotNow(other.to_string()),
        })
    }

    /// Finds the records that the database refuses, by halves, and puts their description in their place.
    async fn quarantine_refused(&self, records: &mut [Record]) {
        let mut suspected = Vec::from([std::ops::Range {
            start: 0,
            end: records.len(),
        }]);
        while let Some(part) = suspected.pop() {
            let some = Batch {
                stored_ms: now_ms(),
                records: records[part.clone()].to_vec(),
            };
            let Err(StoreError::Refused(cause)) = self.service.keep(&some).await else {
                continue;
            };
            if part.len() > 1 {
                let middle = part.start + part.len() / 2;
                suspected.extend([middle..part.end, part.start..middle]);
                continue;
            }
            let record = &mut records[part.start];
            *record = Record::Quarantine(QuarantineRow {
                received_ms: now_ms(),
                topic: "refused by the database".into(),
                reason: cause.to_string().chars().take(500).collect(),
                head: format!("{record:?}").into_bytes().into_iter().take(16 * 1024).collect(),
                bytes: 0,
            });
        }
    }
}

impl Decoded {
    fn take(&mut self, taken: Taken) {
        if let (Some(bytes), Record::Evidence(_, evidence)) = (taken.picture, &taken.record) {
            self.pictures.push((evidence.file.clone(), bytes));
        }
        if let Some((Origin { site, device, .. }, item)) = taken.ack {
            self.acks.entry((site, device)).or_default().push(item);
        }
        self.greeted |= matches!(&taken.record, Record::State(..));
        self.records.push(taken.record);
    }
}

fn coded(acks: BTreeMap<(SiteId, DeviceId), Vec<AckItem>>) -> Vec<(Topic, Vec<u8>)> {
    let coded = acks
        .into_iter()
        .filter_map(|((site, device), items)| match serde_json::to_vec(&Ack { items }) {
            Ok(coded) => Some((Topic::new(&site, &device, Channel::Ack), coded)),
            Err(cause) => {
                tracing::error!(%cause, "an acknowledgement cannot be coded");
                None
            }
        });
    coded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{AccessLog, EvidenceFolder, PhotographFolders};
    use crate::store::SqliteStore;
    use serde_json::json;
    use vong_wire::{BootId, EventId, UnixMs};

    const LIMIT_MS: i64 = 300_000;

    async fn intake(folder: &std::path::Path) -> Intake {
        let store = Arc::new(SqliteStore::open(&folder.join("vong.sqlite")).await.unwrap());
        let (access, _looks) = AccessLog::new();
        let evidence = EvidenceFolder::open(&folder.join("evidence")).unwrap();
        let photographs = PhotographFolders {
            seeds: None,
            models: folder.into(),
        };
        Intake {
            service: Arc::new(Service::open(store, access, evidence, photographs).await.unwrap()),
            alarm_limit_ms: LIMIT_MS,
            stop: CancellationToken::new(),
        }
    }

    fn alert(id: EventId, at_ms: UnixMs, replayed: bool) -> Message {
        let alert = json!({
            "id": id, "seq": 9, "boot": BootId::generate(), "camera": "gate", "camera_time_ms": at_ms, "sent_ms": at_ms,
            "replayed": replayed, "event": EventId::generate(), "severity": "alarm", "cause": "plate", "list": "banned",
            "entry": "one", "plate": "60A66666", "match": "exact",
        });
        Message {
            topic: "vong/v1/park/edge-1/alert".into(),
            payload: serde_json::to_vec(&alert).unwrap().into(),
            seq: None,
        }
    }

    #[tokio::test]
    async fn an_old_alert_is_kept_and_rings_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let intake = intake(folder.path()).await;
        let now = now_ms();
        // How old, whether sent late, whether it is an alarm. One that is not late and old comes from a slow clock.
        for (age_ms, replayed, live) in [
            (0, false, true),
            (0, true, true),
            (LIMIT_MS - 60_000, true, true),
            (LIMIT_MS + 1, true, false),
            (86_400_000, true, false),
            (86_400_000, false, true),
        ] {
            let id = EventId::generate();
            let decoded = intake.decode(vec![alert(id, now - age_ms, replayed)]).await;
            let acks = intake.commit(decoded).await.unwrap();
            assert_eq!(acks.len(), 1, "{age_ms} {replayed}");
            let stored = intake.service.store().alert(id).await.unwrap().unwrap();
            assert_eq!(
                (stored.live, stored.alert.replayed),
                (live, replayed),
                "{age_ms} {replayed}"
            );
        }
        // It came in time, but the database was away for longer than an alarm lasts.
        let id = EventId::generate();
        let mut decoded = intake.decode(vec![alert(id, now, false)]).await;
        if let Record::Alert(origin, ..) = &mut decoded.records[0] {
            origin.received_ms = now - LIMIT_MS - 1_000;
        }
        intake.commit(decoded).await.unwrap();
        assert!(!intake.service.store().alert(id).await.unwrap().unwrap().live);
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_kept_and_acknowledged_where_its_number_is_legible() {
        let folder = tempfile::tempdir().unwrap();
        let intake = intake(folder.path()).await;
        let message = |payload: &str| Message {
            topic: "vong/v1/park/edge-1/event".into(),
            payload: payload.as_bytes().to_vec().into(),
            seq: None,
        };
        let messages = vec![message("{\"seq\": 7, \"kind\": \"new\"}"), message("\u{1}")];
        let acks = intake.commit(intake.decode(messages).await).await.unwrap();
        let ack: Ack = serde_json::from_slice(&acks[0].1).unwrap();
        assert_eq!((acks.len(), ack.items.len(), ack.items[0].seq), (1, 1, 7));
        assert_eq!(intake.service.quarantine(10).await.unwrap().len(), 2);
    }
}
