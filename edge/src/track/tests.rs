//! Tracks of simple scenes; the hard ones are in the tests of the counter.

use super::*;
use std::time::Instant;

fn person(x: f32, y: f32, score: f32) -> Detection {
    Detection {
        bbox: BBoxPx::new(x - 15.0, y - 40.0, x + 15.0, y + 40.0),
        score,
        class: ObjectClass::Person,
    }
}

#[test]
fn one_walker_is_one_track_at_any_rate() {
    for fps in [1.0, 2.0, 5.0, 10.0, 30.0] {
        let mut tracker = Tracker::new(TrackerConfig {
            unconfirmed_s: 1.5,
            ..TrackerConfig::default()
        });
        let mut ids = Vec::new();
        for n in 0..(8.0 * fps) as usize {
            let at_s = n as f64 / fps;
            ids.extend(
                tracker
                    .step(at_s, &[person(100.0 + 45.0 * at_s as f32, 200.0, 0.8)])
                    .iter()
                    .map(|track| track.id),
            );
        }
        ids.dedup();
        assert_eq!(ids, [1], "{fps} frames a second");
    }
}

#[test]
fn a_second_behind_a_pillar_keeps_the_id() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut last = Vec::new();
    for n in 0..60 {
        let hidden = (25..36).contains(&n);
        let seen = person(100.0 + 4.0 * n as f32, 200.0, 0.8);
        let at_s = f64::from(n) / 10.0;
        let tracks = tracker.step(at_s, if hidden { &[] } else { std::slice::from_ref(&seen) });
        if hidden {
            assert_eq!(tracks[0].state, TrackState::Coasting);
        }
        last = tracks.iter().map(|track| (track.id, track.state)).collect();
    }
    assert_eq!(last, [(1, TrackState::Seen)]);
}

#[test]
fn how_long_one_is_shown_behind_another_is_not_a_matter_of_rounding() {
    for origin_s in [0.0, 0.3, 7.7, 1000.1, 86_400.4] {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut shown = Vec::new();
        for n in 0..40 {
            let at_s = origin_s + f64::from(n) / 10.0;
            // Two stand close; from the thirtieth picture on the one behind is not found.
            let both = [person(100.0, 200.0, 0.8), person(112.0, 194.0, 0.8)];
            tracker.step(at_s, if n < 30 { &both } else { &both[..1] });
            shown.push(Tracker::present(tracker.tracks(), at_s).count());
        }
        assert_eq!(shown[28..36], [2, 2, 2, 2, 1, 1, 1, 1], "from {origin_s} s on");
    }
}

#[test]
fn one_found_twice_is_one_track_and_a_neighbour_is_another() {
    for (apart, tracks) in [(9.0, 1), (16.0, 2)] {
        let mut tracker = Tracker::new(TrackerConfig::default());
        for n in 0..10 {
            let seen = [person(100.0, 200.0, 0.8), person(100.0 + apart, 200.0, 0.6)];
            tracker.step(f64::from(n) / 10.0, &seen);
        }
        assert_eq!(tracker.tracks().len(), tracks, "{apart} px apart");
    }
}

#[test]
fn who_walks_out_is_seen_within_the_picture() {
    let picture = RgbImage::new(320, 240);
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut beyond = false;
    for n in 0..30 {
        let mut seen = person(200.0 + 4.5 * n as f32, 120.0, 0.8);
        seen.bbox = seen.bbox.clipped(320.0, 240.0);
        for track in tracker.step_with(f64::from(n) / 10.0, &picture, &[seen]) {
            assert!(track.bbox.x2 <= 320.0, "{:?}", track.bbox);
        }
        beyond |= tracker
            .followed
            .iter()
            .any(|followed| followed.filter.bbox().x2 > 320.0);
    }
    assert!(beyond, "the filter runs on, or this test shows nothing");
}

#[test]
fn an_unsure_detection_continues_a_track_but_begins_none() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    for n in 0..10 {
        assert!(
            tracker
                .step(f64::from(n) / 10.0, &[person(100.0, 200.0, 0.2)])
                .is_empty()
        );
    }
    for n in 10..30 {
        tracker.step(
            f64::from(n) / 10.0,
            &[person(100.0 + 6.0 * (n - 10) as f32, 200.0, 0.7)],
        );
    }
    for n in 30..90 {
        tracker.step(f64::from(n) / 10.0, &[person(220.0, 200.0, 0.2)]);
    }
    assert_eq!(tracker.tracks().len(), 1);
    assert_eq!(tracker.tracks()[0].state, TrackState::Seen);
}

#[test]
fn a_cone_that_now_and_then_looks_like_a_person_is_no_track() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    for n in 0..3000 {
        // A high score comes now and then; the box jumps a little, as boxes of small things do.
        let score = [0.45, 0.3, 0.5, 0.41, 0.62, 0.2, 0.43][n % 7];
        let jump = [0.0, 2.0, -1.0, 3.0][n % 4];
        let at_s = n as f64 / 10.0;
        for track in tracker.step(at_s, &[person(100.0 + jump, 200.0, score)]) {
            assert_eq!(track.state, TrackState::New, "believed at {at_s} s");
        }
    }
}

#[test]
fn ids_are_given_once_and_rise() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let mut highest = 0;
    for n in 0..400 {
        // A new person every two seconds, far from the one before.
        let place = (n / 20 * 137 % 900) as f32;
        for track in tracker.step(f64::from(n) / 10.0, &[person(place, 300.0, 0.8)]) {
            assert!(track.id + 3 >= highest, "id {} came after {highest}", track.id);
            highest = highest.max(track.id);
        }
    }
    assert!(highest >= 15, "{highest} ids for 20 persons");
}

#[test]
fn who_stands_in_a_still_picture_is_kept_and_who_was_not_seen_in_it_is_not() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let (stays, leaves) = (person(100.0, 200.0, 0.8), person(400.0, 200.0, 0.8));
    for n in 0..10 {
        tracker.step(f64::from(n) / 10.0, &[stays, leaves]);
    }
    // The last thing that moves, at 1 s, is one of them, who goes.
    for n in 10..20 {
        tracker.step(f64::from(n) / 10.0, &[stays]);
    }
    for n in 20..300 {
        tracker.hold(1.0, f64::from(n) / 10.0);
    }
    assert_eq!(tracker.tracks().iter().map(|track| track.id).collect::<Vec<_>>(), [1]);
    for n in 300..340 {
        tracker.coast(f64::from(n) / 10.0);
    }
    assert!(
        tracker.tracks().is_empty(),
        "nobody is kept for ever once something moves"
    );
}

#[test]
fn a_person_never_becomes_a_car() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    for n in 0..10 {
        tracker.step(f64::from(n) / 10.0, &[person(100.0, 200.0, 0.8)]);
    }
    let car = Detection {
        class: ObjectClass::Car,
        ..person(100.0, 200.0, 0.8)
    };
    for n in 10..14 {
        tracker.step(f64::from(n) / 10.0, &[car]);
    }
    let classes: Vec<_> = tracker.tracks().iter().map(|track| track.class).collect();
    assert_eq!(classes, [ObjectClass::Person, ObjectClass::Car]);
}

#[test]
fn crowds_are_followed_in_time() {
    for (walkers, limit_ms) in [(50, 0.1), (200, 1.0)] {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let mut detections = Vec::new();
        let mut fastest_ms = f64::INFINITY;
        for n in 0..200 {
            detections.clear();
            for k in 0..walkers {
                let (x, y) = ((k % 20 * 45) as f32, (k / 20 * 50) as f32);
                let way = if k % 2 == 0 { 3.0 } else { -3.0 };
                detections.push(person(x + way * n as f32, y + (n * k % 3) as f32, 0.8));
            }
            let start = Instant::now();
            tracker.step(f64::from(n) / 10.0, &detections);
            fastest_ms = start.elapsed().as_secs_f64().mul_add(1e3, 0.0).min(fastest_ms);
        }
        println!("{walkers} walkers: {fastest_ms:.3} ms a step");
        assert!(fastest_ms < limit_ms, "{walkers} walkers took {fastest_ms:.3} ms");
    }
}
