//! A plate as a picture, for tests: rows of an alphabet of strokes on a ground with a rim, seen a little askew and small.
//!
//! Invariant: the same plate, view and seed give the same picture. The shapes are our own, plain and narrow; they are no
//! likeness of the official stamp.

use image::{Rgb, RgbImage};

type Point = (f32, f32);

/// Ground and ink of a plate.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub ground: [u8; 3],
    pub ink: [u8; 3],
}

/// How the plate is seen.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Height of the plate, px.
    pub height_px: f32,
    /// Turn, degrees clockwise.
    pub tilt: f32,
    /// Background on every side, as a share of the plate's height.
    pub around: f32,
}

fn arc(centre: Point, radii: Point, from: f32, to: f32) -> Vec<Point> {
    let at = |i: usize| {
        let angle = (from + (to - from) * i as f32 / 12.0).to_radians();
        (centre.0 + radii.0 * angle.cos(), centre.1 + radii.1 * angle.sin())
    };
    (0..=12).map(at).collect()
}

fn joined(parts: &[&[Point]]) -> Vec<Point> {
    parts.concat()
}

/// Strokes of a character in a box one wide and one high.
fn strokes(c: char) -> Vec<Vec<Point>> {
    let (r, mid) = (0.28, 0.48);
    let upper = |from, to| arc((0.5, r), (0.5, r), from, to);
    let lower = |from, to| arc((0.5, 1.0 - r), (0.5, r), from, to);
    let ring = joined(&[&upper(180.0, 360.0), &lower(0.0, 180.0), &[(0.0, r)]]);
    let bowl = |x: f32, top: f32, bottom: f32| {
        let (y, half) = ((top + bottom) / 2.0, (bottom - top) / 2.0);
        joined(&[
            &[(0.0, top), (x, top)],
            &arc((x, y), (1.0 - x, half), -90.0, 90.0),
            &[(0.0, bottom)],
        ])
    };
    let stem = vec![(0.0, 0.0), (0.0, 1.0)];
    let d = joined(&[
        &[(0.0, 0.0), (0.5, 0.0)],
        &arc((0.5, r), (0.5, r), -90.0, 0.0),
        &arc((0.5, 1.0 - r), (0.5, r), 0.0, 90.0),
        &[(0.0, 1.0), (0.0, 0.0)],
    ]);
    let six = vec![
        joined(&[&lower(0.0, 180.0), &upper(180.0, 340.0)]),
        joined(&[&arc((0.5, 0.44 + r), (0.5, r), 180.0, 360.0), &[(1.0, 1.0 - r)]]),
    ];
    match c {
        '0' | 'O' => vec![ring],
        '1' => vec![vec![(0.15, 0.22), (0.62, 0.0), (0.62, 1.0)]],
        '2' => vec![joined(&[
            &upper(190.0, 360.0),
            &[(0.95, r + 0.1), (0.0, 1.0), (1.0, 1.0)],
        ])],
        '3' => vec![
            joined(&[&arc((0.5, mid / 2.0), (0.48, mid / 2.0), 195.0, 440.0), &[(0.4, mid)]]),
            joined(&[&[(0.4, mid)], &arc((0.5, 0.74), (0.5, 0.26), 280.0, 525.0)]),
        ],
        '4' => vec![
            vec![(0.5, 0.0), (0.0, 0.72), (1.0, 0.72)],
            vec![(0.7, 0.45), (0.7, 1.0)],
        ],
        '5' => vec![joined(&[
            &[(0.92, 0.0), (0.12, 0.0), (0.06, 0.45)],
            &arc((0.48, 0.7), (0.52, 0.3), 230.0, 520.0),
        ])],
        '6' => six,
        '7' => vec![vec![(0.0, 0.0), (1.0, 0.0), (0.38, 1.0)]],
        '8' => vec![
            arc((0.5, mid / 2.0), (0.46, mid / 2.0), 0.0, 360.0),
            arc((0.5, (1.0 + mid) / 2.0), (0.5, (1.0 - mid) / 2.0), 0.0, 360.0),
        ],
        '9' => six
            .iter()
            .map(|s| s.iter().map(|&(x, y)| (1.0 - x, 1.0 - y)).collect())
            .collect(),
        'A' => vec![
            vec![(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)],
            vec![(0.17, 0.68), (0.83, 0.68)],
        ],
        'B' => vec![stem, bowl(0.48, 0.0, mid), bowl(0.5, mid, 1.0)],
        'C' => vec![joined(&[&lower(15.0, 180.0), &upper(180.0, 345.0)])],
        'D' => vec![d],
        'Đ' => vec![d, vec![(-0.18, 0.5), (0.42, 0.5)]],
        'E' => vec![
            vec![(1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0)],
            vec![(0.0, mid), (0.85, mid)],
        ],
        'F' => vec![vec![(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)], vec![(0.0, mid), (0.82, mid)]],
        'G' => vec![joined(&[
            &upper(345.0, 180.0),
            &lower(180.0, 0.0),
            &[(1.0, 0.54), (0.55, 0.54)],
        ])],
        'H' => vec![stem, vec![(1.0, 0.0), (1.0, 1.0)], vec![(0.0, mid), (1.0, mid)]],
        'I' => vec![vec![(0.5, 0.0), (0.5, 1.0)]],
        'J' => vec![joined(&[&[(1.0, 0.0)], &lower(0.0, 180.0)])],
        'K' => vec![stem, vec![(0.95, 0.0), (0.0, 0.62)], vec![(0.32, 0.42), (1.0, 1.0)]],
        'L' => vec![vec![(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]],
        'M' => vec![vec![(0.0, 1.0), (0.0, 0.0), (0.5, 0.6), (1.0, 0.0), (1.0, 1.0)]],
        'N' => vec![vec![(0.0, 1.0), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0)]],
        'P' => vec![stem, bowl(0.5, 0.0, 0.54)],
        'Q' => vec![ring, vec![(0.55, 0.75), (1.05, 1.05)]],
        'R' => vec![stem, bowl(0.5, 0.0, 0.52), vec![(0.5, 0.52), (1.0, 1.0)]],
        'S' => vec![
            arc((0.5, mid / 2.0), (0.48, mid / 2.0), 345.0, 90.0),
            arc((0.5, (1.0 + mid) / 2.0), (0.5, (1.0 - mid) / 2.0), 270.0, 525.0),
        ],
        'T' => vec![vec![(0.0, 0.0), (1.0, 0.0)], vec![(0.5, 0.0), (0.5, 1.0)]],
        'U' => vec![joined(&[&[(0.0, 0.0)], &lower(180.0, 0.0), &[(1.0, 0.0)]])],
        'V' => vec![vec![(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)]],
        'W' => vec![vec![(0.0, 0.0), (0.25, 1.0), (0.5, 0.4), (0.75, 1.0), (1.0, 0.0)]],
        'X' => vec![vec![(0.0, 0.0), (1.0, 1.0)], vec![(1.0, 0.0), (0.0, 1.0)]],
        'Y' => vec![vec![(0.0, 0.0), (0.5, mid), (1.0, 0.0)], vec![(0.5, mid), (0.5, 1.0)]],
        'Z' => vec![vec![(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]],
        '-' => vec![vec![(0.0, 0.5), (1.0, 0.5)]],
        '.' => vec![vec![(0.5, 0.97), (0.5, 1.0)]],
        other => panic!("no strokes for `{other}`"),
    }
}

/// Width of a character's box in heights.
fn width(c: char) -> f32 {
    match c {
        '-' => 0.16,
        '.' => 0.04,
        '1' => 0.28,
        'M' => 0.46,
        _ => 0.36,
    }
}

/// Distance of a point from a stretch.
fn distance(p: Point, a: Point, b: Point) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let along = (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy).max(1e-9)).clamp(0.0, 1.0);
    (p.0 - a.0 - along * dx).hypot(p.1 - a.1 - along * dy)
}

/// Width and height, mm: long, motorcycle, short.
fn size_mm(rows: &[String]) -> Point {
    let wide = rows[0].chars().count() <= 3;
    match (rows.len(), wide) {
        (1, _) => (520.0, 110.0),
        (_, false) => (190.0, 140.0),
        _ => (330.0, 165.0),
    }
}

/// All strokes of a plate as stretches, mm, and the weight of a stroke.
fn layout(rows: &[String], (plate_w, plate_h): Point) -> (Vec<(Point, Point)>, f32) {
    let pitch = plate_h / rows.len() as f32;
    let letter = pitch * if rows.len() == 1 { 0.70 } else { 0.72 };
    let weight = letter * 0.13;
    let mut out = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let gap = letter * 0.24;
        let natural: f32 = row.chars().map(|c| width(c) * letter + gap).sum::<f32>() - gap;
        // Plates are as wide as they are: few characters stand wide, many narrow.
        let stretch = (plate_w * 0.86 / natural).min(1.35);
        let top = pitch * (number as f32 + 0.5) - letter / 2.0;
        let mut x = (plate_w - natural * stretch) / 2.0;
        for c in row.chars() {
            let w = width(c) * letter * stretch;
            for stroke in strokes(c) {
                let place = |&(u, v): &Point| (x + u * w, top + weight / 2.0 + v * (letter - weight));
                let points: Vec<Point> = stroke.iter().map(place).collect();
                out.extend(points.windows(2).map(|pair| (pair[0], pair[1])));
            }
            x += w + gap * stretch;
        }
    }
    (out, weight)
}

/// The picture of a plate with these printed rows.
pub fn picture(rows: &[String], paint: Paint, view: View, seed: u64) -> RgbImage {
    let size = size_mm(rows);
    let (stretches, weight) = layout(rows, size);
    let scale = size.1 / view.height_px;
    let (sin, cos) = view.tilt.to_radians().sin_cos();
    let border = view.around * size.1;
    let reach = |a: f32, b: f32| (a * cos.abs() + b * sin.abs() + 2.0 * border) / scale;
    let (w, h) = (reach(size.0, size.1) as u32, reach(size.1, size.0) as u32);
    let ink_at = |p: Point| stretches.iter().any(|&(a, b)| distance(p, a, b) < weight / 2.0);
    let mut state = seed | 1;
    RgbImage::from_fn(w, h, |px, py| {
        let mut sum = [0.0f32; 3];
        for sample in 0..4 {
            let x = (px as f32 + 0.25 + 0.5 * (sample % 2) as f32 - w as f32 / 2.0) * scale;
            let y = (py as f32 + 0.25 + 0.5 * (sample / 2) as f32 - h as f32 / 2.0) * scale;
            let at = (x * cos + y * sin + size.0 / 2.0, y * cos - x * sin + size.1 / 2.0);
            let inside = at.0.min(at.1).min(size.0 - at.0).min(size.1 - at.1);
            let colour = match inside {
                i if i < 0.0 => [70, 72, 70],
                i if i < 2.5 => paint.ink,
                _ if ink_at(at) => paint.ink,
                _ => paint.ground,
            };
            sum.iter_mut().zip(colour).for_each(|(s, v)| *s += f32::from(v) / 4.0);
        }
        // A sensor's noise: xorshift, a few grey levels.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let noise = (state % 13) as f32 - 6.0;
        Rgb(sum.map(|s| (s + noise).clamp(0.0, 255.0) as u8))
    })
}
