//! Walks of one box past a line, given as a list of places of its centre.

use super::*;
use vong_models::BBoxPx;
use vong_wire::{Direction, ObjectClass};

/// A track whose box has its centre at (x, y) of a 1000 x 1000 picture.
fn track(id: u64, at_s: f64, (x, y): (f32, f32)) -> Track {
    Track {
        id,
        bbox: BBoxPx::new(x - 20.0, y - 50.0, x + 20.0, y + 50.0),
        velocity: [0.0; 2],
        class: ObjectClass::Person,
        score: 0.9,
        state: TrackState::Seen,
        born_s: 0.0,
        last_seen_s: at_s,
        sightings: 9,
        confirmed: true,
    }
}

struct Case {
    name: &'static str,
    line: [f32; 4],
    walk: Vec<(f32, f32)>,
    counts: (u32, u32),
}

/// Walks at ten places a second; returns in and out.
fn count(spec: &LineSpec, walk: &[(f32, f32)]) -> (u32, u32) {
    let mut counter = LineCounter::new(spec, 1000, 1000);
    let mut seen = Vec::new();
    for (n, &place) in walk.iter().enumerate() {
        let at_s = n as f64 / 10.0;
        seen.extend_from_slice(counter.update(at_s, &[track(1, at_s, place)]));
    }
    seen.extend_from_slice(counter.finish());
    let of = |way| seen.iter().filter(|passage| passage.direction == way).count() as u32;
    (of(Direction::In), of(Direction::Out))
}

fn check(case: Case) {
    let spec = LineSpec {
        points: case.line,
        class: CountedClass::Person,
    };
    assert_eq!(count(&spec, &case.walk), case.counts, "{}", case.name);
    let [x1, y1, x2, y2] = case.line;
    let turned = LineSpec {
        points: [x2, y2, x1, y1],
        class: CountedClass::Person,
    };
    let (entered, left) = case.counts;
    assert_eq!(
        count(&turned, &case.walk),
        (left, entered),
        "{}, line turned round",
        case.name
    );
    let vehicles = LineSpec {
        class: CountedClass::Vehicle,
        ..spec
    };
    assert_eq!(count(&vehicles, &case.walk), (0, 0), "{}, vehicles", case.name);
}

fn straight(from: (f32, f32), to: (f32, f32), steps: usize) -> Vec<(f32, f32)> {
    let at = |n: usize| n as f32 / steps as f32;
    (0..=steps)
        .map(|n| (from.0 + at(n) * (to.0 - from.0), from.1 + at(n) * (to.1 - from.1)))
        .collect()
}

fn joined(parts: &[Vec<(f32, f32)>]) -> Vec<(f32, f32)> {
    parts.concat()
}

const LEVEL: [f32; 4] = [0.0, 0.5, 1.0, 0.5];
const UPRIGHT: [f32; 4] = [0.5, 0.0, 0.5, 1.0];
const SHORT: [f32; 4] = [0.3, 0.5, 0.7, 0.5];

#[test]
fn walks_past_a_line() {
    let dwell: Vec<_> = (0..200)
        .map(|n| (500.0, 500.0 + if n % 3 == 0 { 6.0 } else { -6.0 }))
        .collect();
    for case in [
        Case {
            name: "down is in",
            line: LEVEL,
            walk: straight((500.0, 300.0), (500.0, 700.0), 40),
            counts: (1, 0),
        },
        Case {
            name: "from right to left is in",
            line: UPRIGHT,
            walk: straight((700.0, 500.0), (300.0, 500.0), 40),
            counts: (1, 0),
        },
        Case {
            name: "one great step",
            line: LEVEL,
            walk: straight((500.0, 300.0), (500.0, 700.0), 1),
            counts: (1, 0),
        },
        Case {
            name: "there and back",
            line: LEVEL,
            walk: joined(&[
                straight((500.0, 300.0), (500.0, 700.0), 40),
                straight((500.0, 700.0), (500.0, 300.0), 40),
            ]),
            counts: (1, 1),
        },
        Case {
            name: "dwelling on the line, then on",
            line: LEVEL,
            walk: joined(&[
                straight((500.0, 300.0), (500.0, 500.0), 20),
                dwell.clone(),
                straight((500.0, 500.0), (500.0, 700.0), 20),
            ]),
            counts: (1, 0),
        },
        Case {
            name: "dwelling on the line, then back",
            line: LEVEL,
            walk: joined(&[
                straight((500.0, 300.0), (500.0, 500.0), 20),
                dwell,
                straight((500.0, 500.0), (500.0, 300.0), 20),
            ]),
            counts: (0, 0),
        },
        Case {
            name: "walking along it",
            line: LEVEL,
            walk: (0..100)
                .map(|n| (n as f32 * 10.0, 496.0 + (n % 5) as f32 * 2.0))
                .collect(),
            counts: (0, 0),
        },
        Case {
            name: "past its end",
            line: SHORT,
            walk: straight((800.0, 300.0), (800.0, 700.0), 40),
            counts: (0, 0),
        },
        Case {
            name: "round its end and back over it",
            line: SHORT,
            walk: joined(&[
                straight((800.0, 300.0), (800.0, 700.0), 40),
                straight((800.0, 700.0), (500.0, 700.0), 40),
                straight((500.0, 700.0), (500.0, 300.0), 40),
            ]),
            counts: (0, 1),
        },
        Case {
            name: "gone just beyond the line",
            line: LEVEL,
            walk: straight((500.0, 300.0), (500.0, 506.0), 40),
            counts: (1, 0),
        },
        Case {
            name: "gone just before the line",
            line: LEVEL,
            walk: straight((500.0, 300.0), (500.0, 496.0), 40),
            counts: (0, 0),
        },
    ] {
        check(case);
    }
}

#[test]
fn a_passage_is_dated_to_the_moment_on_the_line() {
    let spec = LineSpec {
        points: LEVEL,
        class: CountedClass::Person,
    };
    let mut counter = LineCounter::new(&spec, 1000, 1000);
    let mut seen = Vec::new();
    for (n, place) in straight((500.0, 405.0), (500.0, 605.0), 20).into_iter().enumerate() {
        let at_s = n as f64 / 10.0;
        seen.extend_from_slice(counter.update(at_s, &[track(7, at_s, place)]));
    }
    let [passage] = seen[..] else {
        panic!("{} passages", seen.len())
    };
    assert_eq!(passage.track, 7);
    assert!((passage.at_s - 0.95).abs() < 1e-3, "dated {} s", passage.at_s);
}

#[test]
fn an_unconfirmed_track_counts_once_it_is_believed() {
    let spec = LineSpec {
        points: LEVEL,
        class: CountedClass::Person,
    };
    let mut counter = LineCounter::new(&spec, 1000, 1000);
    for (n, place) in straight((500.0, 300.0), (500.0, 700.0), 4).into_iter().enumerate() {
        let new = Track {
            confirmed: false,
            state: TrackState::New,
            ..track(1, n as f64, place)
        };
        assert_eq!(counter.update(n as f64, &[new]), []);
    }
    assert_eq!(counter.update(5.0, &[track(1, 5.0, (500.0, 710.0))]).len(), 1);
}
