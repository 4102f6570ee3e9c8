//! The ground colour of a plate, from its own pixels.
//!
//! Invariant: only the plate's ground votes, not its characters: the brighter half of a light plate, the darker or more
//! coloured part of a coloured one. Where light is too poor to tell, the answer is `Unknown`.

use super::crop::cut;
use super::rowbox::RowBox;
use image::RgbImage;
use vong_wire::PlateColour;

/// Side lengths of the cut that is looked at, px.
const WIDTH: usize = 40;
const HEIGHT: usize = 20;
/// The part of a box that is looked at, of its length and height: the box of a small plate takes in much of what it is fixed
/// to, and a white plate on a red car is no plate of the army.
const INNER: (f32, f32) = (0.84, 0.7);

/// Ground colour of the plate in a tilted box.
pub fn ground_colour(picture: &RgbImage, plate: &RowBox) -> PlateColour {
    let mut pixels = Vec::with_capacity(WIDTH * HEIGHT);
    let inner = RowBox {
        length: plate.length * INNER.0,
        height: plate.height * INNER.1,
        ..*plate
    };
    cut(picture, &inner, WIDTH, HEIGHT, |_, rgb| pixels.push(rgb));
    // Saturation is relative to the pixel's own brightness: a gate at night is dark, not grey.
    let described: Vec<(f32, f32, f32)> = pixels.iter().map(|&rgb| hue_saturation_value(rgb)).collect();
    let brightest = described.iter().map(|p| p.2).fold(0.0, f32::max);
    if brightest < 25.0 {
        return PlateColour::Unknown;
    }
    let (mut yellow, mut blue, mut red, mut coloured) = (0u32, 0u32, 0u32, 0u32);
    for &(hue, saturation, value) in &described {
        // Black characters have any hue.
        if value < 0.22 * brightest || saturation < 0.38 {
            continue;
        }
        coloured += 1;
        match hue {
            25.0..70.0 => yellow += 1,
            185.0..265.0 => blue += 1,
            _ if !(18.0..335.0).contains(&hue) => red += 1,
            _ => {}
        }
    }
    let enough = (described.len() * 2 / 5) as u32;
    if coloured < enough {
        return PlateColour::White;
    }
    let (count, colour) = [
        (yellow, PlateColour::Yellow),
        (blue, PlateColour::Blue),
        (red, PlateColour::Red),
    ]
    .into_iter()
    .max_by_key(|c| c.0)
    .expect("three colours are compared");
    if count >= enough { colour } else { PlateColour::Unknown }
}

/// Hue in degrees, saturation 0 to 1, value 0 to 255.
fn hue_saturation_value([r, g, b]: [f32; 3]) -> (f32, f32, f32) {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let spread = high - low;
    if spread < 1e-3 {
        return (0.0, 0.0, high);
    }
    let hue = if high == r {
        60.0 * ((g - b) / spread)
    } else if high == g {
        60.0 * ((b - r) / spread) + 120.0
    } else {
        60.0 * ((r - g) / spread) + 240.0
    };
    ((hue + 360.0) % 360.0, spread / high, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PointPx;
    use image::Rgb;

    fn plate(length: f32, height: f32) -> RowBox {
        RowBox {
            centre: PointPx { x: 60.0, y: 30.0 },
            length,
            height,
            angle: 0.0,
            score: 1.0,
        }
    }

    fn check(ground: [u8; 3], ink: [u8; 3], colour: PlateColour) {
        // Strokes on a third of the plate.
        let picture = RgbImage::from_fn(120, 60, |x, _| Rgb(if x % 12 < 4 { ink } else { ground }));
        let told = ground_colour(&picture, &plate(110.0, 52.0));
        assert_eq!(told, colour, "{ground:?} with {ink:?}");
    }

    #[test]
    fn what_a_small_plate_is_fixed_to_has_no_say() {
        for body in [[150, 25, 30], [30, 60, 160], [230, 190, 40]] {
            // The box is half as high again as the plate, and a sixth longer.
            let picture = RgbImage::from_fn(120, 60, |x, y| {
                let inside = (24..96).contains(&x) && (22..38).contains(&y);
                Rgb(match inside {
                    true if x % 6 < 2 => [25, 25, 25],
                    true => [235, 235, 235],
                    false => body,
                })
            });
            let told = ground_colour(&picture, &plate(84.0, 24.0));
            assert_eq!(told, PlateColour::White, "on {body:?}");
        }
    }

    #[test]
    fn grounds_are_told() {
        check([235, 235, 230], [20, 20, 25], PlateColour::White);
        check([120, 118, 125], [15, 12, 15], PlateColour::White);
        check([240, 190, 30], [20, 20, 20], PlateColour::Yellow);
        check([100, 75, 10], [10, 10, 10], PlateColour::Yellow);
        check([20, 60, 170], [230, 230, 235], PlateColour::Blue);
        check([170, 20, 25], [240, 235, 235], PlateColour::Red);
        check([8, 6, 9], [2, 2, 2], PlateColour::Unknown);
    }
}
