//! The real tracker and the real counter on simulated walkers: bounds on wrong crossings, measured over many seeds.

use super::simulation::{HEIGHT, Kind, Scene, Sight, WIDTH, scene};
use super::{Doubt, LineCounter, Passage};
use crate::track::{Tracker, TrackerConfig};
use vong_wire::Direction;

/// Runs a scene; the passages that were counted.
fn count(scene: &Scene) -> Vec<Passage> {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut counter = LineCounter::new(&scene.line, WIDTH as u32, HEIGHT as u32);
    let mut counted = Vec::new();
    for (at_s, detections) in &scene.pictures {
        counted.extend_from_slice(counter.update(*at_s, tracker.step(*at_s, detections)));
    }
    counted.extend_from_slice(counter.finish());
    counted
}

/// What became of the crossings of some scenes.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    truth: u32,
    /// Each direction of each scene for itself, as the accuracy of counting is told.
    wrong: u32,
    /// The part of it that was counted without having been.
    invented: u32,
    walkers: u32,
}

fn over(kind: Kind, sight: Sight, seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let scene = scene(kind, sight, seed);
        let counted = count(&scene);
        for (way, truth) in [(Direction::In, scene.entered), (Direction::Out, scene.left)] {
            let found = counted.iter().filter(|passage| passage.direction == way).count() as u32;
            tally.truth += truth;
            tally.wrong += found.abs_diff(truth);
            tally.invented += found.saturating_sub(truth);
        }
        tally.walkers += scene.walkers;
    }
    tally
}

/// Shares of the walkers that may be counted wrongly, by picture rate.
fn check(sight: impl Fn(f32) -> Sight, bounds: &[(Kind, &[(f32, f32)])]) {
    for (kind, by_rate) in bounds {
        for &(fps, most) in *by_rate {
            let tally = over(*kind, sight(fps), 0..12);
            let share = tally.wrong as f32 / tally.walkers as f32;
            println!("{kind:?}, {fps} a second: {tally:?}");
            assert!(share <= most, "{kind:?} at {fps} a second: {share:.3} wrong, {tally:?}");
        }
    }
}

fn clear(fps: f32) -> Sight {
    Sight {
        fps,
        missing: 0.0,
        jitter: 0.02,
    }
}

/// Every third detection is missing, and boxes jitter by a twenty-fifth of their height.
fn poor(fps: f32) -> Sight {
    Sight {
        fps,
        missing: 0.3,
        jitter: 0.04,
    }
}

#[test]
fn walkers_seen_clearly() {
    let rates: &[(f32, f32)] = &[(3.0, 0.05), (5.0, 0.05), (10.0, 0.05), (15.0, 0.05), (30.0, 0.05)];
    check(clear, &Kind::ALL.map(|kind| (kind, rates)));
}

#[test]
fn walkers_of_whom_a_third_of_the_detections_is_missing() {
    let good: &[(f32, f32)] = &[(5.0, 0.04), (10.0, 0.02), (15.0, 0.02), (30.0, 0.02)];
    let lost: &[(f32, f32)] = &[(5.0, 0.16), (10.0, 0.03), (15.0, 0.02), (30.0, 0.02)];
    check(
        poor,
        &[
            (Kind::Crowd, good),
            (Kind::Stopping, good),
            (Kind::Turning, good),
            (Kind::Along, &[(5.0, 0.08), (10.0, 0.08), (15.0, 0.09), (30.0, 0.09)]),
            (Kind::Hidden, lost),
            (Kind::Edge, lost),
            (Kind::Behind, &[(5.0, 0.2), (10.0, 0.1), (15.0, 0.08), (30.0, 0.04)]),
        ],
    );
}

#[test]
fn at_one_or_two_pictures_a_second_much_is_missed_but_nothing_is_invented() {
    for kind in Kind::ALL {
        for sight in [clear(1.0), poor(1.0), clear(2.0), poor(2.0)] {
            let tally = over(kind, sight, 0..12);
            println!("{kind:?}, {sight:?}: {tally:?}");
            let share = tally.invented as f32 / tally.walkers as f32;
            assert!(share <= 0.15, "{kind:?}, {sight:?}: {share:.3} invented, {tally:?}");
        }
    }
}

#[test]
fn walkers_look_the_same_on_every_machine() {
    let scene = scene(Kind::Crowd, clear(10.0), 1);
    let sum: f64 = scene
        .pictures
        .iter()
        .flat_map(|(_, seen)| seen)
        .map(|seen| f64::from(seen.bbox.x1))
        .sum();
    assert_eq!((scene.entered + scene.left, scene.pictures.len()), (24, 544));
    assert!((sum - 531_356.57).abs() < 0.1, "{sum}");
}

/// Minutes whose truth lies within two standard deviations of the count, and all.
fn within_two(kind: Kind, sight: Sight, unseen_s: f64) -> (u32, u32) {
    let (mut good, mut all) = (0, 0);
    for seed in 0..24 {
        let mut scene = scene(kind, sight, seed);
        // The camera is away for a while in the middle of the minute.
        let away = 20.0..20.0 + unseen_s;
        scene.pictures.retain(|(at_s, _)| *at_s < 60.0 && !away.contains(at_s));
        let coverage = 1.0 - unseen_s as f32 / 60.0;
        let counted = count(&scene);
        for way in [Direction::In, Direction::Out] {
            let mut doubt = Doubt::default();
            let passages: Vec<_> = counted.iter().filter(|passage| passage.direction == way).collect();
            passages.iter().for_each(|passage| doubt.passage(passage.confidence));
            let truth = scene
                .crossed_s
                .iter()
                .filter(|(at_s, true_way)| *at_s < 60.0 && *true_way == way);
            let error = (truth.count() as f32 - passages.len() as f32).abs();
            good += u32::from(error <= 2.0 * doubt.deviation(coverage));
            all += 1;
        }
    }
    (good, all)
}

#[test]
fn the_truth_lies_within_two_standard_deviations() {
    let (mut good, mut all) = (0, 0);
    for kind in Kind::ALL {
        for sight in [clear(10.0), poor(10.0), clear(5.0), poor(5.0)] {
            for unseen_s in [0.0, 6.0, 15.0, 30.0] {
                let (within, minutes) = within_two(kind, sight, unseen_s);
                println!("{kind:?}, {sight:?}, {unseen_s} s unseen: {within} of {minutes}");
                good += within;
                all += minutes;
            }
        }
    }
    let share = f64::from(good) / f64::from(all);
    println!("within two standard deviations: {good} of {all}");
    assert!(share >= 0.9, "{share:.3} of {all} minutes");
}

/// Writes the scenes out, for other counters: `VONG_SCENES=FILE cargo test --release -p vong-edge scenes_written`.
#[test]
fn scenes_written_out() {
    let Some(path) = std::env::var_os("VONG_SCENES") else {
        return;
    };
    let mut scenes = Vec::new();
    for kind in Kind::ALL {
        for sight in [1.0, 2.0, 5.0, 10.0, 30.0]
            .into_iter()
            .flat_map(|fps| [clear(fps), poor(fps)])
        {
            for seed in 0..12 {
                let scene = scene(kind, sight, seed);
                let counted = count(&scene);
                let of = |way| counted.iter().filter(|passage| passage.direction == way).count();
                let boxes = |seen: &Vec<vong_models::Detection>| -> Vec<[f32; 5]> {
                    seen.iter()
                        .map(|d| [d.bbox.x1, d.bbox.y1, d.bbox.x2, d.bbox.y2, d.score])
                        .collect()
                };
                scenes.push(serde_json::json!({
                    "kind": format!("{kind:?}"), "fps": sight.fps, "missing": sight.missing, "seed": seed,
                    "picture": [WIDTH, HEIGHT], "line": scene.line.points, "walkers": scene.walkers,
                    "in": scene.entered, "out": scene.left,
                    "ours": [of(Direction::In), of(Direction::Out)],
                    "pictures": scene.pictures.iter().map(|(_, seen)| boxes(seen)).collect::<Vec<_>>(),
                }));
            }
        }
    }
    std::fs::write(path, serde_json::to_vec(&scenes).unwrap()).unwrap();
}
