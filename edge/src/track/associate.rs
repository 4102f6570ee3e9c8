//! Which detection continues which track. Invariant: a detection goes to one track at most; only what no track could
//! use begins a new one. Knows boxes, colours and scores of one step, not the past.

use super::assign::Assigner;
use super::look::Look;
use super::{Followed, Tracker, within};
use image::RgbImage;
use vong_models::BBoxPx;
use vong_models::Detection;
use vong_wire::ObjectClass;

/// Memory kept between steps.
#[derive(Debug)]
pub(super) struct Scratch {
    assigner: Assigner,
    /// Detections already used.
    used: Vec<bool>,
    /// Tracks and detections of the stage at hand.
    rows: Vec<usize>,
    cols: Vec<usize>,
    /// Colours of each detection, where there is a picture.
    looks: Vec<Option<Look>>,
    /// Share of each detection that no other one covers.
    alone: Vec<f32>,
    /// Detections from left to right.
    order: Vec<usize>,
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
    /// Lost tracks and sure detections away from where they should be, by their colours.
    Return,
}

/// Tracks unseen for longer than this are not continued by an unsure detection, s.
const UNSURE_REACH_S: f64 = 0.7;
/// A track unseen for so long may be found again away from where it should be, s.
const RETURN_AFTER_S: f64 = 0.3;
/// A detection that overlaps a paired track of its kind this much is the same thing found twice. Half, as where boxes are
/// held to show the same thing; above the detector's own suppression (0.6) there are hardly any left.
const DOUBLE_IOU: f32 = 0.5;
/// A predicted box is widened by this many of its centre's standard deviations, but at most by half a height.
const WIDEN_STDS: f32 = 1.0;
const WIDEN_LIMIT: f32 = 0.5;
/// A detection below this score covers nothing.
const COVERS: f32 = 0.3;
/// Colours are only learnt from a box of which this share is free of others.
const ALONE: f32 = 0.75;
/// Colours follow what is seen with this time constant, s.
const LOOK_S: f32 = 1.0;

impl Scratch {
    /// Memory for so many tracks and detections.
    pub(super) fn roomy(count: usize) -> Self {
        Self {
            assigner: Assigner::roomy(count),
            used: Vec::with_capacity(count),
            rows: Vec::with_capacity(count),
            cols: Vec::with_capacity(count),
            looks: Vec::with_capacity(count),
            alone: Vec::with_capacity(count),
            order: Vec::with_capacity(count),
        }
    }

    pub(super) fn look_at(&mut self, picture: Option<&RgbImage>, detections: &[Detection], least_score: f32) {
        self.looks.clear();
        self.looks.extend(detections.iter().map(|detection| {
            picture
                .filter(|_| detection.score >= least_score)
                .and_then(|picture| Look::of(picture, &detection.bbox))
        }));
        self.cover(detections);
    }

    /// Works out how much of each detection others leave free. From left to right, so that only neighbours are compared.
    fn cover(&mut self, detections: &[Detection]) {
        self.order.clear();
        self.order.extend(0..detections.len());
        let left = |n: usize| detections[n].bbox.x1;
        self.order.sort_unstable_by(|&n, &m| left(n).total_cmp(&left(m)));
        let covered = &mut self.alone;
        covered.clear();
        covered.resize(detections.len(), 0.0);
        for (place, &n) in self.order.iter().enumerate() {
            let one = &detections[n];
            for &m in &self.order[place + 1..] {
                let other = &detections[m];
                if other.bbox.x1 >= one.bbox.x2 {
                    break;
                }
                let common = one.bbox.intersection(&other.bbox).area();
                if other.score >= COVERS {
                    covered[n] = covered[n].max(common);
                }
                if one.score >= COVERS {
                    covered[m] = covered[m].max(common);
                }
            }
        }
        for (alone, one) in self.alone.iter_mut().zip(detections) {
            *alone = 1.0 - *alone / one.bbox.area().max(1.0);
        }
    }
}

impl Tracker {
    pub(super) fn associate(&mut self, at_s: f64, detections: &[Detection]) {
        self.scratch.used.clear();
        self.scratch.used.resize(detections.len(), false);
        for stage in [Stage::Sure, Stage::Unsure, Stage::Second, Stage::Return] {
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
                // Most pairs are far from each other: colours are compared last.
                let look = || match (&followed.look, &scratch.looks[m]) {
                    (Some(known), Some(seen)) => Some(known.likeness(seen)),
                    _ => None,
                };
                let gain = if stage == Stage::Return {
                    let unseen_s = (at_s - followed.track.last_seen_s) as f32;
                    if !within_reach(followed, &detection.bbox, unseen_s * config.return_speed + 0.3) {
                        continue;
                    }
                    let Some(look) = look().filter(|&look| look > config.look_return) else {
                        continue;
                    };
                    look - config.look_return
                } else {
                    let least = match stage {
                        Stage::Sure => config.least_likeness.sure,
                        Stage::Unsure => config.least_likeness.unsure,
                        _ => config.least_likeness.second,
                    };
                    let alike = likeness(&predicted, &detection.bbox, widen);
                    if alike <= least {
                        continue;
                    }
                    let by_look = look().map_or(0.0, |look| {
                        config.look_weight
                            * scratch.alone[m]
                            * ((look - config.look_neutral) / (1.0 - config.look_neutral)).max(-2.0)
                    });
                    (alike - least) * (0.5 + 0.5 * detection.score) + by_look
                };
                scratch.assigner.allow(row, col, gain);
            }
        }
        for &(row, col) in scratch.assigner.solve(scratch.rows.len(), scratch.cols.len()) {
            let m = scratch.cols[col];
            scratch.used[m] = true;
            let followed = &mut self.followed[scratch.rows[row]];
            if stage == Stage::Return {
                followed.filter = super::BoxFilter::new(&detections[m].bbox, &config.motion);
            }
            let since_s = (at_s - followed.track.last_seen_s) as f32;
            followed.sighted(at_s, &detections[m], config);
            if scratch.alone[m] >= ALONE
                && sure
                && let Some(seen) = scratch.looks[m].take()
            {
                match &mut followed.look {
                    Some(look) => look.blend(&seen, 1.0 - (-since_s / LOOK_S).exp()),
                    none => *none = Some(seen),
                }
            }
        }
    }

    fn give_birth(&mut self, at_s: f64, detections: &[Detection]) {
        let small_px = self
            .picture
            .map_or(0.0, |[width, height]| self.config.small_side * width.max(height));
        for (n, detection) in detections.iter().enumerate() {
            let doubled = |f: &Followed| {
                f.paired
                    && same_kind(f.track.class, detection.class)
                    && f.filter.bbox().iou(&detection.bbox) > DOUBLE_IOU
            };
            let least = if detection.bbox.width().max(detection.bbox.height()) < small_px {
                self.config.small_birth_score
            } else {
                self.config.birth_score
            };
            if self.scratch.used[n] || detection.score < least || self.followed.iter().any(doubled) {
                continue;
            }
            let look = if self.scratch.alone[n] >= ALONE {
                self.scratch.looks[n].take()
            } else {
                None
            };
            self.followed
                .push(Followed::new(self.next_id, at_s, detection, look, &self.config));
            self.next_id += 1;
        }
    }
}

fn takes_part(stage: Stage, followed: &Followed, at_s: f64) -> bool {
    let track = &followed.track;
    !followed.paired
        && match stage {
            Stage::Sure => track.confirmed,
            Stage::Unsure => track.confirmed && within(at_s, track.last_seen_s, UNSURE_REACH_S),
            Stage::Second => !track.confirmed,
            Stage::Return => track.confirmed && !within(at_s, track.last_seen_s, RETURN_AFTER_S),
        }
}

/// Whether a lost thing of about this size can have come here, `heights` from where it was last seen or should be.
fn within_reach(followed: &Followed, seen: &BBoxPx, heights: f32) -> bool {
    let height = followed.last_box.height().max(1.0);
    let ratio = seen.height() / height;
    let near = |to: BBoxPx| {
        let (a, b) = (to.centre(), seen.centre());
        (a.x - b.x).hypot(a.y - b.y) <= heights * height
    };
    (0.7..1.43).contains(&ratio) && (near(followed.last_box) || near(followed.filter.bbox()))
}

/// Intersection over union of two boxes, both widened by `widen` pixels on each side, so that a track whose place is
/// uncertain may reach further.
fn likeness(a: &BBoxPx, b: &BBoxPx, widen: f32) -> f32 {
    let reach = 2.0 * widen;
    if a.x2 + reach <= b.x1 || b.x2 + reach <= a.x1 || a.y2 + reach <= b.y1 || b.y2 + reach <= a.y1 {
        return 0.0;
    }
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
