//! The plates of a lane: readings of single frames become passages of vehicles, and a passage votes on its plate.
//! Invariant: a passage is told once, when its vote is settled or when it ends, and never on a single reading.
//!
//! A vehicle that waits at a barrier is read dozens of times, now and then wrongly; the next one stands where it stood.
//! So readings belong together by what they say and by when, and only then by where.

use vong_models::BBoxPx;
use vong_wire::{PlateColour, UnixMs};

/// A passage without a reading for this long has ended.
const ENDS_AFTER_MS: UnixMs = 2_500;
/// The same plate again within this time is the same vehicle, still there or turning round.
const SAME_VEHICLE_MS: UnixMs = 20_000;
/// Sum of confidences at which a vote is settled, given the share below.
const SETTLED_WEIGHT: f32 = 2.4;
/// Share of all weight that the leader of a vote needs.
const SETTLED_SHARE: f32 = 0.7;
/// Readings that a passage needs to be told at its end.
const LEAST_READINGS: u32 = 2;
/// Two plates that differ in at most this many characters may be readings of one.
const SAME_PLATE_EDITS: usize = 2;

/// One reading as the vote sees it; `T` is what the reader told besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading<T> {
    /// Normal form.
    pub plate: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Ground colour of the plate.
    pub colour: PlateColour,
    /// Where.
    pub bbox: BBoxPx,
    /// Whatever else belongs to it.
    pub detail: T,
}

/// The result of a passage's vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict<T> {
    /// Number of the passage, rising.
    pub passage: u64,
    /// When the plate was read best.
    pub at_ms: UnixMs,
    /// The best reading of the plate that won.
    pub reading: Reading<T>,
    /// Share of the weight that voted for it, 0 to 1.
    pub confidence: f32,
    /// Readings that voted for it.
    pub readings: u32,
    /// The colour that most of the passage's readings saw, whatever they read.
    pub colour: PlateColour,
    /// What the other readings said, with their shares of the weight.
    pub others: Vec<(String, f32)>,
}

#[derive(Debug)]
struct Candidate<T> {
    weight: f32,
    readings: u32,
    best: Reading<T>,
    best_ms: UnixMs,
}

#[derive(Debug)]
struct Passage<T> {
    id: u64,
    bbox: BBoxPx,
    last_ms: UnixMs,
    candidates: Vec<Candidate<T>>,
    /// Confidence of the readings that saw each colour.
    colours: Vec<(PlateColour, f32)>,
    told: bool,
}

/// All passages of one lane.
#[derive(Debug)]
pub struct Lane<T> {
    open: Vec<Passage<T>>,
    told: Vec<(String, UnixMs)>,
    next_id: u64,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            told: Vec::new(),
            next_id: 1,
        }
    }
}

impl<T: Clone> Lane<T> {
    /// Takes the readings of one frame.
    pub fn observe(&mut self, at_ms: UnixMs, readings: impl IntoIterator<Item = Reading<T>>) {
        for reading in readings {
            match self.open.iter().position(|passage| passage.takes(at_ms, &reading)) {
                Some(index) => self.open[index].vote(at_ms, reading),
                None => {
                    let mut passage = Passage {
                        id: self.next_id,
                        bbox: reading.bbox,
                        last_ms: at_ms,
                        candidates: vec![],
                        colours: vec![],
                        told: false,
                    };
                    self.next_id += 1;
                    passage.vote(at_ms, reading);
                    self.open.push(passage);
                }
            }
        }
    }

    /// Whether every vehicle that is there has a settled vote, so that reading may pause.
    pub fn settled(&self) -> bool {
        !self.open.is_empty() && self.open.iter().all(|passage| passage.told)
    }

    /// What is newly known at this time.
    pub fn verdicts(&mut self, at_ms: UnixMs) -> Vec<Verdict<T>> {
        self.tell(at_ms, false)
    }

    /// What is known when the camera ends.
    pub fn finish(&mut self, at_ms: UnixMs) -> Vec<Verdict<T>> {
        self.tell(at_ms, true)
    }

    fn tell(&mut self, at_ms: UnixMs, end: bool) -> Vec<Verdict<T>> {
        self.told.retain(|(_, told_ms)| at_ms - told_ms < SAME_VEHICLE_MS);
        let mut verdicts = Vec::new();
        for passage in &mut self.open {
            let ended = end || at_ms - passage.last_ms > ENDS_AFTER_MS;
            let Some(verdict) = passage.verdict() else { continue };
            let settled = verdict.readings as f32 >= LEAST_READINGS as f32
                && verdict.confidence >= SETTLED_SHARE
                && passage.weight_of(&verdict.reading.plate) >= SETTLED_WEIGHT;
            if passage.told || !(settled || ended && verdict.readings >= LEAST_READINGS) {
                continue;
            }
            passage.told = true;
            let known = self.told.iter_mut().find(|(plate, _)| *plate == verdict.reading.plate);
            match known {
                Some((_, told_ms)) => *told_ms = at_ms,
                None => {
                    self.told.push((verdict.reading.plate.clone(), at_ms));
                    verdicts.push(verdict);
                }
            }
        }
        self.open.retain(|passage| at_ms - passage.last_ms <= ENDS_AFTER_MS);
        verdicts
    }
}

impl<T: Clone> Passage<T> {
    fn takes(&self, at_ms: UnixMs, reading: &Reading<T>) -> bool {
        let gap_ms = at_ms - self.last_ms;
        let alike = self
            .candidates
            .iter()
            .any(|c| edits(&c.best.plate, &reading.plate) <= SAME_PLATE_EDITS);
        // A vehicle moves at most a few plate widths between two readings.
        let reach = self.bbox.width().max(reading.bbox.width()) * 4.0;
        let (here, there) = (self.bbox.centre(), reading.bbox.centre());
        gap_ms <= ENDS_AFTER_MS && alike && (here.x - there.x).hypot(here.y - there.y) <= reach
    }

    fn vote(&mut self, at_ms: UnixMs, reading: Reading<T>) {
        (self.bbox, self.last_ms) = (reading.bbox, at_ms);
        match self.colours.iter_mut().find(|(colour, _)| *colour == reading.colour) {
            Some((_, weight)) => *weight += reading.confidence,
            None => self.colours.push((reading.colour, reading.confidence)),
        }
        match self
            .candidates
            .iter_mut()
            .find(|candidate| candidate.best.plate == reading.plate)
        {
            Some(candidate) => {
                candidate.weight += reading.confidence;
                candidate.readings += 1;
                if reading.confidence > candidate.best.confidence {
                    (candidate.best, candidate.best_ms) = (reading, at_ms);
                }
            }
            None => {
                let weight = reading.confidence;
                self.candidates.push(Candidate {
                    weight,
                    readings: 1,
                    best: reading,
                    best_ms: at_ms,
                });
            }
        }
    }

    fn weight_of(&self, plate: &str) -> f32 {
        self.candidates
            .iter()
            .filter(|candidate| candidate.best.plate == plate)
            .map(|candidate| candidate.weight)
            .sum()
    }

    /// Looks that could not tell have no say where another could.
    fn colour(&self) -> PlateColour {
        let told = self
            .colours
            .iter()
            .filter(|(colour, _)| *colour != PlateColour::Unknown);
        let most = told.max_by(|a, b| a.1.total_cmp(&b.1));
        most.map_or(PlateColour::Unknown, |(colour, _)| *colour)
    }

    fn verdict(&self) -> Option<Verdict<T>> {
        let leader = self.candidates.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
        let all: f32 = self.candidates.iter().map(|candidate| candidate.weight).sum();
        let lost = self.candidates.iter().filter(|c| c.best.plate != leader.best.plate);
        Some(Verdict {
            others: lost
                .map(|c| (c.best.plate.clone(), c.weight / all.max(f32::MIN_POSITIVE)))
                .collect(),
            passage: self.id,
            at_ms: leader.best_ms,
            reading: leader.best.clone(),
            confidence: if all > 0.0 { leader.weight / all } else { 0.0 },
            readings: leader.readings,
            colour: self.colour(),
        })
    }
}

/// Levenshtein distance of two plates, in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(plate: &str, confidence: f32, x: f32) -> Reading<()> {
        Reading {
            plate: plate.into(),
            confidence,
            colour: PlateColour::White,
            bbox: BBoxPx::new(x, 100.0, x + 120.0, 130.0),
            detail: (),
        }
    }

    /// Plays readings (ms, plate, confidence, x) and returns the plates told, with the time of telling.
    fn check(readings: &[(UnixMs, &str, f32, f32)], expected: &[&str]) {
        let mut lane = Lane::default();
        let mut told = Vec::new();
        for (at_ms, plate, confidence, x) in readings {
            lane.observe(*at_ms, [reading(plate, *confidence, *x)]);
            told.extend(lane.verdicts(*at_ms).into_iter().map(|verdict| verdict.reading.plate));
        }
        let end = readings.last().map_or(0, |last| last.0) + 10_000;
        told.extend(lane.finish(end).into_iter().map(|verdict| verdict.reading.plate));
        assert_eq!(told, expected);
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("29MĐ112345", "29MD112345", 1),
            ("51F99999", "51F9999", 1),
            ("AB", "CD", 2),
        ] {
            assert_eq!(edits(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_vehicle_is_told_once_with_the_plate_that_most_readings_say() {
        let waits: Vec<_> = (0..40)
            .map(|i| (i * 250, if i % 5 == 0 { "51F99998" } else { "51F99999" }, 0.9, 400.0))
            .collect();
        check(&waits, &["51F99999"]);
    }

    #[test]
    fn the_colour_is_what_most_readings_saw_not_the_surest_one() {
        use PlateColour::{Red, Unknown, White};
        for (seen, expected) in [
            (vec![(Red, 0.99), (White, 0.9), (White, 0.9)], White),
            (vec![(Unknown, 0.9), (Unknown, 0.9), (Unknown, 0.9), (Red, 0.6)], Red),
            (vec![(Unknown, 0.9), (Unknown, 0.9), (Unknown, 0.9)], Unknown),
        ] {
            let mut lane = Lane::default();
            for (at_ms, (colour, confidence)) in seen.iter().enumerate() {
                let reading = Reading {
                    colour: *colour,
                    ..reading("51F99999", *confidence, 400.0)
                };
                lane.observe(250 * at_ms as UnixMs, [reading]);
            }
            let told: Vec<_> = lane.finish(10_000).into_iter().map(|verdict| verdict.colour).collect();
            assert_eq!(told, [expected], "{seen:?}");
        }
    }

    #[test]
    fn a_single_reading_is_not_believed() {
        check(&[(0, "51F99999", 0.99, 0.0)], &[]);
        check(&[(0, "51F99999", 0.6, 0.0), (250, "51F99999", 0.6, 0.0)], &["51F99999"]);
    }

    #[test]
    fn the_next_vehicle_on_the_same_spot_is_another() {
        let mut readings: Vec<_> = (0..6).map(|i| (i * 250, "51F99999", 0.9, 400.0)).collect();
        readings.extend((6..12).map(|i| (i * 250, "60A66666", 0.9, 400.0)));
        check(&readings, &["51F99999", "60A66666"]);
    }

    #[test]
    fn a_plate_that_vanishes_and_returns_is_the_same_vehicle_for_a_while() {
        let again = |start: UnixMs| (0..5).map(move |i| (start + i * 250, "51F99999", 0.9, 400.0));
        let soon: Vec<_> = again(0).chain(again(8_000)).collect();
        check(&soon, &["51F99999"]);
        let later: Vec<_> = again(0).chain(again(40_000)).collect();
        check(&later, &["51F99999", "51F99999"]);
    }

    #[test]
    fn two_lanes_in_one_picture_do_not_mix() {
        let readings: Vec<_> = (0..10)
            .map(|i| {
                (
                    i * 250,
                    if i % 2 == 0 { "51F99999" } else { "51F88888" },
                    0.9,
                    if i % 2 == 0 { 0.0 } else { 900.0 },
                )
            })
            .collect();
        check(&readings, &["51F99999", "51F88888"]);
    }
}
