//! Does anything move? A small grey picture is set beside the one before and beside a slow background. Invariant: what
//! the gate calls still is looked at again after a bounded time, so a person who stands is never lost for good. It knows
//! nothing of objects.

use crate::source::{Grey, GreyLine};

/// Cells of the longer side: one is some 8 px of a picture of 768.
const CELLS: usize = 96;
/// Pixels of a cell that are looked at, a side.
const SAMPLES: usize = 3;
/// The background follows with this share a frame: a second or two until a parked car belongs to it.
const FOLLOWS: f32 = 0.06;
/// A cell has changed if it differs by this many grey levels and this many times its own usual noise.
const LEAST_CHANGE: f32 = 7.0;
const TIMES_NOISE: f32 = 4.0;
/// Changed cells that are motion, together: rain and noise change single cells.
const LEAST_CELLS: usize = 3;

/// The gate of one camera.
#[derive(Debug, Default)]
pub struct MotionGate {
    size: (usize, usize),
    columns: usize,
    rows: usize,
    /// The pixels of a line that are looked at.
    across: Vec<usize>,
    /// Sums of the lines that are looked at for a row of cells.
    line: Vec<u32>,
    grey: Vec<f32>,
    before: Vec<f32>,
    background: Vec<f32>,
    noise: Vec<f32>,
}

impl MotionGate {
    /// Whether something moves in this picture, or has come or gone since a second or two.
    pub fn look(&mut self, picture: Grey<'_>) -> bool {
        if (picture.width, picture.height) != self.size {
            self.begin(picture);
            return true;
        }
        self.shrink(picture);
        let mut changed = 0;
        for (n, &grey) in self.grey.iter().enumerate() {
            let (step, away) = ((grey - self.before[n]).abs(), (grey - self.background[n]).abs());
            let limit = LEAST_CHANGE.max(TIMES_NOISE * self.noise[n]);
            if step.max(away) > limit {
                changed += 1;
            } else {
                // Only quiet cells teach what noise is.
                self.noise[n] += 0.05 * (step - self.noise[n]);
            }
            self.background[n] += FOLLOWS * (grey - self.background[n]);
        }
        std::mem::swap(&mut self.before, &mut self.grey);
        changed >= LEAST_CELLS
    }

    fn begin(&mut self, picture: Grey<'_>) {
        self.size = (picture.width, picture.height);
        let (width, height) = self.size;
        let longer = width.max(height).max(1);
        self.columns = (CELLS * width / longer).clamp(1, width.max(1));
        self.rows = (CELLS * height / longer).clamp(1, height.max(1));
        let cells = self.columns * self.rows;
        self.grey = vec![0.0; cells];
        self.noise = vec![1.0; cells];
        let across = self.columns * SAMPLES;
        self.across = (0..across).map(|x| (2 * x + 1) * width / (2 * across)).collect();
        self.line = vec![0; width];
        self.shrink(picture);
        self.before.clone_from(&self.grey);
        self.background.clone_from(&self.grey);
    }

    /// Mean grey of a few pixels of each cell.
    fn shrink(&mut self, picture: Grey<'_>) {
        let (width, height) = self.size;
        if width == 0 || height == 0 {
            return;
        }
        let down = self.rows * SAMPLES;
        let scale = picture.unit() / (SAMPLES * SAMPLES) as f32;
        for (row, greys) in self.grey.chunks_exact_mut(self.columns).enumerate() {
            let line = |n| picture.line((2 * (row * SAMPLES + n) + 1) * height / (2 * down));
            let lines: [_; SAMPLES] = std::array::from_fn(line);
            GreyLine::add(lines, &mut self.line);
            for (grey, places) in greys.iter_mut().zip(self.across.as_chunks::<SAMPLES>().0) {
                let sum = places.iter().fold(0_u32, |sum, &x| sum.wrapping_add(self.line[x]));
                *grey = sum as f32 * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn picture(person_x: Option<u32>, noise: u64) -> RgbImage {
        let mut state = noise.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        RgbImage::from_fn(640, 480, |x, y| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let hiss = (state % 7) as u8;
            let inside = person_x.is_some_and(|left| (left..left + 18).contains(&x) && (200..250).contains(&y));
            Rgb([if inside { 60 } else { 120 + hiss }; 3])
        })
    }

    #[test]
    fn a_distant_walker_is_motion_and_hiss_is_not() {
        let mut gate = MotionGate::default();
        assert!(gate.look(Grey::of(&picture(None, 1))), "a first picture is looked at");
        for n in 2..40 {
            assert!(!gate.look(Grey::of(&picture(None, n))), "hiss at {n}");
        }
        for n in 0..40 {
            assert!(
                gate.look(Grey::of(&picture(Some(100 + 2 * n), 50 + u64::from(n)))),
                "a slow walker of 18 x 50 px at step {n}"
            );
        }
        // Somebody who stands becomes part of the background, somebody who leaves is motion again.
        for n in 0..120 {
            gate.look(Grey::of(&picture(Some(180), 100 + n)));
        }
        assert!(!gate.look(Grey::of(&picture(Some(180), 300))));
        assert!(gate.look(Grey::of(&picture(None, 301))));
    }

    #[test]
    fn another_size_and_tiny_pictures_are_taken() {
        let mut gate = MotionGate::default();
        for (width, height) in [(640, 480), (1, 1), (2, 700), (96, 96), (1280, 720)] {
            assert!(gate.look(Grey::of(&RgbImage::new(width, height))));
            assert!(!gate.look(Grey::of(&RgbImage::new(width, height))));
        }
    }
}
