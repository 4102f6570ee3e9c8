//! From a map of text probability to tilted boxes around rows of text: threshold, connected components, least-area
//! rectangle, grown by a share of its size. Source: the post-processing of DB (Liao et al. 2020), without polygons.
//!
//! Invariant: a box's length is along its reading direction and not below its height. Knows nothing of plates.

use crate::PointPx;

/// A tilted box around one row of text, px of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowBox {
    /// Centre.
    pub centre: PointPx,
    /// Extent along the text.
    pub length: f32,
    /// Extent across it.
    pub height: f32,
    /// Direction of the text, radians, clockwise on the picture, -π/2 to π/2.
    pub angle: f32,
    /// Mean text probability inside.
    pub score: f32,
}

/// How a map becomes boxes.
#[derive(Debug, Clone, Copy)]
pub struct RowRules {
    /// Probability from which a pixel is text.
    pub text_from: f32,
    /// Mean probability from which a component counts.
    pub score_from: f32,
    /// Growth: area times this over the perimeter is added on each side (DB shrinks its kernels in training).
    pub grow: f32,
    /// Least extent across the text, px of the map.
    pub least_px: f32,
}

/// Buffers of [`rows_of_map`], reused from picture to picture.
#[derive(Debug, Default)]
pub struct RowScratch {
    seen: Vec<bool>,
    stack: Vec<u32>,
    edge: Vec<(f32, f32)>,
    hull: Vec<(f32, f32)>,
}

/// Boxes of a probability map of `width` x `height`, in pixels of the map, in no particular order.
pub fn rows_of_map(
    map: &[f32],
    width: usize,
    height: usize,
    rules: RowRules,
    scratch: &mut RowScratch,
    out: &mut Vec<RowBox>,
) {
    out.clear();
    let RowScratch {
        seen,
        stack,
        edge,
        hull,
    } = scratch;
    seen.clear();
    seen.resize(width * height, false);
    for start in 0..(width * height).min(map.len()) {
        if seen[start] || map[start] < rules.text_from {
            continue;
        }
        edge.clear();
        stack.clear();
        stack.push(start as u32);
        seen[start] = true;
        let (mut sum, mut count) = (0.0f64, 0u32);
        while let Some(at) = stack.pop() {
            let (x, y) = (at as usize % width, at as usize / width);
            sum += f64::from(map[at as usize]);
            count += 1;
            let mut inner = true;
            for dy in -1isize..=1 {
                for dx in -1isize..=1 {
                    let (nx, ny) = (x as isize + dx, y as isize + dy);
                    if nx < 0 || ny < 0 || nx >= width as isize || ny >= height as isize {
                        inner = false;
                        continue;
                    }
                    let next = ny as usize * width + nx as usize;
                    if map[next] < rules.text_from {
                        inner = false;
                    } else if !seen[next] {
                        seen[next] = true;
                        stack.push(next as u32);
                    }
                }
            }
            if !inner {
                edge.push((x as f32, y as f32));
            }
        }
        let score = (sum / f64::from(count)) as f32;
        if score < rules.score_from {
            continue;
        }
        convex_hull(edge, hull);
        let Some((centre, length, across, angle)) = least_rectangle(hull) else {
            continue;
        };
        if across < rules.least_px {
            continue;
        }
        let grow = 2.0 * length * across * rules.grow / (2.0 * (length + across));
        out.push(RowBox {
            centre,
            length: length + grow,
            height: across + grow,
            angle,
            score,
        });
    }
}

/// Convex hull by Andrew's monotone chain, counter-clockwise in a frame with y up.
fn convex_hull(points: &mut [(f32, f32)], hull: &mut Vec<(f32, f32)>) {
    hull.clear();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let turn = |a: (f32, f32), b: (f32, f32), c: (f32, f32)| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
    for pass in 0..2 {
        let base = hull.len();
        let mut add = |p: (f32, f32)| {
            while hull.len() >= base + 2 && turn(hull[hull.len() - 2], hull[hull.len() - 1], p) <= 0.0 {
                hull.pop();
            }
            hull.push(p);
        };
        if pass == 0 {
            points.iter().copied().for_each(&mut add);
        } else {
            points.iter().rev().copied().for_each(&mut add);
        }
        hull.pop();
    }
}

/// The least-area rectangle around a hull: centre, long side, short side, direction of the long side.
fn least_rectangle(hull: &[(f32, f32)]) -> Option<(PointPx, f32, f32, f32)> {
    let mut best: Option<(f32, PointPx, f32, f32, f32)> = None;
    for (i, &a) in hull.iter().enumerate() {
        let b = hull[(i + 1) % hull.len()];
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let norm = dx.hypot(dy);
        if norm < 1e-3 {
            continue;
        }
        let (ux, uy) = (dx / norm, dy / norm);
        let (mut u, mut v) = ((f32::MAX, f32::MIN), (f32::MAX, f32::MIN));
        for &(x, y) in hull {
            let (pu, pv) = (x * ux + y * uy, -x * uy + y * ux);
            u = (u.0.min(pu), u.1.max(pu));
            v = (v.0.min(pv), v.1.max(pv));
        }
        let (long, short) = (u.1 - u.0, v.1 - v.0);
        if best.is_none_or(|(area, ..)| long * short < area) {
            let (cu, cv) = ((u.0 + u.1) / 2.0, (v.0 + v.1) / 2.0);
            let centre = PointPx {
                x: cu * ux - cv * uy,
                y: cu * uy + cv * ux,
            };
            best = Some((long * short, centre, long, short, uy.atan2(ux)));
        }
    }
    let (_, centre, mut long, mut short, mut angle) = best?;
    if long < short {
        (long, short) = (short, long);
        angle += std::f32::consts::FRAC_PI_2;
    }
    // Text is read from left to right: a direction and its reverse are the same row.
    while angle > std::f32::consts::FRAC_PI_2 {
        angle -= std::f32::consts::PI;
    }
    while angle <= -std::f32::consts::FRAC_PI_2 {
        angle += std::f32::consts::PI;
    }
    Some((centre, long, short, angle))
}

impl RowBox {
    /// Corners: top left, top right, bottom right, bottom left as the text stands.
    pub fn corners(&self) -> [PointPx; 4] {
        let (s, c) = self.angle.sin_cos();
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(u, v)| {
            let (u, v) = (u * self.length, v * self.height);
            PointPx {
                x: self.centre.x + u * c - v * s,
                y: self.centre.y + u * s + v * c,
            }
        })
    }

    /// The upright box around it.
    pub fn bounds(&self) -> crate::BBoxPx {
        let corners = self.corners();
        let fold =
            |pick: fn(&PointPx) -> f32, join: fn(f32, f32) -> f32| corners.iter().map(pick).reduce(join).unwrap_or(0.0);
        crate::BBoxPx::new(
            fold(|p| p.x, f32::min),
            fold(|p| p.y, f32::min),
            fold(|p| p.x, f32::max),
            fold(|p| p.y, f32::max),
        )
    }

    /// A point in the frame of the box: along the text and across it, from the centre.
    pub fn local(&self, point: PointPx) -> (f32, f32) {
        let (s, c) = self.angle.sin_cos();
        let (dx, dy) = (point.x - self.centre.x, point.y - self.centre.y);
        (dx * c + dy * s, -dx * s + dy * c)
    }

    /// The box moved to another scale and origin: `picture = map * scale + origin`.
    pub fn scaled(&self, scale_x: f32, scale_y: f32, origin: PointPx) -> Self {
        let centre = PointPx {
            x: (self.centre.x + 0.5) * scale_x + origin.x,
            y: (self.centre.y + 0.5) * scale_y + origin.y,
        };
        let (s, c) = self.angle.sin_cos();
        let along = ((c * scale_x).powi(2) + (s * scale_y).powi(2)).sqrt();
        let across = ((s * scale_x).powi(2) + (c * scale_y).powi(2)).sqrt();
        let angle = (s * scale_y).atan2(c * scale_x);
        Self {
            centre,
            length: self.length * along,
            height: self.height * across,
            angle,
            score: self.score,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: RowRules = RowRules {
        text_from: 0.3,
        score_from: 0.5,
        grow: 0.0,
        least_px: 1.0,
    };

    fn painted(truth: RowBox) -> Vec<RowBox> {
        let mut map = vec![0.0; 200 * 160];
        for y in 0..160 {
            for x in 0..200 {
                let (u, v) = truth.local(PointPx {
                    x: x as f32,
                    y: y as f32,
                });
                if u.abs() <= truth.length / 2.0 && v.abs() <= truth.height / 2.0 {
                    map[y * 200 + x] = 0.9;
                }
            }
        }
        let mut found = Vec::new();
        rows_of_map(&map, 200, 160, RULES, &mut RowScratch::default(), &mut found);
        found
    }

    proptest! {
        #[test]
        fn a_painted_row_is_found_where_it_was_painted(degrees in -80.0f32..80.0, length in 40.0f32..90.0, height in 8.0f32..20.0) {
            let truth = RowBox { centre: PointPx { x: 100.0, y: 80.0 }, length, height, angle: degrees.to_radians(), score: 0.9 };
            let found = painted(truth);
            prop_assert_eq!(found.len(), 1);
            let row = found[0];
            prop_assert!((row.centre.x - 100.0).abs() < 1.5 && (row.centre.y - 80.0).abs() < 1.5, "{:?}", row);
            prop_assert!((row.length - length).abs() < 3.0 && (row.height - height).abs() < 3.0, "{:?}", row);
            prop_assert!((row.angle - truth.angle).abs() < 0.08, "{:?} against {}", row, truth.angle);
        }

        #[test]
        fn any_map_is_answered(map in proptest::collection::vec(0.0f32..1.0, 24 * 16)) {
            let mut found = Vec::new();
            rows_of_map(&map, 24, 16, RULES, &mut RowScratch::default(), &mut found);
            prop_assert!(found.iter().all(|r| r.length >= r.height && r.length.is_finite()));
        }
    }
}
