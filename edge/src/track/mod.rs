//! Detections become tracks. Invariant: an id is given once, ids rise, and a track is either seen in this step or
//! coasting on its last velocity. Knows time in seconds, never frames: frames may be missing, at 1 to 30 a second.
//!
//! Association in the manner of ByteTrack (Zhang 2022): sure detections first, then unsure ones, which may continue a
//! track but never begin one. Memory is kept between steps.

mod assign;
mod associate;
mod kalman;
mod look;

pub use assign::Assigner;
pub use kalman::MotionModel;

use image::RgbImage;
use kalman::BoxFilter;
use look::Look;
use vong_models::BBoxPx;
use vong_models::Detection;
use vong_wire::ObjectClass;

#[cfg(test)]
mod tests;

/// How tracks are made. The defaults serve persons and vehicles alike; scores are those of NanoDet.
#[derive(Debug, Clone)]
pub struct TrackerConfig {
    /// Detections below this are not looked at.
    pub least_score: f32,
    /// Detections from here on are sure.
    pub sure_score: f32,
    /// A sure detection from here on may begin a track.
    pub birth_score: f32,
    /// The same for a small one: few cells of the detector have looked at it.
    pub small_birth_score: f32,
    /// A box whose longer side is below this share of the picture's longer side is small.
    pub small_side: f32,
    /// Sightings until a track is believed.
    pub sightings_to_confirm: u32,
    /// A track is believed while its scores of late have this mean ...
    pub proven_score: f32,
    /// ... or once it has moved by this many of its heights from where it was born.
    pub proven_move: f32,
    /// Time over which scores are remembered, s.
    pub score_memory_s: f32,
    /// Seconds that an unconfirmed track waits for its next sighting.
    pub unconfirmed_s: f64,
    /// Seconds that a confirmed track is kept without being seen.
    pub lost_s: f64,
    /// Least likeness (0 to 1) for a sure, an unsure, a first second sighting.
    pub least_likeness: Likeness,
    /// How much likeness of colours adds to likeness of place.
    pub look_weight: f32,
    /// Likeness of colours that says neither yes nor no.
    pub look_neutral: f32,
    /// Least likeness of colours to find a lost track again away from where it should be.
    pub look_return: f32,
    /// Greatest speed of a lost thing, heights per second.
    pub return_speed: f32,
    /// The motion of things.
    pub motion: MotionModel,
}

/// Least likeness for a pair, per stage of the association.
#[derive(Debug, Clone, Copy)]
pub struct Likeness {
    /// Sure detection and confirmed track.
    pub sure: f32,
    /// Unsure detection and a track seen a moment ago.
    pub unsure: f32,
    /// Second sighting of something new.
    pub second: f32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            least_score: 0.2,
            sure_score: 0.45,
            birth_score: 0.5,
            small_birth_score: 0.7,
            small_side: 0.104,
            sightings_to_confirm: 3,
            unconfirmed_s: 0.35,
            lost_s: 2.0,
            least_likeness: Likeness {
                sure: 0.15,
                unsure: 0.6,
                second: 0.25,
            },
            proven_score: 0.5,
            proven_move: 0.6,
            score_memory_s: 4.0,
            look_weight: 0.4,
            look_neutral: 0.9,
            look_return: 0.94,
            return_speed: 0.8,
            motion: MotionModel::default(),
        }
    }
}

/// What is known of a track now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackState {
    /// Seen, but too seldom yet to be believed: not to be counted or shown.
    New,
    /// Seen in this step.
    Seen,
    /// Not seen in this step (or no detection was run); its box is where it should be by now.
    Coasting,
}

/// One thing followed through the picture.
#[derive(Debug, Clone)]
pub struct Track {
    /// Given once; rises.
    pub id: u64,
    /// Where it is, between the filter's box and the detected one; where it should be while coasting.
    pub bbox: BBoxPx,
    /// Velocity of the centre, px/s.
    pub velocity: [f32; 2],
    /// The class that its sightings add up to.
    pub class: ObjectClass,
    /// Score of the last sighting.
    pub score: f32,
    /// Whether it is seen now.
    pub state: TrackState,
    /// First sighting, s.
    pub born_s: f64,
    /// Last sighting, s.
    pub last_seen_s: f64,
    /// How often it was seen.
    pub sightings: u32,
    /// Whether it was believed at least once.
    pub confirmed: bool,
}

/// A track with its filter.
#[derive(Debug)]
struct Followed {
    track: Track,
    filter: BoxFilter,
    /// Sum of the scores per class, in the order of [`class_slot`].
    votes: [f32; 6],
    /// The box of the last sighting, as detected.
    last_box: BBoxPx,
    /// Its colours, gathered while nobody stood before it.
    look: Option<Look>,
    /// Where it was born.
    birthplace: BBoxPx,
    /// Farthest that it has been from there, heights.
    moved: f32,
    /// Sum and number of its scores, both fading.
    scores: [f32; 2],
    /// Paired in this step.
    paired: bool,
}

/// Follows what a detector finds.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    followed: Vec<Followed>,
    shown: Vec<Track>,
    now_s: Option<f64>,
    /// Width and height of the last picture, px.
    picture: Option<[f32; 2]>,
    /// While the picture stands still, since when and until when it has.
    held_s: Option<(f64, f64)>,
    next_id: u64,
    scratch: associate::Scratch,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            config,
            followed: Vec::with_capacity(USUAL_TRACKS),
            shown: Vec::with_capacity(USUAL_TRACKS),
            now_s: None,
            picture: None,
            held_s: None,
            next_id: 1,
            scratch: associate::Scratch::roomy(USUAL_TRACKS),
        }
    }

    /// Takes in the detections of one picture, taken at `at_s` (any origin, rising). Returns all live tracks, new ones
    /// and coasting ones included: see [`TrackState`].
    pub fn step(&mut self, at_s: f64, detections: &[Detection]) -> &[Track] {
        self.take_in(at_s, None, detections)
    }

    /// The same, with the picture in which the detections were found: colours help to tell apart who meets whom.
    pub fn step_with(&mut self, at_s: f64, picture: &RgbImage, detections: &[Detection]) -> &[Track] {
        self.take_in(at_s, Some(picture), detections)
    }

    fn take_in(&mut self, at_s: f64, picture: Option<&RgbImage>, detections: &[Detection]) -> &[Track] {
        self.advance(at_s);
        if let Some(picture) = picture {
            self.picture = Some([picture.width() as f32, picture.height() as f32]);
        }
        self.scratch.look_at(picture, detections, self.config.least_score);
        self.associate(at_s, detections);
        self.doubt_unseen();
        self.bury(at_s);
        self.show()
    }

    /// Moves on to a picture in which nothing was looked for: no track is blamed for not being seen in it.
    pub fn coast(&mut self, at_s: f64) -> &[Track] {
        self.advance(at_s);
        self.bury(at_s);
        self.show()
    }

    /// The tracks that are there to be seen or hidden behind others at this moment: what to draw, and to compare with
    /// annotated boxes.
    pub fn present(tracks: &[Track], now_s: f64) -> impl Iterator<Item = &Track> {
        let hidden = move |track: &Track| {
            let before = tracks
                .iter()
                .filter(|o| o.id != track.id && o.state == TrackState::Seen);
            let area = track.bbox.area().max(1.0);
            within(now_s, track.last_seen_s, HIDDEN_S)
                && before.fold(0.0, |most: f32, o| {
                    most.max(o.bbox.intersection(&track.bbox).area() / area)
                }) >= HIDDEN_SHARE
        };
        tracks.iter().filter(move |track| match track.state {
            TrackState::New => false,
            TrackState::Seen => true,
            TrackState::Coasting => hidden(track),
        })
    }

    /// The same where the whole picture has not changed since `since_s`: who was seen since then is still there, even if
    /// nobody looks for long.
    pub fn hold(&mut self, since_s: f64, at_s: f64) -> &[Track] {
        self.held_s = Some((since_s, at_s));
        self.coast(at_s)
    }

    /// The tracks as of the last step.
    pub fn tracks(&self) -> &[Track] {
        &self.shown
    }

    fn advance(&mut self, at_s: f64) {
        let dt = self.now_s.map_or(0.0, |before| (at_s - before).max(0.0)) as f32;
        self.now_s = Some(self.now_s.map_or(at_s, |before| before.max(at_s)));
        for followed in &mut self.followed {
            followed.paired = false;
            if dt > 0.0 {
                followed.filter.predict(dt, &self.config.motion);
            }
        }
    }

    /// A track that is not believed yet and was not seen where it should be is believed the less.
    fn doubt_unseen(&mut self) {
        let unseen = self.followed.iter_mut().filter(|f| !f.paired && !f.track.confirmed);
        unseen.for_each(|followed| {
            followed.scores[0] += DOUBT_SCORE * UNSEEN_WEIGHT;
            followed.scores[1] += UNSEEN_WEIGHT;
        });
    }

    fn bury(&mut self, at_s: f64) {
        let config = &self.config;
        let held_s = self.held_s;
        self.followed.retain(|followed| {
            let seen_s = followed.track.last_seen_s;
            let known_s = held_s.map_or(
                seen_s,
                |(since_s, until_s)| if seen_s > since_s { seen_s.max(until_s) } else { seen_s },
            );
            let limit_s = if followed.track.confirmed {
                config.lost_s
            } else {
                config.unconfirmed_s.max(0.0)
            };
            within(at_s, known_s, limit_s)
        });
    }

    fn show(&mut self) -> &[Track] {
        self.shown.clear();
        for followed in &mut self.followed {
            let detected = if followed.paired {
                SHOWN_DETECTED * followed.track.score
            } else {
                0.0
            };
            let track = &mut followed.track;
            track.bbox = followed.filter.bbox().towards(&followed.last_box, detected);
            // Who is leaving is seen as far as the picture goes; the filter runs on beyond it.
            if let (Some([width, height]), true) = (self.picture, followed.paired) {
                track.bbox = track.bbox.clipped(width, height);
            }
            track.velocity = followed.filter.velocity();
            track.state = match (track.confirmed, followed.paired) {
                (false, _) => TrackState::New,
                (true, true) => TrackState::Seen,
                (true, false) => TrackState::Coasting,
            };
            self.shown.push(track.clone());
        }
        &self.shown
    }
}

impl Followed {
    fn new(id: u64, at_s: f64, seen: &Detection, look: Option<Look>, config: &TrackerConfig) -> Self {
        let filter = BoxFilter::new(&seen.bbox, &config.motion);
        let mut votes = [0.0; 6];
        votes[class_slot(seen.class)] = seen.score;
        let confirmed = config.sightings_to_confirm <= 1 && seen.score >= config.proven_score;
        Self {
            track: Track {
                id,
                bbox: seen.bbox,
                velocity: [0.0; 2],
                class: seen.class,
                score: seen.score,
                state: TrackState::New,
                born_s: at_s,
                last_seen_s: at_s,
                sightings: 1,
                confirmed,
            },
            filter,
            votes,
            last_box: seen.bbox,
            look,
            birthplace: seen.bbox,
            moved: 0.0,
            scores: [seen.score, 1.0],
            paired: true,
        }
    }

    fn sighted(&mut self, at_s: f64, seen: &Detection, config: &TrackerConfig) {
        // An unsure box is also an ill-fitting one (NSA Kalman, Du 2021, in a gentler form).
        let doubt = 1.0 + 1.5 * (1.0 - seen.score);
        self.filter.correct(&seen.bbox, doubt, &config.motion);
        self.votes[class_slot(seen.class)] += seen.score;
        let best = self
            .votes
            .iter()
            .enumerate()
            .fold(0, |best, (n, &v)| if v > self.votes[best] { n } else { best });
        self.track.class = CLASSES[best];
        self.track.score = seen.score;
        let since_s = (at_s - self.track.last_seen_s) as f32;
        self.track.last_seen_s = at_s;
        self.track.sightings += 1;
        self.judge(seen.score, since_s, config);
        self.last_box = seen.bbox;
        self.paired = true;
    }

    /// Whether this is a thing at all. A cone or a lamp-post that now and then looks like a person does so again and
    /// again on one spot: the highest of a thousand scores says nothing, their mean does, and so does going elsewhere.
    fn judge(&mut self, score: f32, since_s: f32, config: &TrackerConfig) {
        let kept = (-since_s / config.score_memory_s).exp();
        self.scores = [self.scores[0] * kept + score, self.scores[1] * kept + 1.0];
        let (from, to) = (self.birthplace.centre(), self.filter.bbox());
        let way = (to.centre().x - from.x).hypot(to.centre().y - from.y);
        self.moved = self.moved.max(way / to.height().max(LEAST_HEIGHT));
        let mean = (self.scores[0] + DOUBT_SCORE * DOUBT_WEIGHT) / (self.scores[1] + DOUBT_WEIGHT);
        let proven = self.moved >= config.proven_move || mean >= config.proven_score;
        self.track.confirmed = proven && (self.track.confirmed || self.track.sightings >= config.sightings_to_confirm);
    }
}

/// Room from the start, so that it need not grow in the middle of a rush.
const USUAL_TRACKS: usize = 64;

/// Before anything is known of a track, it is taken to have been seen this often with this score.
const DOUBT_WEIGHT: f32 = 2.0;
const DOUBT_SCORE: f32 = 0.3;
/// A step in which a new track was not seen weighs so much of one in which it had that score.
const UNSEEN_WEIGHT: f32 = 0.3;

/// A track unseen is hidden, not gone, if another covers this share of it, for so long, s.
const HIDDEN_SHARE: f32 = 0.3;
const HIDDEN_S: f64 = 0.2;

/// Pictures come at whole fractions of a second and so do limits: rounding must not decide whether one is reached, s.
const SAME_TIME_S: f64 = 0.001;

/// Whether it is no longer than this since then.
fn within(at_s: f64, since_s: f64, limit_s: f64) -> bool {
    at_s - since_s <= limit_s + SAME_TIME_S
}

/// A sure box is shown this far from the filter's towards the detected one: the filter lags behind who turns or bends down,
/// the detected box shakes.
const SHOWN_DETECTED: f32 = 0.7;

/// Boxes of smaller things jump by whole cells of the detector, px.
const LEAST_HEIGHT: f32 = 30.0;

const CLASSES: [ObjectClass; 6] = [
    ObjectClass::Person,
    ObjectClass::Bicycle,
    ObjectClass::Car,
    ObjectClass::Motorcycle,
    ObjectClass::Bus,
    ObjectClass::Truck,
];

fn class_slot(class: ObjectClass) -> usize {
    match class {
        ObjectClass::Person => 0,
        ObjectClass::Bicycle => 1,
        ObjectClass::Car => 2,
        ObjectClass::Motorcycle => 3,
        ObjectClass::Bus => 4,
        ObjectClass::Truck => 5,
    }
}
