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

/// Messages committed in one transaction at most.
pub(super) const MOST_AT_ONCE: usize = 2_048;
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

    async fn try_commit(&self, pictures: &[(String, bytes::Bytes)], batch: &Batch) -> Result<(), Failed> {
        if !pictures.is_empty() {
            let (folder, pictures) = (self.service.evidence.clone(), pictures.to_vec());
            let written = tokio::task::spawn_blocking(move || {
                pictures.iter().try_for_each(|(file, bytes)| folder.write(file, bytes))
            });
            let written = written.await.map_err(|cause| Failed::NotNow(cause.to_string()))?;
            written.map_err(|cause| Failed::NotNow(cause.to_string()))?;
        }
        self.service.keep(batch).await.map_err(|cause| match cause {
            StoreError::Refused(_) => Failed::Refused(cause.to_string()),
            other => Failed::NotNow(other.to_string()),
        })
    }

    /// Finds the records that the database refuses by committing one at a time, and puts their description in their place.
    async fn quarantine_refused(&self, records: &mut [Record]) {
        for record in records {
            let alone = Batch {
                stored_ms: now_ms(),
                records: vec![record.clone()],
            };
            if let Err(StoreError::Refused(cause)) = self.service.keep(&alone).await {
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
