//! Tracks become counts. Invariant: a whole passage over the line is counted once; dwelling on it, turning back on it,
//! jitter and walking along it are counted not at all. Knows tracks and one line; knows nothing of pictures.
//!
//! A track has a side only once it is clearly on it: a band on both sides of the line belongs to neither (hysteresis).
//! A passage is counted when the track is clearly on the other side, and dated back to the moment at which it went over.
//! Only places where a track was really seen are looked at; in between it is taken to have walked straight.

mod line;
mod passage;
mod uncertainty;

pub use line::LineSpec;
pub use passage::Passage;
pub use uncertainty::Doubt;

use crate::config::CountedClass;
use crate::track::{Track, TrackState};
use line::Line;
use passage::Walk;
use std::collections::HashMap;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

/// Room from the start, so that it need not grow in the middle of a rush.
const USUAL_TRACKS: usize = 112;

/// Counts the passages of tracks over one line.
#[derive(Debug)]
pub struct LineCounter {
    line: Line,
    class: CountedClass,
    walks: HashMap<u64, Walk>,
    passages: Vec<Passage>,
    round: u64,
}

impl LineCounter {
    /// A counter for pictures of `width` x `height` pixels.
    pub fn new(spec: &LineSpec, width: u32, height: u32) -> Self {
        Self {
            line: Line::new(spec, width as f32, height as f32),
            class: spec.class,
            walks: HashMap::with_capacity(USUAL_TRACKS),
            passages: Vec::new(),
            round: 0,
        }
    }

    /// Takes in the tracks of one picture, as [`crate::track::Tracker::step`] returns them, and says which passages
    /// are now certain. A track that is no longer among them has ended.
    pub fn update(&mut self, at_s: f64, tracks: &[Track]) -> &[Passage] {
        self.passages.clear();
        self.round += 1;
        for track in tracks {
            let walk = self.walks.entry(track.id).or_insert_with(|| Walk::new(track));
            walk.round = self.round;
            walk.confirmed |= track.confirmed;
            walk.class = track.class;
            let sighted = track.state != TrackState::Coasting && track.last_seen_s >= at_s;
            if sighted {
                walk.sighted(at_s, track, &self.line);
            }
            if walk.confirmed && counts(self.class, walk.class) {
                self.passages.extend(walk.take_done());
            }
        }
        let (line, class, round, passages) = (&self.line, self.class, self.round, &mut self.passages);
        self.walks.retain(|_, walk| {
            let alive = walk.round == round;
            if !alive && walk.confirmed && counts(class, walk.class) {
                passages.extend(walk.ended(line));
            }
            alive
        });
        &self.passages
    }

    /// Ends all tracks, at the end of a clip or when the counter is replaced.
    pub fn finish(&mut self) -> &[Passage] {
        self.update(f64::INFINITY, &[])
    }
}

fn counts(counted: CountedClass, class: vong_wire::ObjectClass) -> bool {
    match counted {
        CountedClass::Person => !class.is_vehicle(),
        CountedClass::Vehicle => class.is_vehicle(),
    }
}
