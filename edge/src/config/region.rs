//! A part of a picture, in shares of it. Invariant: it lies within the picture and has an extent.

use serde::Deserialize;

/// Left, top, right, bottom, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "[f32; 4]")]
pub struct Region([f32; 4]);

impl TryFrom<[f32; 4]> for Region {
    type Error = &'static str;

    fn try_from(sides: [f32; 4]) -> Result<Self, Self::Error> {
        let [left, top, right, bottom] = sides;
        let lies_within = 0.0 <= left && left < right && right <= 1.0 && 0.0 <= top && top < bottom && bottom <= 1.0;
        if lies_within {
            Ok(Self(sides))
        } else {
            Err("a region is left, top, right, bottom between 0 and 1, with left < right and top < bottom")
        }
    }
}

impl Region {
    /// Left, top, right, bottom.
    pub fn sides(&self) -> [f32; 4] {
        self.0
    }

    /// Where a point of the whole picture lies in this part, in shares of the part; outside of 0 to 1 if beyond it.
    pub fn point(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [left, top, right, bottom] = self.0;
        [(x - left) / (right - left), (y - top) / (bottom - top)]
    }

    /// A line, x1, y1, x2, y2 in shares of the whole picture, in shares of this part.
    pub fn line(&self, [x1, y1, x2, y2]: &[f32; 4]) -> [f32; 4] {
        let (from, to) = (self.point([*x1, *y1]), self.point([*x2, *y2]));
        [from[0], from[1], to[0], to[1]]
    }

    /// Whether such a line passes through this part (Liang and Barsky 1984: what is left of it, cut at each side).
    pub fn is_met_by(&self, line: &[f32; 4]) -> bool {
        let [x1, y1, x2, y2] = self.line(line);
        let (mut first, mut last) = (0.0_f32, 1.0_f32);
        for (start, way) in [(x1, x2 - x1), (y1, y2 - y1)] {
            if way == 0.0 {
                if !(0.0..=1.0).contains(&start) {
                    return false;
                }
                continue;
            }
            let (low, high) = (-start / way, (1.0 - start) / way);
            first = first.max(low.min(high));
            last = last.min(low.max(high));
        }
        first < last
    }

    /// What this part shows of another, in shares of this part; none if nothing.
    pub fn part(&self, other: &Self) -> Option<Self> {
        let [left, top, right, bottom] = other.0;
        let ([left, top], [right, bottom]) = (self.point([left, top]), self.point([right, bottom]));
        Self::try_from([left.max(0.0), top.max(0.0), right.min(1.0), bottom.min(1.0)]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_parts_are_told_in_shares_of_the_region() {
        let region = Region::try_from([0.5, 0.2, 1.0, 0.6]).unwrap();
        let [x, y] = region.point([0.75, 0.4]);
        assert!((x - 0.5).abs() < 1e-6 && (y - 0.5).abs() < 1e-6);
        let lane = Region::try_from([0.0, 0.4, 0.75, 1.0]).unwrap();
        let [left, top, right, bottom] = region.part(&lane).unwrap().sides();
        assert_eq!((left, bottom), (0.0, 1.0));
        assert!((right - 0.5).abs() < 1e-6 && (top - 0.5).abs() < 1e-6);
        assert_eq!(region.part(&Region::try_from([0.0, 0.0, 0.4, 0.1]).unwrap()), None);
        let whole = Region::try_from([0.0, 0.0, 1.0, 1.0]).unwrap();
        assert_eq!(whole.part(&lane), Some(lane));
    }

    #[test]
    fn a_line_that_passes_by_is_told_from_one_through_it() {
        let region = Region::try_from([0.4, 0.4, 0.8, 0.8]).unwrap();
        for (line, meets) in [
            ([0.5, 0.0, 0.5, 1.0], true),
            ([0.0, 0.0, 1.0, 1.0], true),
            ([0.45, 0.5, 0.6, 0.7], true),
            ([0.2, 0.0, 0.2, 1.0], false),
            ([0.0, 0.7, 0.7, 0.0], false),
            ([0.5, 0.0, 0.5, 0.3], false),
        ] {
            assert_eq!(region.is_met_by(&line), meets, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_part_of_a_picture_is_refused() {
        for sides in [
            [0.5, 0.0, 0.2, 1.0],
            [0.0, 0.0, 1.0, 1.1],
            [0.1, 0.3, 0.9, 0.3],
            [f32::NAN; 4],
        ] {
            assert!(Region::try_from(sides).is_err(), "{sides:?}");
        }
    }
}
