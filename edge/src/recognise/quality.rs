//! Is this shot of a face worth an embedding? Measured on the picture itself: size, pose from the five points, clipping
//! at the picture's edge, exposure and sharpness.

use image::RgbImage;
use vong_models::face::Face;

/// Least distance between the eyes, px: below it a chip of 150 px holds mostly invention.
const LEAST_EYES_PX: f32 = 14.0;
/// Most turn of the head: distance of the nose from the middle between the eyes, in eye distances. A frontal face has
/// 0, a profile more than 0.6.
const MOST_TURN: f32 = 0.42;
/// Most roll, radians: beyond it the detector's points are unsure.
const MOST_ROLL: f32 = 0.8;
/// Mean brightness of the face, 0 to 255, between which features can be seen.
const EXPOSURE: std::ops::RangeInclusive<f32> = 35.0..=225.0;
/// Least variance of the Laplacian at an eye distance of about 20 px, in grey levels squared.
const LEAST_SHARPNESS: f32 = 12.0;

/// How good a shot is, above 0 and up to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quality(pub f32);

/// Why a shot is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The eyes are too near to each other.
    Small,
    /// The head is turned away or tilted too far.
    Pose,
    /// The face leaves the picture.
    Clipped,
    /// Too dark or too bright.
    Exposure,
    /// Moved or out of focus.
    Blur,
}

impl Refusal {
    /// Name of its counter in telemetry.
    pub fn counter(self) -> &'static str {
        match self {
            Self::Small => "shot_refused_small",
            Self::Pose => "shot_refused_pose",
            Self::Clipped => "shot_refused_clipped",
            Self::Exposure => "shot_refused_exposure",
            Self::Blur => "shot_refused_blur",
        }
    }
}

/// Judges one shot.
pub fn assess(picture: &RgbImage, face: &Face) -> Result<Quality, Refusal> {
    let [left, right, nose, ..] = face.points;
    let (dx, dy) = (right.x - left.x, right.y - left.y);
    let eyes = dx.hypot(dy);
    if eyes < LEAST_EYES_PX || !eyes.is_finite() {
        return Err(Refusal::Small);
    }
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let outside = |p: &vong_models::PointPx| p.x < 0.0 || p.y < 0.0 || p.x >= width || p.y >= height;
    if face.points.iter().any(outside) || face.bbox.clipped(width, height).area() < 0.85 * face.bbox.area() {
        return Err(Refusal::Clipped);
    }
    // Along the line of the eyes, so that a tilted head is not taken for a turned one.
    let turn = (((nose.x - left.x) * dx + (nose.y - left.y) * dy) / (eyes * eyes) - 0.5).abs();
    let roll = dy.atan2(dx).abs();
    if turn > MOST_TURN || roll > MOST_ROLL {
        return Err(Refusal::Pose);
    }
    let (brightness, sharpness) = look(picture, face, eyes).ok_or(Refusal::Small)?;
    if !EXPOSURE.contains(&brightness) {
        return Err(Refusal::Exposure);
    }
    if sharpness < LEAST_SHARPNESS {
        return Err(Refusal::Blur);
    }
    let size = (eyes / 50.0).min(1.0);
    let pose = 1.0 - 0.7 * turn / MOST_TURN - 0.2 * roll / MOST_ROLL;
    let sharp = (sharpness / 120.0).min(1.0);
    Ok(Quality(
        (face.score * (0.3 + 0.7 * size) * pose * (0.6 + 0.4 * sharp)).clamp(0.01, 1.0),
    ))
}

/// Mean brightness, and variance of the Laplacian on a grid as coarse as a face with eyes 20 px apart, so that
/// sharpness does not depend on how near the person is.
fn look(picture: &RgbImage, face: &Face, eyes: f32) -> Option<(f32, f32)> {
    let bbox = face.bbox.clipped(picture.width() as f32, picture.height() as f32);
    let step = (eyes / 20.0).max(1.0);
    let (columns, rows) = ((bbox.width() / step) as usize, (bbox.height() / step) as usize);
    if columns < 5 || rows < 5 {
        return None;
    }
    let grey = |column: usize, row: usize| {
        let x = ((bbox.x1 + column as f32 * step) as u32).min(picture.width() - 1);
        let y = ((bbox.y1 + row as f32 * step) as u32).min(picture.height() - 1);
        let [r, g, b] = picture.get_pixel(x, y).0;
        0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
    };
    let (mut bright, mut sum, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0);
    for row in 1..rows - 1 {
        for column in 1..columns - 1 {
            let centre = grey(column, row);
            let laplacian =
                grey(column - 1, row) + grey(column + 1, row) + grey(column, row - 1) + grey(column, row + 1)
                    - 4.0 * centre;
            bright += centre;
            sum += laplacian;
            squares += laplacian * laplacian;
            count += 1.0;
        }
    }
    let mean = sum / count;
    Some((bright / count, squares / count - mean * mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use vong_models::{BBoxPx, PointPx};

    fn textured(level: u8, contrast: u8) -> RgbImage {
        RgbImage::from_fn(200, 200, |x, y| {
            let value = level.saturating_add(if (x / 3 + y / 3) % 2 == 0 { contrast } else { 0 });
            Rgb([value; 3])
        })
    }

    fn face(scale: f32, nose_x: f32, shift: f32) -> Face {
        let at = |x: f32, y: f32| PointPx {
            x: shift + x * scale,
            y: shift + y * scale,
        };
        Face {
            bbox: BBoxPx::new(shift, shift, shift + 80.0 * scale, shift + 100.0 * scale),
            score: 0.95,
            points: [
                at(22.0, 40.0),
                at(58.0, 40.0),
                at(nose_x, 60.0),
                at(28.0, 80.0),
                at(52.0, 80.0),
            ],
        }
    }

    fn check(picture: &RgbImage, face: &Face, expected: Result<(), Refusal>) {
        assert_eq!(assess(picture, face).map(|_| ()), expected, "{face:?}");
    }

    #[test]
    fn each_fault_has_its_reason() {
        let good = textured(100, 60);
        check(&good, &face(1.0, 40.0, 40.0), Ok(()));
        check(&good, &face(0.3, 40.0, 40.0), Err(Refusal::Small));
        check(&good, &face(1.0, 62.0, 40.0), Err(Refusal::Pose));
        check(&good, &face(1.0, 40.0, 150.0), Err(Refusal::Clipped));
        check(&textured(5, 10), &face(1.0, 40.0, 40.0), Err(Refusal::Exposure));
        check(&textured(100, 0), &face(1.0, 40.0, 40.0), Err(Refusal::Blur));
    }

    #[test]
    fn nearer_and_straighter_is_better() {
        let picture = textured(100, 60);
        let quality = |face: &Face| assess(&picture, face).unwrap();
        assert!(quality(&face(1.4, 40.0, 20.0)) > quality(&face(0.7, 40.0, 20.0)));
        assert!(quality(&face(1.0, 40.0, 20.0)) > quality(&face(1.0, 50.0, 20.0)));
    }
}
