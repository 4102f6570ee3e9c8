//! The barrier: vehicles drive up, wait until the beam rises, and go. Vehicles and scene are drawn here.

use crate::canvas::{Film, gradient, lay, rectangle, shadow};
use crate::encode::Clip;
use crate::plate::{self, PX_PER_MM};
use crate::truth::{Barrier, Kind, Vehicle};
use crate::{FPS, SIZE};
use ab_glyph::FontVec;
use anyhow::Result;
use image::{RgbImage, Rgba, RgbaImage, imageops};
use imageproc::drawing::{draw_filled_circle_mut, draw_polygon_mut};
use imageproc::geometric_transformations::{Interpolation, rotate_about_center};
use imageproc::point::Point;
use std::path::Path;

/// From the first sight of a vehicle to its last, s.
pub const PASSAGE_S: f64 = 5.0;
/// Pixels a millimetre where vehicles wait: a plate of 330 mm is 116 px wide.
const WAITING_PX_PER_MM: f32 = 0.35;
/// Motorcycles wait nearer to the camera.
const MOTORCYCLE_NEARER: f32 = 1.35;
/// Where the wheels of a waiting vehicle stand, px.
const STOP_Y: f32 = 655.0;

/// Composes the clip; `progress` hears of every frame.
pub fn compose(truth: &Barrier, path: &Path, mut progress: impl FnMut(u32, u32)) -> Result<()> {
    let font = plate::font()?;
    let sprites: Vec<RgbaImage> = truth
        .vehicles
        .iter()
        .enumerate()
        .map(|(n, v)| sprite(v, n, &font))
        .collect();
    let (background, film) = (background(), Film::new(23, 2.0));
    let frames = (truth.seconds * f64::from(FPS)) as u32;
    let mut clip = Clip::create(path, SIZE, FPS)?;
    for frame in 0..frames {
        clip.frame(&picture(&background, truth, &sprites, &film, frame))?;
        progress(frame + 1, frames);
    }
    clip.finish()
}

/// One frame of the clip.
fn picture(background: &RgbImage, truth: &Barrier, sprites: &[RgbaImage], film: &Film, frame: u32) -> RgbImage {
    let at_s = f64::from(frame) / f64::from(FPS);
    let mut picture = background.clone();
    let mut open: f32 = 0.0;
    for (vehicle, sprite) in truth.vehicles.iter().zip(sprites) {
        let since = at_s - vehicle.from_s;
        if (0.0..PASSAGE_S).contains(&since) {
            open = open.max((((since - 3.0) / 0.6) as f32).clamp(0.0, 1.0));
            drive(&mut picture, vehicle, sprite, since as f32);
        }
    }
    beam(&mut picture, open);
    film.lay(&mut picture, frame);
    picture
}

/// Comes nearer for 1.8 s, waits until 3.4 s, and drives on past the camera on the right.
fn drive(picture: &mut RgbImage, vehicle: &Vehicle, sprite: &RgbaImage, since: f32) {
    let ease = |s: f32| s * s * (3.0 - 2.0 * s);
    let come = ease((since / 1.8).min(1.0));
    let go = ((since - 3.4) / 1.6).clamp(0.0, 1.0).powf(1.5);
    let nearness = 0.40 + 0.60 * come + 0.5 * go;
    let near = WAITING_PX_PER_MM
        * if vehicle.kind == Kind::Motorcycle {
            MOTORCYCLE_NEARER
        } else {
            1.0
        };
    let scale = near / PX_PER_MM * nearness;
    let (width, height) = (sprite.width() as f32 * scale, sprite.height() as f32 * scale);
    let x = 640.0 - 40.0 * (1.0 - come) + 760.0 * go;
    let ground = 330.0 + (STOP_Y - 330.0) * come + 150.0 * go;
    shadow(picture, x, ground - 6.0, width * 0.52, 26.0 * nearness, 0.6);
    lay(picture, sprite, x - width / 2.0, ground - height, width, height);
}

/// A vehicle with its plate, at the plate's resolution, leaning as a whole.
fn sprite(vehicle: &Vehicle, number: usize, font: &FontVec) -> RgbaImage {
    const BODIES: [[u8; 3]; 5] = [
        [150, 32, 36],
        [44, 70, 116],
        [190, 194, 198],
        [52, 56, 60],
        [30, 92, 70],
    ];
    let body = BODIES[number % BODIES.len()];
    let mut sprite = match vehicle.kind {
        Kind::Car => car(body),
        Kind::Truck => truck(body),
        Kind::Motorcycle => motorcycle(body),
    };
    let plate = plate::draw(vehicle, font);
    let (w, h) = (i64::from(sprite.width()), i64::from(sprite.height()));
    let middle = match vehicle.kind {
        Kind::Car => h * 74 / 100,
        Kind::Truck => h * 82 / 100,
        Kind::Motorcycle => h * 52 / 100,
    };
    let (left, top) = (
        w / 2 - i64::from(plate.width()) / 2,
        middle - i64::from(plate.height()) / 2,
    );
    imageops::overlay(&mut sprite, &plate, left, top);
    let lean = vehicle.tilt_deg.to_radians();
    rotate_about_center(
        &sprite,
        lean,
        Interpolation::Bilinear,
        imageproc::geometric_transformations::Border::Constant(CLEAR),
    )
}

const CLEAR: Rgba<u8> = Rgba([0, 0, 0, 0]);

fn mm(length: f32) -> u32 {
    (length * PX_PER_MM) as u32
}

fn solid(colour: [u8; 3]) -> Rgba<u8> {
    Rgba([colour[0], colour[1], colour[2], 255])
}

fn shade(colour: [u8; 3], factor: f32) -> [u8; 3] {
    colour.map(|value| (f32::from(value) * factor).min(255.0) as u8)
}

/// A polygon by corners in mm from the left top.
fn polygon(sprite: &mut RgbaImage, corners: &[(f32, f32)], colour: [u8; 3]) {
    let points: Vec<Point<i32>> = corners
        .iter()
        .map(|(x, y)| Point::new((x * PX_PER_MM) as i32, (y * PX_PER_MM) as i32))
        .collect();
    draw_polygon_mut(sprite, &points, solid(colour));
}

fn disc(sprite: &mut RgbaImage, x: f32, y: f32, radius: f32, colour: [u8; 3]) {
    draw_filled_circle_mut(
        sprite,
        ((x * PX_PER_MM) as i32, (y * PX_PER_MM) as i32),
        mm(radius) as i32,
        solid(colour),
    );
}

/// A car from the front, 1,760 x 1,450 mm.
fn car(body: [u8; 3]) -> RgbaImage {
    let mut sprite = RgbaImage::from_pixel(mm(1_800.0), mm(1_460.0), CLEAR);
    for x in [130.0, 1_430.0] {
        polygon(
            &mut sprite,
            &[(x, 1_050.0), (x + 240.0, 1_050.0), (x + 240.0, 1_455.0), (x, 1_455.0)],
            [22, 22, 24],
        );
    }
    polygon(
        &mut sprite,
        &[(420.0, 20.0), (1_380.0, 20.0), (1_580.0, 560.0), (220.0, 560.0)],
        shade(body, 0.85),
    );
    polygon(
        &mut sprite,
        &[(470.0, 80.0), (1_330.0, 80.0), (1_480.0, 520.0), (320.0, 520.0)],
        [58, 74, 84],
    );
    polygon(
        &mut sprite,
        &[(520.0, 80.0), (760.0, 80.0), (560.0, 520.0), (340.0, 520.0)],
        [92, 112, 124],
    );
    polygon(
        &mut sprite,
        &[
            (220.0, 540.0),
            (1_580.0, 540.0),
            (1_720.0, 760.0),
            (1_720.0, 1_300.0),
            (80.0, 1_300.0),
            (80.0, 760.0),
        ],
        body,
    );
    polygon(
        &mut sprite,
        &[(240.0, 560.0), (1_560.0, 560.0), (1_640.0, 700.0), (160.0, 700.0)],
        shade(body, 1.18),
    );
    polygon(
        &mut sprite,
        &[(520.0, 770.0), (1_280.0, 770.0), (1_230.0, 920.0), (570.0, 920.0)],
        [28, 30, 32],
    );
    for bar in 0..3 {
        let y = 795.0 + 42.0 * bar as f32;
        polygon(
            &mut sprite,
            &[(560.0, y), (1_240.0, y), (1_235.0, y + 10.0), (565.0, y + 10.0)],
            [120, 124, 128],
        );
    }
    for x in [260.0, 1_540.0] {
        disc(&mut sprite, x, 830.0, 105.0, [206, 212, 214]);
        disc(&mut sprite, x, 830.0, 70.0, [250, 250, 236]);
    }
    polygon(
        &mut sprite,
        &[(80.0, 970.0), (1_720.0, 970.0), (1_720.0, 1_000.0), (80.0, 1_000.0)],
        shade(body, 0.7),
    );
    polygon(
        &mut sprite,
        &[
            (420.0, 1_190.0),
            (1_380.0, 1_190.0),
            (1_340.0, 1_270.0),
            (460.0, 1_270.0),
        ],
        [30, 30, 32],
    );
    sprite
}

/// A lorry from the front, 2,200 x 2,100 mm.
fn truck(body: [u8; 3]) -> RgbaImage {
    let mut sprite = RgbaImage::from_pixel(mm(2_200.0), mm(2_000.0), CLEAR);
    for x in [180.0, 1_700.0] {
        polygon(
            &mut sprite,
            &[(x, 1_500.0), (x + 320.0, 1_500.0), (x + 320.0, 1_990.0), (x, 1_990.0)],
            [22, 22, 24],
        );
    }
    polygon(
        &mut sprite,
        &[(60.0, 20.0), (2_140.0, 20.0), (2_140.0, 500.0), (60.0, 500.0)],
        [206, 204, 196],
    );
    polygon(
        &mut sprite,
        &[(160.0, 260.0), (2_040.0, 260.0), (2_120.0, 1_780.0), (80.0, 1_780.0)],
        body,
    );
    polygon(
        &mut sprite,
        &[(260.0, 360.0), (1_940.0, 360.0), (1_990.0, 960.0), (210.0, 960.0)],
        [56, 70, 80],
    );
    polygon(
        &mut sprite,
        &[(300.0, 360.0), (640.0, 360.0), (480.0, 960.0), (240.0, 960.0)],
        [90, 108, 120],
    );
    polygon(
        &mut sprite,
        &[
            (560.0, 1_080.0),
            (1_640.0, 1_080.0),
            (1_640.0, 1_320.0),
            (560.0, 1_320.0),
        ],
        [34, 36, 38],
    );
    for x in [300.0, 1_900.0] {
        disc(&mut sprite, x, 1_420.0, 110.0, [240, 240, 226]);
    }
    polygon(
        &mut sprite,
        &[(80.0, 1_530.0), (2_120.0, 1_530.0), (2_120.0, 1_780.0), (80.0, 1_780.0)],
        shade(body, 0.6),
    );
    sprite
}

/// A motorcycle with its rider from behind, 760 x 1,500 mm.
fn motorcycle(body: [u8; 3]) -> RgbaImage {
    let mut sprite = RgbaImage::from_pixel(mm(800.0), mm(1_500.0), CLEAR);
    polygon(
        &mut sprite,
        &[(340.0, 900.0), (460.0, 900.0), (460.0, 1_490.0), (340.0, 1_490.0)],
        [24, 24, 26],
    );
    polygon(
        &mut sprite,
        &[(60.0, 610.0), (740.0, 610.0), (740.0, 640.0), (60.0, 640.0)],
        [70, 72, 74],
    );
    polygon(
        &mut sprite,
        &[
            (250.0, 230.0),
            (550.0, 230.0),
            (640.0, 480.0),
            (600.0, 700.0),
            (200.0, 700.0),
            (160.0, 480.0),
        ],
        [74, 82, 60],
    );
    disc(&mut sprite, 400.0, 140.0, 125.0, [196, 60, 40]);
    disc(&mut sprite, 400.0, 150.0, 92.0, shade([196, 60, 40], 0.8));
    polygon(
        &mut sprite,
        &[(230.0, 640.0), (570.0, 640.0), (540.0, 960.0), (260.0, 960.0)],
        body,
    );
    polygon(
        &mut sprite,
        &[(280.0, 655.0), (520.0, 655.0), (510.0, 690.0), (290.0, 690.0)],
        [210, 30, 30],
    );
    for x in [170.0, 630.0] {
        polygon(
            &mut sprite,
            &[
                (x - 50.0, 960.0),
                (x + 50.0, 960.0),
                (x + 60.0, 1_260.0),
                (x - 60.0, 1_260.0),
            ],
            [52, 54, 70],
        );
    }
    sprite
}

fn background() -> RgbImage {
    let mut picture = RgbImage::new(SIZE.0, SIZE.1);
    gradient(&mut picture, 0..270, [150.0, 178.0, 204.0], [206.0, 214.0, 218.0]);
    gradient(&mut picture, 270..720, [126.0, 126.0, 124.0], [96.0, 96.0, 94.0]);
    // Workshops in the distance, a hedge, kerbs that meet far away.
    for (x, top, width, colour) in [
        (0, 150, 330, [168, 160, 150]),
        (350, 190, 260, [150, 156, 160]),
        (840, 130, 440, [176, 170, 158]),
    ] {
        rectangle(&mut picture, x, top, width, (270 - top) as u32, colour, 1.0);
        for window in 0..width / 55 {
            rectangle(
                &mut picture,
                x + 14 + i64::from(window) * 55,
                top + 24,
                30,
                34,
                [96, 112, 124],
                0.9,
            );
        }
    }
    rectangle(&mut picture, 0, 258, SIZE.0, 20, [70, 96, 62], 1.0);
    for y in 278..SIZE.1 {
        let spread = (y - 278) as f32 * 1.05;
        for (x, width) in [(560.0 - spread, 12), (720.0 + spread, 12)] {
            rectangle(&mut picture, x as i64, i64::from(y), width, 1, [210, 208, 196], 0.9);
        }
    }
    // The guard's booth.
    rectangle(&mut picture, 40, 300, 170, 330, [214, 214, 206], 1.0);
    rectangle(&mut picture, 60, 340, 130, 120, [92, 120, 136], 1.0);
    rectangle(&mut picture, 30, 284, 190, 22, [36, 84, 140], 1.0);
    picture
}

/// The beam across the lane, which goes up as it opens.
fn beam(picture: &mut RgbImage, open: f32) {
    rectangle(picture, 228, 596, 34, 90, [230, 150, 30], 1.0);
    let (pivot_x, pivot_y, length) = (246.0, 612.0, 330.0 * (1.0 - open) + 40.0);
    let angle = open * 1.35;
    for step in 0..(length as u32) {
        let along = step as f32;
        let (x, y) = (pivot_x + along * angle.cos(), pivot_y - along * angle.sin());
        let colour = if (step / 36) % 2 == 0 {
            [206, 40, 40]
        } else {
            [240, 240, 236]
        };
        rectangle(picture, x as i64, y as i64 - 5, 2, 10, colour, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_every_time() {
        let Ok(font) = plate::font() else {
            println!("skipped: no free font is installed; run `make prepare`");
            return;
        };
        let truth = crate::truth::Truth::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("truth"))
            .unwrap()
            .barrier;
        let frame = || {
            let sprites: Vec<RgbaImage> = truth
                .vehicles
                .iter()
                .enumerate()
                .map(|(n, v)| sprite(v, n, &font))
                .collect();
            picture(&background(), &truth, &sprites, &Film::new(23, 2.0), 35)
        };
        assert_eq!(frame(), frame());
    }
}
