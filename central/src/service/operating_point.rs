//! The operating point of a list of faces, as `vong-edge calibrate` writes it into the list's seed. Invariant: a threshold
//! that was found with one embedding model is never used with another.

use crate::domain::{Entry, List, ListContent, Names};
use serde::Deserialize;
use vong_wire::{ListId, Severity};

/// Without a false alarm in this many trials for each one allowed, a higher rate is refuted at 95 % (rule of three).
const RULE_OF_THREE: f64 = 3.0;

/// A threshold with what is known of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// Cosine similarity from which a face matches.
    pub threshold: f32,
    /// The embedding model that it was found with.
    pub model: String,
    /// The share of strangers taken for somebody that was asked for ...
    pub fpir_asked: f64,
    /// ... and the one that was measured.
    pub fpir: f64,
    /// Its interval, at 95 %.
    pub fpir_interval: [f64; 2],
    /// Strangers that it was measured on.
    pub non_mated: u64,
    /// Share of enrolled persons that were missed.
    pub fnir: f64,
    /// Its interval, at 95 %.
    pub fnir_interval: [f64; 2],
    /// Enrolled persons that it was measured on.
    pub mated: u64,
    /// Identities that were searched among.
    pub gallery: u64,
    /// The day on which it was measured.
    pub date: String,
}

impl OperatingPoint {
    /// What cannot be, and what to do.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let shares = [self.fpir, self.fnir, self.fpir_asked];
        let intervals = [self.fpir_interval, self.fnir_interval];
        if !(-1.0..=1.0).contains(&self.threshold) {
            return Some("the operating point's threshold must lie between -1 and 1");
        }
        if !shares
            .iter()
            .chain(intervals.iter().flatten())
            .all(|share| (0.0..=1.0).contains(share))
        {
            return Some(
                "a share of the operating point does not lie between 0 and 1; run `vong-edge calibrate` again",
            );
        }
        if (self.non_mated as f64) < RULE_OF_THREE / self.fpir_asked - 1e-6 {
            return Some(
                "the operating point has too few non-mated trials for the rate that it claims; run `vong-edge calibrate` again",
            );
        }
        None
    }
}

/// A list as a seed file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedList {
    pub(super) id: ListId,
    name: Names,
    severity: Severity,
    #[serde(default)]
    exercise: bool,
    pub(super) kind: ListContent,
    pub(super) threshold: Option<f32>,
    pub(super) operating_point: Option<OperatingPoint>,
    #[serde(default, rename = "entry")]
    pub(super) entries: Vec<Entry>,
}

impl SeedList {
    /// The list with the threshold that is in force where this model embeds photographs.
    pub(super) fn with_model(self, model: Option<&str>) -> List {
        let calibrated = self.operating_point.as_ref().and_then(|point| {
            let fits = model == Some(point.model.as_str());
            if let (false, Some(model)) = (fits, model) {
                tracing::error!(
                    list = %self.id, made_with = %point.model, embedding = %model,
                    "the operating point is refused, it was made with another embedding model; the model's default threshold is in force until `vong-edge calibrate` is run again"
                );
            }
            fits.then_some(point.threshold)
        });
        List {
            threshold: self.threshold.or(calibrated),
            id: self.id,
            name: self.name,
            severity: self.severity,
            exercise: self.exercise,
            kind: self.kind,
            entries: self.entries,
        }
    }
}
