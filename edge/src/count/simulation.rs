//! Simulated walkers with known truth. Invariant: a scene is made by its kind, its conditions and its seed alone, by
//! arithmetic of our own, so that it is the same on every machine and for ever.
//!
//! People walk along given ways; what a detector would make of them is derived: those behind others are hidden, boxes
//! jitter, some detections are missing, some are of nothing.

use super::LineSpec;
use crate::config::CountedClass;
use vong_models::{BBoxPx, Detection};
use vong_wire::{Direction, ObjectClass};

/// The picture, px.
pub(super) const WIDTH: f32 = 960.0;
pub(super) const HEIGHT: f32 = 540.0;
/// A person, px.
const TALL: f32 = 120.0;
const WIDE: f32 = 46.0;
/// A brisk walk: 1.4 m/s at 1.7 m of height, px/s.
const WALK: f32 = TALL * 0.82;

/// What happens in a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Many at once, both ways, each on his own way.
    Crowd,
    /// A queue: one behind another on one way.
    Behind,
    /// Something hides everybody for a second at the line.
    Hidden,
    /// Standing on the line for a while, then on or back.
    Stopping,
    /// Turning back before the line or well beyond it.
    Turning,
    /// Walking along the line, close to it.
    Along,
    /// The line is close to the picture's edge, where people appear and vanish.
    Edge,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Crowd,
        Self::Behind,
        Self::Hidden,
        Self::Stopping,
        Self::Turning,
        Self::Along,
        Self::Edge,
    ];
}

/// How well it is seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// Pictures a second.
    pub(super) fps: f32,
    /// Share of detections that are missing.
    pub(super) missing: f32,
    /// Standard deviation of a box's edges, in shares of its height.
    pub(super) jitter: f32,
}

/// A scene as the counter is given it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) line: LineSpec,
    pub(super) entered: u32,
    pub(super) left: u32,
    pub(super) walkers: u32,
    /// When each true crossing was, s.
    pub(super) crossed_s: Vec<(f32, Direction)>,
    /// Pictures: time and detections.
    pub(super) pictures: Vec<(f64, Vec<Detection>)>,
}

/// Numbers from a seed (SplitMix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to `to`, evenly.
    pub(super) fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn chance(&mut self, share: f32) -> bool {
        self.between(0.0, 1.0) < share
    }

    /// About normal, deviation 1: the sum of twelve (Irwin-Hall).
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.between(0.0, 1.0)).sum::<f32>() - 6.0
    }
}

/// A place of a way: when, and where the middle of the body is.
type Stop = (f32, f32, f32);

/// One person's way, not in the picture before its first place and after its last.
#[derive(Debug, Default)]
struct Walker {
    way: Vec<Stop>,
    /// Hidden from ... to, s.
    hidden: (f32, f32),
}

impl Walker {
    /// Begins at a place.
    fn at(when: f32, x: f32, y: f32) -> Self {
        Self {
            way: vec![(when, x, y)],
            hidden: (0.0, 0.0),
        }
    }

    /// Walks on to a place.
    fn to(mut self, x: f32, y: f32, speed: f32) -> Self {
        if let Some(&(when, x0, y0)) = self.way.last() {
            self.way.push((when + (x - x0).hypot(y - y0) / speed, x, y));
        }
        self
    }

    /// Stands there.
    fn wait(mut self, seconds: f32) -> Self {
        if let Some(&(when, x, y)) = self.way.last() {
            self.way.push((when + seconds, x, y));
        }
        self
    }

    fn place(&self, at_s: f32) -> Option<(f32, f32)> {
        let (before, after) = self
            .way
            .iter()
            .zip(self.way.iter().skip(1))
            .find(|(before, after)| (before.0..after.0).contains(&at_s))?;
        let share = (at_s - before.0) / (after.0 - before.0);
        Some((
            before.1 + share * (after.1 - before.1),
            before.2 + share * (after.2 - before.2),
        ))
    }
}

/// Makes a scene of about a minute.
pub(super) fn scene(kind: Kind, sight: Sight, seed: u64) -> Scene {
    let mut dice = Dice::new(seed.wrapping_mul(64).wrapping_add(kind as u64));
    // Level, in the middle; the edge's is upright and close to the right edge, "in" from right to left.
    let line_x = WIDTH * 0.95;
    let points = match kind {
        Kind::Edge => [0.95, 0.0, 0.95, 1.0],
        _ => [0.0, 0.5, 1.0, 0.5],
    };
    let mut walkers = Vec::new();
    let groups = if matches!(kind, Kind::Crowd) { 24 } else { 8 };
    for number in 0..groups {
        let when = number as f32 * 48.0 / groups as f32 + dice.between(0.0, 3.0);
        let speed = WALK * dice.between(0.7, 1.3);
        let down = dice.chance(0.5);
        let (from, to) = if down {
            (HEIGHT * 0.12, HEIGHT * 0.88)
        } else {
            (HEIGHT * 0.88, HEIGHT * 0.12)
        };
        let x = dice.between(WIDTH * 0.1, WIDTH * 0.9);
        let drift = dice.between(-80.0, 80.0);
        let line_y = HEIGHT * 0.5;
        match kind {
            Kind::Crowd => walkers.push(Walker::at(when, x, from).to(x + drift, to, speed)),
            Kind::Behind => {
                let gap_s = TALL * dice.between(0.5, 0.9) / speed;
                for place in 0..3 {
                    walkers.push(Walker::at(when + gap_s * place as f32, x, from).to(x + drift * 0.2, to, speed));
                }
            }
            Kind::Hidden => {
                let mut walker = Walker::at(when, x, from).to(x + drift, to, speed);
                let middle = (walker.way[0].0 + walker.way[1].0) / 2.0 + dice.between(-0.4, 0.4);
                walker.hidden = (middle - 0.5, middle + 0.5);
                walkers.push(walker);
            }
            Kind::Stopping => {
                let stand = line_y + dice.between(-5.0, 5.0);
                let end = if dice.chance(0.5) { to } else { from };
                let walker = Walker::at(when, x, from).to(x + drift, stand, speed);
                walkers.push(walker.wait(dice.between(2.0, 8.0)).to(x, end, speed));
            }
            Kind::Turning => {
                let side = if down { -1.0 } else { 1.0 };
                let turn = if dice.chance(0.5) {
                    line_y + side * dice.between(10.0, 60.0)
                } else {
                    line_y - side * dice.between(30.0, 120.0)
                };
                walkers.push(Walker::at(when, x, from).to(x + drift, turn, speed).to(x, from, speed));
            }
            Kind::Along => {
                let height = line_y + dice.between(-25.0, 25.0);
                let height = if (height - line_y).abs() < 4.0 {
                    line_y + 4.0
                } else {
                    height
                };
                let (start, end) = if down { (60.0, 900.0) } else { (900.0, 60.0) };
                walkers.push(Walker::at(when, start, height).to(end, height, speed));
            }
            Kind::Edge => {
                let y = dice.between(HEIGHT * 0.2, HEIGHT * 0.8);
                let (start, end) = if down {
                    (WIDTH * 0.55, WIDTH + 40.0)
                } else {
                    (WIDTH + 40.0, WIDTH * 0.55)
                };
                walkers.push(Walker::at(when, start, y).to(end, y + drift * 0.5, speed));
            }
        }
    }
    let mut crossed_s = Vec::new();
    for walker in &walkers {
        // Signed distance; the sides that count are those of whole passages.
        let side = |stop: &Stop| {
            if kind == Kind::Edge {
                line_x - stop.1
            } else {
                stop.2 - HEIGHT * 0.5
            }
        };
        let clear: Vec<&Stop> = walker.way.iter().filter(|stop| side(stop).abs() > 6.0).collect();
        for (before, after) in clear.iter().zip(clear.iter().skip(1)) {
            let (d0, d1) = (side(before), side(after));
            if d0.signum() == d1.signum() {
                continue;
            }
            let at_s = before.0 + (after.0 - before.0) * d0.abs() / (d0.abs() + d1.abs());
            crossed_s.push((at_s, if d1 > 0.0 { Direction::In } else { Direction::Out }));
        }
    }
    let end_s = walkers
        .iter()
        .flat_map(|walker| &walker.way)
        .fold(0.0_f32, |end, stop| end.max(stop.0))
        + 4.0;
    let pictures = (0..(end_s * sight.fps) as u32)
        .map(|n| {
            let at_s = n as f32 / sight.fps;
            (f64::from(at_s), look(&walkers, at_s, sight, &mut dice))
        })
        .collect();
    let of = |way| crossed_s.iter().filter(|(_, direction)| *direction == way).count() as u32;
    let (entered, left) = (of(Direction::In), of(Direction::Out));
    Scene {
        line: LineSpec {
            points,
            class: CountedClass::Person,
        },
        entered,
        left,
        walkers: walkers.len() as u32,
        crossed_s,
        pictures,
    }
}

/// What a detector finds of the walkers.
fn look(walkers: &[Walker], at_s: f32, sight: Sight, dice: &mut Dice) -> Vec<Detection> {
    let mut bodies: Vec<BBoxPx> = walkers
        .iter()
        .filter(|walker| !(walker.hidden.0..walker.hidden.1).contains(&at_s))
        .filter_map(|walker| walker.place(at_s))
        .map(|(x, y)| BBoxPx::new(x - WIDE / 2.0, y - TALL / 2.0, x + WIDE / 2.0, y + TALL / 2.0))
        .collect();
    // The nearest first: their feet are lowest.
    bodies.sort_by(|a, b| b.y2.total_cmp(&a.y2));
    let mut seen: Vec<Detection> = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let covered = bodies[..n].iter().map(|other| overlap(other, body)).fold(0.0, f32::max);
        let shown = overlap(&BBoxPx::new(0.0, 0.0, WIDTH, HEIGHT), body);
        // Detectors lose those of whom less than a third is to be seen.
        if covered > 0.65 || shown < 0.35 || dice.chance(sight.missing) {
            continue;
        }
        let mut edge = |value: f32, most: f32| (value + dice.normal() * sight.jitter * TALL).clamp(0.0, most);
        let bbox = BBoxPx::new(
            edge(body.x1, WIDTH),
            edge(body.y1, HEIGHT),
            edge(body.x2, WIDTH),
            edge(body.y2, HEIGHT),
        );
        let score = (0.78 - 0.4 * covered - 0.2 * (1.0 - shown) + 0.08 * dice.normal()).clamp(0.15, 0.95);
        seen.push(person(bbox, score));
    }
    if dice.chance(0.02) {
        let (x, y) = (dice.between(50.0, 900.0), dice.between(60.0, 480.0));
        seen.push(person(
            BBoxPx::new(x - 20.0, y - 50.0, x + 20.0, y + 50.0),
            dice.between(0.2, 0.5),
        ));
    }
    seen
}

fn person(bbox: BBoxPx, score: f32) -> Detection {
    Detection {
        bbox,
        score,
        class: ObjectClass::Person,
    }
}

/// Share of `body` that lies within `other`.
fn overlap(other: &BBoxPx, body: &BBoxPx) -> f32 {
    let wide = (other.x2.min(body.x2) - other.x1.max(body.x1)).max(0.0);
    let tall = (other.y2.min(body.y2) - other.y1.max(body.y1)).max(0.0);
    wide * tall / (body.width() * body.height())
}
