//! From rows of text to cuts that may hold a plate: a row alone, or two rows one above the other.
//!
//! Invariant: pure geometry; every cut that could be a plate is proposed, none is judged here.

use super::rowbox::RowBox;
use crate::{BBoxPx, PointPx};

/// A cut that may hold a plate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Where, tilted, tight around the text.
    pub cut: RowBox,
    /// Rows that the finder saw in it.
    pub rows: u8,
    /// Height of one row, px: the unit of margins.
    pub unit: f32,
}

/// Least height of a row of characters that is worth reading, px.
const LEAST_ROW: f32 = 5.0;

/// Extents of a box in the frame of another direction: (left, right, top, bottom) around `origin`.
fn extents(row: &RowBox, origin: PointPx, angle: f32) -> (f32, f32, f32, f32) {
    let frame = RowBox {
        centre: origin,
        length: 0.0,
        height: 0.0,
        angle,
        score: 0.0,
    };
    row.corners()
        .iter()
        .map(|&corner| frame.local(corner))
        .fold((f32::MAX, f32::MIN, f32::MAX, f32::MIN), |(l, r, t, b), (u, v)| {
            (l.min(u), r.max(u), t.min(v), b.max(v))
        })
}

/// Two rows as the halves of one plate; `None` where they do not stand so.
pub fn pair(a: &RowBox, b: &RowBox) -> Option<Candidate> {
    let (long, short) = if a.length >= b.length { (a, b) } else { (b, a) };
    // A short row such as `38N` is nearly square: its own direction says nothing then.
    let square = short.length < 1.8 * short.height;
    let turned = (short.angle - long.angle).sin().abs();
    if !square && turned > 0.30 {
        return None;
    }
    let angle = if square { long.angle } else { mean_angle(long, short) };
    let origin = long.centre;
    let (la, ra, ta, ba) = extents(long, origin, angle);
    let (lb, rb, tb, bb) = extents(short, origin, angle);
    let (wa, wb, ha, hb) = (ra - la, rb - lb, ba - ta, bb - tb);
    let unit = (ha + hb) / 2.0;
    let overlap = ra.min(rb) - la.max(lb);
    let apart = ((tb + bb) - (ta + ba)).abs() / 2.0;
    let fits =
        overlap > 0.6 * wb && wb > 0.4 * wa && ha < 1.9 * hb && hb < 1.9 * ha && (0.5..1.7).contains(&(apart / unit));
    if !fits {
        return None;
    }
    let (left, right, top, bottom) = (la.min(lb), ra.max(rb), ta.min(tb), ba.max(bb));
    if !(0.7..3.6).contains(&((right - left) / (bottom - top))) {
        return None;
    }
    let (u, v) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let (s, c) = angle.sin_cos();
    let centre = PointPx {
        x: origin.x + u * c - v * s,
        y: origin.y + u * s + v * c,
    };
    let cut = RowBox {
        centre,
        length: right - left,
        height: bottom - top,
        angle,
        score: a.score.min(b.score),
    };
    Some(Candidate {
        cut,
        rows: 2,
        unit: (bottom - top) / 2.0,
    })
}

fn mean_angle(a: &RowBox, b: &RowBox) -> f32 {
    let (s, c) = (
        a.length * a.angle.sin() + b.length * b.angle.sin(),
        a.length * a.angle.cos() + b.length * b.angle.cos(),
    );
    s.atan2(c)
}

/// All cuts that the rows suggest, likely ones first: pairs, then single rows from the most plate-like.
pub fn candidates(rows: &[RowBox], out: &mut Vec<Candidate>) {
    out.clear();
    for (i, a) in rows.iter().enumerate() {
        for b in &rows[i + 1..] {
            out.extend(pair(a, b).filter(|c| c.unit >= LEAST_ROW));
        }
    }
    out.sort_by(|a, b| b.cut.score.total_cmp(&a.cut.score));
    let pairs = out.len();
    for row in rows {
        let aspect = row.length / row.height.max(1.0);
        if row.height >= LEAST_ROW && aspect < 11.0 {
            // A box that is nearly square holds both rows of a plate at once, if it holds one at all.
            let both = aspect < 2.3;
            // Steep text is a plate only where the camera hangs askew; upright again it is the other diagonal.
            let unit = if both { row.height / 2.0 } else { row.height };
            out.push(Candidate {
                cut: *row,
                rows: if both { 2 } else { 1 },
                unit,
            });
        }
    }
    // One-line plates are 4.7 times as long as high; DB's boxes a little less.
    let unlike = |c: &Candidate| (c.cut.length / c.cut.height / 4.4).ln().abs() - c.cut.score;
    out[pairs..].sort_by(|a, b| unlike(a).total_cmp(&unlike(b)));
}

impl Candidate {
    /// A part of a picture as a plate that fills it.
    pub fn filling(part: &BBoxPx) -> Self {
        let centre = part.centre();
        let rows = if part.width() < 2.6 * part.height() { 2 } else { 1 };
        let cut = RowBox {
            centre: PointPx {
                x: centre.x,
                y: centre.y,
            },
            length: part.width() * 0.96,
            height: part.height() * 0.94,
            angle: 0.0,
            score: 0.5,
        };
        Self {
            cut,
            rows,
            unit: cut.height / f32::from(rows),
        }
    }

    /// The cut with a margin on every side, in units of its row height.
    pub fn grown(&self, margin: f32) -> RowBox {
        let add = 2.0 * margin * self.unit;
        RowBox {
            length: self.cut.length + add,
            height: self.cut.height + add,
            ..self.cut
        }
    }

    /// The same cut with a row's height more above (-1) or below (+1) it: for a plate of which one row was not found.
    pub fn with_row_beside(&self, side: f32) -> Self {
        let (s, c) = self.cut.angle.sin_cos();
        let shift = side * self.cut.height * 0.5;
        let centre = PointPx {
            x: self.cut.centre.x - s * shift,
            y: self.cut.centre.y + c * shift,
        };
        Self {
            cut: RowBox {
                centre,
                height: self.cut.height * 2.0,
                ..self.cut
            },
            rows: 2,
            unit: self.unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(x: f32, y: f32, length: f32, height: f32, degrees: f32) -> RowBox {
        RowBox {
            centre: PointPx { x, y },
            length,
            height,
            angle: degrees.to_radians(),
            score: 0.9,
        }
    }

    fn check(a: RowBox, b: RowBox, paired: bool) {
        assert_eq!(pair(&a, &b).is_some(), paired, "{a:?} {b:?}");
        assert_eq!(pair(&b, &a).is_some(), paired, "order matters for {a:?} {b:?}");
    }

    #[test]
    fn rows_of_one_plate_are_paired() {
        check(row(50.0, 20.0, 60.0, 22.0, 0.0), row(50.0, 45.0, 80.0, 24.0, 0.0), true);
        check(
            row(50.0, 20.0, 60.0, 22.0, 12.0),
            row(45.0, 45.0, 80.0, 24.0, 12.0),
            true,
        );
        // `38N` above `77.99`: the upper box is nearly square and its direction came out upright.
        check(
            row(50.0, 18.0, 38.0, 34.0, 88.0),
            row(50.0, 45.0, 70.0, 24.0, 0.0),
            true,
        );
        // Side by side, far apart, of other size, crossing.
        check(
            row(20.0, 20.0, 60.0, 22.0, 0.0),
            row(90.0, 20.0, 60.0, 22.0, 0.0),
            false,
        );
        check(
            row(50.0, 20.0, 60.0, 22.0, 0.0),
            row(50.0, 90.0, 80.0, 24.0, 0.0),
            false,
        );
        check(
            row(50.0, 20.0, 60.0, 10.0, 0.0),
            row(50.0, 45.0, 80.0, 30.0, 0.0),
            false,
        );
        check(
            row(50.0, 20.0, 60.0, 22.0, 40.0),
            row(50.0, 45.0, 80.0, 24.0, 0.0),
            false,
        );
    }

    #[test]
    fn a_pair_covers_both_rows() {
        let cut = pair(&row(50.0, 20.0, 60.0, 20.0, 0.0), &row(52.0, 44.0, 80.0, 20.0, 0.0))
            .unwrap()
            .cut;
        let bounds = cut.bounds();
        assert!(
            bounds.x1 <= 12.1 && bounds.x2 >= 91.9 && bounds.y1 <= 10.1 && bounds.y2 >= 53.9,
            "{bounds:?}"
        );
    }
}
