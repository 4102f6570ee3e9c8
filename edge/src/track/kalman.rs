//! Where a box will be: four independent filters for centre, width and height. Invariant: noise is measured in heights
//! and seconds, never in pixels and frames, so that a far walker and a near one, and 1 and 30 frames a second, are
//! treated alike. Knows nothing of detections' classes or of other tracks.

use vong_models::BBoxPx;

/// How freely things move and how well boxes fit, in box heights and seconds.
#[derive(Debug, Clone, Copy)]
pub struct MotionModel {
    /// Standard deviation of a detected centre, heights.
    pub centre_std: f32,
    /// Standard deviation of a detected height, heights.
    pub size_std: f32,
    /// Standard deviation of a detected width, heights: more, for a walker's stride is now wide and now narrow.
    pub width_std: f32,
    /// White acceleration: root of its spectral density, heights per s^1.5. A walker turning within a second is about 1.
    pub acceleration: f32,
    /// Random walk of the height, heights per s^0.5.
    pub size_drift: f32,
    /// Random walk of the width, heights per s^0.5.
    pub width_drift: f32,
    /// Standard deviation of the velocity of something just seen for the first time, heights per second.
    pub first_velocity_std: f32,
}

impl Default for MotionModel {
    fn default() -> Self {
        Self {
            centre_std: 0.05,
            size_std: 0.08,
            width_std: 0.08,
            acceleration: 0.6,
            size_drift: 0.08,
            width_drift: 0.04,
            first_velocity_std: 0.8,
        }
    }
}

/// Position and velocity along one axis, with their covariance (constant velocity, white acceleration).
#[derive(Debug, Clone, Copy)]
struct Axis {
    position: f32,
    velocity: f32,
    /// Variance of the position.
    pp: f32,
    /// Covariance of position and velocity.
    pv: f32,
    /// Variance of the velocity.
    vv: f32,
}

impl Axis {
    fn new(position: f32, std: f32, velocity_std: f32) -> Self {
        Self {
            position,
            velocity: 0.0,
            pp: std * std,
            pv: 0.0,
            vv: velocity_std * velocity_std,
        }
    }

    /// Standard white-acceleration model: Q = q [dt³/3, dt²/2; dt²/2, dt].
    fn predict(&mut self, dt: f32, q: f32) {
        self.position += self.velocity * dt;
        self.pp += dt * (2.0 * self.pv + dt * self.vv) + q * dt * dt * dt / 3.0;
        self.pv += dt * self.vv + q * dt * dt / 2.0;
        self.vv += q * dt;
    }

    fn correct(&mut self, seen: f32, variance: f32) {
        let total = self.pp + variance;
        let (gain_p, gain_v) = (self.pp / total, self.pv / total);
        let surprise = seen - self.position;
        self.position += gain_p * surprise;
        self.velocity += gain_v * surprise;
        self.vv -= gain_v * self.pv;
        self.pv *= 1.0 - gain_p;
        self.pp *= 1.0 - gain_p;
    }
}

/// A size that drifts: a random walk.
#[derive(Debug, Clone, Copy)]
struct Drift {
    value: f32,
    variance: f32,
}

impl Drift {
    fn correct(&mut self, seen: f32, variance: f32) {
        let gain = self.variance / (self.variance + variance);
        self.value += gain * (seen - self.value);
        self.variance *= 1.0 - gain;
    }
}

/// The filter of one box.
#[derive(Debug, Clone, Copy)]
pub struct BoxFilter {
    x: Axis,
    y: Axis,
    width: Drift,
    height: Drift,
}

impl BoxFilter {
    /// A filter that has seen one box.
    pub fn new(seen: &BBoxPx, model: &MotionModel) -> Self {
        let (centre, unit) = (seen.centre(), unit(seen));
        let (centre_std, size_std) = (model.centre_std * unit, model.size_std * unit);
        let velocity_std = model.first_velocity_std * unit;
        Self {
            x: Axis::new(centre.x, centre_std, velocity_std),
            y: Axis::new(centre.y, centre_std, velocity_std),
            width: Drift {
                value: seen.width(),
                variance: size_std * size_std,
            },
            height: Drift {
                value: seen.height(),
                variance: size_std * size_std,
            },
        }
    }

    /// Moves on by `dt` seconds.
    pub fn predict(&mut self, dt: f32, model: &MotionModel) {
        let unit = self.unit();
        let acceleration = model.acceleration * unit;
        self.x.predict(dt, acceleration * acceleration);
        self.y.predict(dt, acceleration * acceleration);
        self.width.variance += (model.width_drift * unit).powi(2) * dt;
        self.height.variance += (model.size_drift * unit).powi(2) * dt;
    }

    /// Takes in a detected box. `doubt` multiplies the noise: 1 for a sure detection, more for an unsure one.
    pub fn correct(&mut self, seen: &BBoxPx, doubt: f32, model: &MotionModel) {
        let (centre, unit) = (seen.centre(), self.unit());
        let centre_variance = (model.centre_std * unit * doubt).powi(2);
        let variance = |std: f32| (std * unit * doubt).powi(2);
        self.x.correct(centre.x, centre_variance);
        self.y.correct(centre.y, centre_variance);
        self.width.correct(seen.width(), variance(model.width_std));
        self.height.correct(seen.height(), variance(model.size_std));
    }

    /// The box as now believed.
    pub fn bbox(&self) -> BBoxPx {
        let (half_width, half_height) = (self.width.value / 2.0, self.height.value / 2.0);
        BBoxPx::new(
            self.x.position - half_width,
            self.y.position - half_height,
            self.x.position + half_width,
            self.y.position + half_height,
        )
    }

    /// Velocity of the centre, px/s, to the right and down.
    pub fn velocity(&self) -> [f32; 2] {
        [self.x.velocity, self.y.velocity]
    }

    /// Standard deviation of the centre along the worse axis, px.
    pub fn centre_std(&self) -> f32 {
        self.x.pp.max(self.y.pp).max(0.0).sqrt()
    }

    fn unit(&self) -> f32 {
        self.height.value.max(self.width.value * 0.5).max(1.0)
    }
}

/// What noise is measured in: the height, or half the width of something flat and wide.
fn unit(bbox: &BBoxPx) -> f32 {
    bbox.height().max(bbox.width() * 0.5).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a walker of constant speed and returns the error of the prediction one second ahead, in heights.
    fn error_after(fps: f32, frames: usize) -> f32 {
        let model = MotionModel::default();
        let at = |t: f32| BBoxPx::new(100.0 + 40.0 * t, 50.0, 140.0 + 40.0 * t, 150.0);
        let mut filter = BoxFilter::new(&at(0.0), &model);
        for n in 1..=frames {
            filter.predict(1.0 / fps, &model);
            filter.correct(&at(n as f32 / fps), 1.0, &model);
        }
        filter.predict(1.0, &model);
        (filter.bbox().centre().x - at(frames as f32 / fps + 1.0).centre().x).abs() / 100.0
    }

    #[test]
    fn a_steady_walker_is_predicted_at_any_rate() {
        for (fps, frames) in [(1.0, 4), (5.0, 15), (10.0, 30), (30.0, 90)] {
            let error = error_after(fps, frames);
            assert!(error < 0.03, "{fps} frames a second: off by {error} heights");
        }
    }

    #[test]
    fn doubt_grows_while_nothing_is_seen_and_shrinks_when_it_is() {
        let model = MotionModel::default();
        let seen = BBoxPx::new(0.0, 0.0, 40.0, 100.0);
        let mut filter = BoxFilter::new(&seen, &model);
        let before = filter.centre_std();
        filter.predict(0.5, &model);
        let later = filter.centre_std();
        filter.correct(&seen, 1.0, &model);
        assert!(later > 2.0 * before, "{before} px became {later} px only");
        assert!(filter.centre_std() < before);
    }

    #[test]
    fn two_half_steps_are_one_step() {
        let model = MotionModel::default();
        let mut one = BoxFilter::new(&BBoxPx::new(0.0, 0.0, 40.0, 100.0), &model);
        let mut two = one;
        one.predict(0.4, &model);
        two.predict(0.2, &model);
        two.predict(0.2, &model);
        assert!((one.centre_std() - two.centre_std()).abs() < 1e-3);
    }
}
