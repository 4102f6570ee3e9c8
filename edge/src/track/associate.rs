//! Which detection continues which track. Invariant: a detection goes to one track at most; only what no track could
//! use begins a new one. Knows boxes and scores of one step, not the past.

use super::assign::Assigner;
use super::{Followed, Tracker};
use vong_models::BBoxPx;
use vong_models::Detection;
use vong_wire::ObjectClass;

/// Memory kept between steps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    assigner: Assigner,
    /// Detections already used.
    used: Vec<bool>,
    /// Tracks and detections of the stage at hand.
    rows: Vec<usize>,
    cols: Vec<usize>,
}

/// Which tracks and detections meet in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Confirmed tracks and sure detections.
    Sure,
    /// Confirmed tracks seen a moment ago and unsure detections.
    Unsure,
    /// Unconfirmed tracks and whatever sure detection is left.
    Second,
}

/// Tracks unseen for longer than this are not continued by an unsure detection, s.
const UNSURE_REACH_S: f64 = 0.7;
/// A detection that overlaps a paired track of its kind this much is the same thing found twice.
const DOUBLE_IOU: f32 = 0.65;
/// A predicted box is widened by this many of its centre's standard deviations, but at most by half a height.
const WIDEN_STDS: f32 = 1.0;
const WIDEN_LIMIT: f32 = 0.5;

impl Tracker {
    pub(super) fn associate(&mut self, at_s: f64, detections: &[Detection]) {
        self.scratch.used.clear();
        self.scratch.used.resize(detections.len(), false);
        for stage in [Stage::Sure, Stage::Unsure, Stage::Second] {
            self.run_stage(stage, at_s, detections);
        }
        self.give_birth(at_s, detections);
    }

    fn run_stage(&mut self, stage: Stage, at_s: f64, detections: &[Detection]) {
        let (config, scratch) = (&self.config, &mut self.scratch);
        scratch.rows.clear();
        scratch.rows.extend(
            self.followed
                .iter()
                .enumerate()
                .filter(|(_, f)| takes_part(stage, f, at_s))
                .map(|(n, _)| n),
        );
        scratch.cols.clear();
        let sure = stage != Stage::Unsure;
        scratch
            .cols
            .extend(detections.iter().enumerate().filter_map(|(n, detection)| {
                let meant = (detection.score >= config.sure_score) == sure && detection.score >= config.least_score;
                (meant && !scratch.used[n]).then_some(n)
            }));
        if scratch.rows.is_empty() || scratch.cols.is_empty() {
            return;
        }
        let least = match stage {
            Stage::Sure => config.least_likeness.sure,
            Stage::Unsure => config.least_likeness.unsure,
            Stage::Second => config.least_likeness.second,
        };
        scratch.assigner.clear();
        for (row, &n) in scratch.rows.iter().enumerate() {
            let followed = &self.followed[n];
            let predicted = followed.filter.bbox();
            let widen = (WIDEN_STDS * followed.filter.centre_std()).min(WIDEN_LIMIT * predicted.height());
            for (col, &m) in scratch.cols.iter().enumerate() {
                let detection = &detections[m];
                if !same_kind(followed.track.class, detection.class) {
                    continue;
                }
                let alike = likeness(&predicted, &detection.bbox, widen);
                if alike > least {
                    scratch
                        .assigner
                        .allow(row, col, (alike - least) * (0.5 + 0.5 * detection.score));
                }
            }
        }
        for &(row, col) in scratch.assigner.solve(scratch.rows.len(), scratch.cols.len()) {
            let m = scratch.cols[col];
            scratch.used[m] = true;
            self.followed[scratch.rows[row]].sighted(at_s, &detections[m], config);
        }
    }

    fn give_birth(&mut self, at_s: f64, detections: &[Detection]) {
        for (n, detection) in detections.iter().enumerate() {
            let doubled = |f: &Followed| {
                f.paired
                    && same_kind(f.track.class, detection.class)
                    && f.filter.bbox().iou(&detection.bbox) > DOUBLE_IOU
            };
            if self.scratch.used[n] || detection.score < self.config.birth_score || self.followed.iter().any(doubled) {
                continue;
            }
            self.followed
                .push(Followed::new(self.next_id, at_s, detection, &self.config));
            self.next_id += 1;
        }
    }
}

fn takes_part(stage: Stage, followed: &Followed, at_s: f64) -> bool {
    let track = &followed.track;
    !followed.paired
        && match stage {
            Stage::Sure => track.confirmed,
            Stage::Unsure => track.confirmed && at_s - track.last_seen_s < UNSURE_REACH_S,
            Stage::Second => !track.confirmed,
        }
}

/// Intersection over union of two boxes, both widened by `widen` pixels on each side, so that a track whose place is
/// uncertain may reach further.
fn likeness(a: &BBoxPx, b: &BBoxPx, widen: f32) -> f32 {
    let wide = |of: &BBoxPx| BBoxPx::new(of.x1 - widen, of.y1 - widen, of.x2 + widen, of.y2 + widen);
    wide(a).iou(&wide(b))
}

/// Detectors mix up a car, a van and a lorry, or a bicycle and a motorcycle, from frame to frame; not a person and a car.
fn same_kind(a: ObjectClass, b: ObjectClass) -> bool {
    kind(a) == kind(b)
}

fn kind(class: ObjectClass) -> u8 {
    match class {
        ObjectClass::Person => 0,
        ObjectClass::Bicycle | ObjectClass::Motorcycle => 1,
        ObjectClass::Car | ObjectClass::Bus | ObjectClass::Truck => 2,
    }
}
