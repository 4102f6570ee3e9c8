//! Counts by the minute. Invariant: every minute in which the camera was awake gives one count a line, with the share
//! of its seconds that was really seen, where frames were given up in part; the running totals are the outbox's.

use crate::count::{Doubt, Passage};
use crate::outbox::Draft;
use std::collections::BTreeMap;
use vong_wire::{BootId, CameraId, Count, Direction, LineId, UnixMs};

const MINUTE_MS: UnixMs = 60_000;
/// Minutes by which frames' times may step back, as they do a little where a clip begins again; more is a new clock.
const STEPS_BACK: i64 = 5;

/// One direction of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Way {
    number: u32,
    doubt: Doubt,
}

/// The current minute of a camera's lines.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minutes {
    boot: BootId,
    camera: CameraId,
    crossed: BTreeMap<LineId, [Way; 2]>,
    minute: Option<UnixMs>,
    /// Frames of each second.
    seconds: [u8; 60],
    /// A bit a second in which frames were given up.
    shed: u64,
    /// The next frame follows on some that were given up.
    after_shed: bool,
}

/// Where frames were given up, a second with fewer than this is seen in part: between two looks a walker goes a pace.
const ENOUGH_A_SECOND: u8 = 4;

impl Minutes {
    pub(super) fn new(boot: BootId, camera: CameraId, lines: Vec<LineId>) -> Self {
        let crossed = lines.into_iter().map(|line| (line, Default::default())).collect();
        Self {
            boot,
            camera,
            crossed,
            minute: None,
            seconds: [0; 60],
            shed: 0,
            after_shed: false,
        }
    }

    /// A frame came; the counts of the minute before, if it began a new one.
    pub(super) fn frame(&mut self, at_ms: UnixMs) -> Vec<Draft> {
        let minute = at_ms.div_euclid(MINUTE_MS);
        // A minute that was told is not opened again: told twice, the second would stand in the place of the first.
        let minute = match self.minute {
            Some(current) if (current - STEPS_BACK..current).contains(&minute) => current,
            _ => minute,
        };
        let done = if self.minute.is_some_and(|current| current != minute) {
            self.close()
        } else {
            Vec::new()
        };
        self.minute = Some(minute);
        let second = (at_ms.rem_euclid(MINUTE_MS) / 1_000) as usize;
        self.seconds[second] = self.seconds[second].saturating_add(1);
        self.shed |= u64::from(std::mem::take(&mut self.after_shed)) << second;
        done
    }

    /// So many frames before the next one were given up.
    pub(super) fn shed(&mut self, frames: u32) {
        self.after_shed |= frames > 0;
    }

    /// Takes over the state of another of the same camera, in the memory that is there.
    pub(super) fn copy(&mut self, other: &Self) {
        (self.minute, self.seconds, self.shed) = (other.minute, other.seconds, other.shed);
        self.after_shed = other.after_shed;
        for (line, crossed) in &other.crossed {
            match self.crossed.get_mut(line) {
                Some(own) => *own = *crossed,
                None => drop(self.crossed.insert(line.clone(), *crossed)),
            }
        }
    }

    /// The share of the minute that was seen.
    fn coverage(&self) -> f32 {
        let seen = |(second, frames): (usize, &u8)| match (frames, self.shed >> second & 1) {
            (0, _) => 0.0,
            (_, 0) => 1.0,
            (frames, _) => f32::from(*frames.min(&ENOUGH_A_SECOND)) / f32::from(ENOUGH_A_SECOND),
        };
        self.seconds.iter().enumerate().map(seen).sum::<f32>() / 60.0
    }

    /// A line was crossed.
    pub(super) fn crossed(&mut self, line: &LineId, passage: &Passage) {
        let [entered, left] = self.crossed.entry(line.clone()).or_default();
        let way = match passage.direction {
            Direction::In => entered,
            Direction::Out => left,
        };
        way.number += 1;
        way.doubt.passage(passage.confidence);
    }

    /// The counts of the minute that the end cuts short.
    pub(super) fn finish(&mut self) -> Vec<Draft> {
        let done = if self.minute.is_some() {
            self.close()
        } else {
            Vec::new()
        };
        self.minute = None;
        done
    }

    fn close(&mut self) -> Vec<Draft> {
        let minute_ms = self.minute.unwrap_or(0) * MINUTE_MS;
        let coverage = self.coverage();
        (self.seconds, self.shed) = ([0; 60], 0);
        let (boot, camera) = (self.boot, &self.camera);
        let count = |(line, crossed): (&LineId, &mut [Way; 2])| {
            let [entered, left] = std::mem::take(crossed);
            Draft::Count(Count {
                seq: 0,
                boot,
                camera: camera.clone(),
                line: line.clone(),
                minute_ms,
                entered: entered.number,
                left: left.number,
                epoch_ms: 0,
                total_in: 0,
                total_out: 0,
                coverage,
                in_sd: Some(entered.doubt.deviation(coverage)),
                out_sd: Some(left.doubt.deviation(coverage)),
                sent_ms: 0,
            })
        };
        self.crossed.iter_mut().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(direction: Direction) -> Passage {
        Passage {
            direction,
            track: 1,
            class: vong_wire::ObjectClass::Person,
            at_s: 0.0,
            confidence: 0.9,
        }
    }

    #[test]
    fn a_minute_tells_how_uncertain_it_is() {
        let line = LineId::new("main").unwrap();
        let mut minutes = Minutes::new(BootId::generate(), CameraId::new("gate").unwrap(), vec![line.clone()]);
        for second in 0..60 {
            minutes.frame(second * 1_000);
        }
        minutes.crossed(&line, &passage(Direction::In));
        let [Draft::Count(count)] = &minutes.finish()[..] else {
            panic!("not one count")
        };
        assert!(
            count.in_sd.is_some_and(|sd| (sd - 0.19_f32.sqrt()).abs() < 1e-4),
            "{count:?}"
        );
        assert!(count.out_sd.is_some_and(|sd| sd.abs() < 1e-4), "{count:?}");
    }

    fn counts(drafts: Vec<Draft>) -> Vec<(UnixMs, u32, u32, f32)> {
        let parts = |draft| match draft {
            Draft::Count(count) => (count.minute_ms, count.entered, count.left, count.coverage),
            other => panic!("{other:?} is no count"),
        };
        drafts.into_iter().map(parts).collect()
    }

    #[test]
    fn a_second_of_which_frames_were_given_up_is_seen_in_part() {
        let line = LineId::new("main").unwrap();
        let mut minutes = Minutes::new(BootId::generate(), CameraId::new("gate").unwrap(), vec![line]);
        for half in 0..120 {
            // Half of the minute at two frames a second instead of many, the rest as the camera gives them.
            minutes.shed(if half < 60 { 11 } else { 0 });
            assert!(minutes.frame(60_000 + half * 500).is_empty());
        }
        assert_eq!(counts(minutes.finish()), [(60_000, 0, 0, 0.75)]);
    }

    #[test]
    fn a_minute_is_told_when_the_next_begins_with_its_coverage() {
        let line = LineId::new("main").unwrap();
        let mut minutes = Minutes::new(BootId::generate(), CameraId::new("gate").unwrap(), vec![line.clone()]);
        assert!(minutes.finish().is_empty(), "no frame, no minute");
        for second in 0..30 {
            assert!(minutes.frame(120_000 + second * 1_000).is_empty());
        }
        for direction in [Direction::In, Direction::In, Direction::Out] {
            minutes.crossed(&line, &passage(direction));
        }
        assert_eq!(counts(minutes.frame(180_000)), [(120_000, 2, 1, 0.5)]);
        assert!(minutes.frame(179_900).is_empty(), "a step back opens no minute again");
        assert_eq!(counts(minutes.finish()), [(180_000, 0, 0, 2.0 / 60.0)]);
    }
}
