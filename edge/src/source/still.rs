//! A camera whose picture stands still. Invariant: a live picture is never called frozen: the noise of a sensor alters some
//! pixel within half a minute, even behind a compressor that leaves quiet blocks alone.

use super::Frame;
use std::time::Duration;

/// So long may a picture be the same, byte by byte where it is looked at.
pub const FROZEN_AFTER: Duration = Duration::from_secs(30);
/// Bytes that are looked at.
const SAMPLES: usize = 8_192;

/// What the picture was, and since when.
#[derive(Debug, Default)]
pub struct Stillness {
    samples: Vec<u8>,
    since_s: f64,
}

impl Stillness {
    /// Looks at the next frame; says how long the picture has been the same, s.
    pub fn see(&mut self, frame: &Frame) -> f64 {
        let pixels = frame.image.as_raw();
        // An odd step, so that the samples wander through columns and colours.
        let step = (pixels.len() / SAMPLES).max(1) | 1;
        let looked_at = pixels.iter().step_by(step);
        if !self.samples.iter().eq(looked_at.clone()) {
            self.samples.clear();
            self.samples.extend(looked_at);
            self.since_s = frame.at_s;
        }
        frame.at_s - self.since_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    fn frame(at_s: f64, change: Option<u32>) -> Frame {
        let mut image = RgbImage::from_pixel(320, 240, image::Rgb([9, 9, 9]));
        if let Some(place) = change {
            // A patch of 24 by 24, as a person far away.
            (0..24 * 24).for_each(|n| image.put_pixel(place + n % 24, 100 + n / 24, image::Rgb([80, 80, 80])));
        }
        Frame {
            image,
            at_s,
            ..Frame::default()
        }
    }

    #[test]
    fn the_same_picture_ages_and_the_smallest_walker_makes_it_young() {
        let mut still = Stillness::default();
        assert!(still.see(&frame(3.0, None)) < 0.1);
        assert!((still.see(&frame(33.5, None)) - 30.5).abs() < 1e-9);
        assert!(still.see(&frame(34.0, Some(10))) < 0.1);
        assert!(
            still.see(&frame(35.0, Some(11))) < 0.1,
            "one pixel further is another picture"
        );
        assert!(still.see(&frame(36.0, Some(11))) > 0.9);
    }

    #[test]
    fn another_size_is_another_picture() {
        let mut still = Stillness::default();
        still.see(&frame(0.0, None));
        let mut other = frame(40.0, None);
        other.image = RgbImage::from_pixel(64, 48, image::Rgb([9, 9, 9]));
        assert!(still.see(&other) < 0.1);
    }
}
