//! Exact nearest rows by inner product, in three passes: 4-bit products with a bound on their error, 8-bit products of the
//! rows that this bound cannot rule out, and the true f32 product of those that remain. Invariant: what is found, and in
//! which order, is what a plain f32 scan finds; the first passes only save work.
//!
//! A row r is held as step * q + e with q of few bits, a probe p as step' * q' + e'. Then r p = step step' (q q') + e p +
//! step q e', of which the last two are at most |e| |p| + (|r| + |e|) |e'|.

use super::scan::{DONE, Kernel, LINE, Line, MIDDLE_OF_4, Probe, ROWS, Tile, TileBounds, VALUES, with_kernel};
use super::search::Search;
use super::steps::{length, stepped, stepped_best};

/// The middle of 8 bits, which stands for nought.
const MIDDLE_OF_8: u8 = 128;
/// Allowance for the rounding of f32 arithmetic itself, as a share of |r| |p|.
const ROUNDING: f32 = 1e-5;

/// Rows of one width.
#[derive(Debug, Default, Clone)]
pub struct FlatRows {
    pub(super) width: usize,
    count: usize,
    values: Vec<f32>,
    lines: Vec<Line>,
    line_bounds: Vec<Bound>,
    pub(super) tiles: Vec<Tile>,
    pub(super) tile_bounds: Vec<TileBounds>,
    /// Greatest length of a row, with its greatest error.
    pub(super) longest: f32,
}

/// What bounds the product of a row: the value of one step, and the greatest error with a probe of length 1.
#[derive(Debug, Default, Clone, Copy)]
struct Bound {
    step: f32,
    error: f32,
}

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Inner product with the probe.
    pub similarity: f32,
    /// Which row, from 0 in the order of pushing.
    pub row: usize,
}

impl FlatRows {
    /// No rows yet, of this width.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// The rows' values, one row after the other.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has another width.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.width, "rows have one width");
        let (block, place) = (self.count / ROWS, self.count % ROWS);
        let tiles_a_row = self.width.div_ceil(VALUES);
        if place == 0 {
            self.tiles
                .resize(self.tiles.len() + tiles_a_row, Tile([0; ROWS * VALUES / 2]));
            // What is not there can be nothing.
            self.tile_bounds.push(TileBounds {
                step: [0.0; ROWS],
                error: [DONE; ROWS],
            });
        }
        let length = length(row);
        let mut numbers = vec![0_i8; self.width];
        // 15 steps, from -7 to 7 around the middle.
        let (step, coarse) = stepped_best(row, f32::from(MIDDLE_OF_4 - 1), &mut numbers);
        for (n, number) in numbers.iter().enumerate() {
            let byte = &mut self.tiles[block * tiles_a_row + n / VALUES].0[place * 4 + n % 4];
            *byte |= MIDDLE_OF_4.wrapping_add_signed(*number) << (n % VALUES / 4 * 4);
        }
        let bounds = &mut self.tile_bounds[block];
        (bounds.step[place], bounds.error[place]) = (step, coarse + ROUNDING * length);
        let (step, fine) = stepped(row, 127.0, &mut numbers);
        let first = self.lines.len();
        self.lines
            .resize(first + self.width.div_ceil(LINE), Line([MIDDLE_OF_8; LINE]));
        for (line, numbers) in self.lines[first..].iter_mut().zip(numbers.chunks(LINE)) {
            for (byte, number) in line.0.iter_mut().zip(numbers) {
                *byte = MIDDLE_OF_8.wrapping_add_signed(*number);
            }
        }
        let error = fine + ROUNDING * length;
        self.line_bounds.push(Bound { step, error });
        self.longest = self.longest.max(length + coarse.max(fine));
        self.values.extend_from_slice(row);
        self.count += 1;
    }

    /// The `N` nearest rows of those that `may` allows, best first; of equal ones the earlier. Fewer where there are not
    /// so many.
    pub fn nearest<const N: usize>(&self, values: &[f32], may: impl Fn(usize, f32) -> bool) -> [Option<Near>; N] {
        if values.len() != self.width || self.count == 0 {
            return [None; N];
        }
        with_kernel(Search {
            flat: self,
            values,
            may,
        })
    }

    /// The most that the product of a row can be, by its 8 bits.
    #[inline(always)]
    pub(super) fn most(&self, kernel: impl Kernel, probe: &Probe, row: usize) -> f32 {
        let (steps, bound) = (probe.steps.as_slice(), self.line_bounds[row]);
        let product = kernel.product(&self.lines[row * steps.len()..][..steps.len()], steps);
        let product = product.wrapping_sub(probe.sum.wrapping_mul(i32::from(MIDDLE_OF_8))) as f32;
        product * (bound.step * probe.step) + (bound.error * probe.length + probe.slack)
    }

    #[inline(always)]
    pub(super) fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..(number + 1) * self.width]
    }
}

/// Eight sums at a time, so that the compiler uses vector registers.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a8.zip(b8) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::scan::{WithKernel, with_every_kernel};
    use super::super::search::TOGETHER;
    use super::*;
    use proptest::prelude::*;

    fn plain<const N: usize>(rows: &[Vec<f32>], probe: &[f32], may: impl Fn(usize) -> bool) -> [Option<Near>; N] {
        let mut all: Vec<Near> = rows
            .iter()
            .enumerate()
            .filter(|(row, _)| may(*row))
            .map(|(row, values)| Near {
                similarity: dot(values, probe),
                row,
            })
            .collect();
        all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        std::array::from_fn(|n| all.get(n).copied())
    }

    fn check(width: usize, rows: &[Vec<f32>], probe: &[f32]) {
        let mut flat = FlatRows::new(width);
        rows.iter().for_each(|row| flat.push(row));
        assert_eq!(flat.rows().count(), rows.len());
        checked::<5>(&flat, rows, probe, |_| true);
        checked::<1>(&flat, rows, probe, |row| row % 2 == 1);
    }

    fn checked<const N: usize>(flat: &FlatRows, rows: &[Vec<f32>], probe: &[f32], may: impl Fn(usize) -> bool + Copy) {
        let plain = plain::<N>(rows, probe, may);
        assert_eq!(flat.nearest(probe, |row, _| may(row)), plain);
        let search = Search {
            flat,
            values: probe,
            may: |row: usize, _| may(row),
        };
        for found in with_every_kernel(&search) {
            assert_eq!(found, plain);
        }
    }

    /// Numbers between -1 and 1 that look like chance.
    fn chance(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        }
    }

    proptest! {
        /// Rows in bundles about few centres, as photographs of few persons are, equal ones among them, and of any length.
        #[test]
        fn a_search_finds_what_a_plain_scan_finds(
            width in 1_usize..70,
            count in 0_usize..90,
            spread in 0.0_f32..1.5,
            seed in any::<u64>(),
        ) {
            let mut value = chance(seed);
            let centres: Vec<Vec<f32>> = (0..4).map(|_| (0..width).map(|_| value()).collect()).collect();
            let mut rows: Vec<Vec<f32>> = Vec::new();
            for n in 0..count {
                let near = &centres[n % 4];
                let row = near.iter().map(|v| v + spread * value() * if n % 3 == 0 { 0.0 } else { 1.0 }).collect();
                rows.push(row);
            }
            let probe: Vec<f32> = centres[0].iter().map(|v| v + spread * value()).collect();
            check(width, &rows, &probe);
            check(width, &rows, &vec![0.0; width]);
        }
    }

    type Step = fn(&[f32], f32, &mut [i8]) -> (f32, f32);

    /// What is kept of values in so many steps, and what is lost.
    fn kept_and_lost(values: &[f32], with: Step, most: f32) -> (Vec<f32>, Vec<f32>) {
        let mut numbers = vec![0; values.len()];
        let (step, _) = with(values, most, &mut numbers);
        let kept: Vec<f32> = numbers.iter().map(|number| f32::from(*number) * step).collect();
        let lost = values.iter().zip(&kept).map(|(value, kept)| value - kept).collect();
        (kept, lost)
    }

    #[test]
    fn no_bound_is_less_than_the_product() {
        for seed in 1..30 {
            let mut value = chance(seed);
            let values: Vec<f32> = (0..40).map(|_| value()).collect();
            // Along what is lost of a row, or of a probe, all that is lost counts.
            let along = |with, most| kept_and_lost(&kept_and_lost(&values, with, most).1, stepped, 127.0).0;
            let (coarse, fine) = (along(stepped_best, 7.0), along(stepped, 127.0));
            for (row, probe) in [(&values, &coarse), (&values, &fine), (&fine, &values)] {
                let mut flat = FlatRows::new(row.len());
                flat.push(row);
                let product = dot(row, probe);
                for most in with_every_kernel(&AtMost(&flat, probe)) {
                    assert!(most.iter().all(|most| *most >= product), "{most:?} {product}");
                }
            }
        }
    }

    #[derive(Clone, Copy)]
    struct AtMost<'a>(&'a FlatRows, &'a [f32]);

    impl WithKernel for AtMost<'_> {
        type Output = [f32; 2];
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            let Self(flat, values) = self;
            let (probe, mut most) = (Probe::new(values, flat.longest), [[0.0; ROWS]]);
            kernel.bound((&flat.tiles, &flat.tile_bounds), &probe, &mut most);
            [most[0][0], flat.most(kernel, &probe, 0)]
        }
    }

    #[test]
    fn more_rows_than_are_looked_through_together_are_searched() {
        let mut value = chance(7);
        // Most of them so alike that more need a closer look than can wait.
        let mut row = |n: usize| {
            (0..9)
                .map(|_| {
                    if n.is_multiple_of(3) {
                        value()
                    } else {
                        1.0 + 0.01 * value()
                    }
                })
                .collect()
        };
        let rows: Vec<Vec<f32>> = (0..2 * TOGETHER * ROWS + 70).map(&mut row).collect();
        check(9, &rows, &[1.0; 9]);
        check(9, &rows, &rows[rows.len() - 1]);
    }

    #[test]
    fn another_width_finds_nothing() {
        let mut flat = FlatRows::new(3);
        flat.push(&[1.0, 0.0, 0.0]);
        assert_eq!(flat.nearest::<1>(&[1.0, 0.0], |_, _| true), [None]);
        assert_eq!(FlatRows::new(3).nearest::<1>(&[1.0; 3], |_, _| true), [None]);
    }

    #[test]
    fn the_dot_product_is_the_plain_one() {
        let a: Vec<f32> = (0..131).map(|i| (i as f32).sin()).collect();
        let b: Vec<f32> = (0..131).map(|i| (i as f32).cos()).collect();
        let plain: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
        assert!((dot(&a, &b) - plain).abs() < 1e-4);
    }
}
