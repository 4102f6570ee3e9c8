//! Exact nearest rows by inner product, in three passes: 4-bit products with a bound on their error, 8-bit products of the
//! rows that this bound cannot rule out, and the true f32 product of those that remain. Invariant: what is found, and in
//! which order, is what a plain f32 scan finds; the first passes only save work.
//!
//! A row r is held as step * q + e with q of few bits, a probe p as step' * q' + e'. Then r p = step step' (q q') + e p +
//! step q e', of which the last two are at most |e| |p| + (|r| + |e|) |e'|.

use super::scan::{Coarse, Eight, Kernel, ROWS, Tile, TileBounds, VALUES, WithKernel, with_kernel};

/// The middle of 4 bits, which stands for nought.
const MIDDLE: f32 = 8.0;
/// Allowance for the rounding of f32 arithmetic itself, as a share of |r| |p|.
const ROUNDING: f32 = 1e-5;

/// Rows of one width.
#[derive(Debug, Default, Clone)]
pub struct FlatRows {
    width: usize,
    count: usize,
    values: Vec<f32>,
    bytes: Vec<i8>,
    byte_bounds: Vec<Bound>,
    tiles: Vec<Tile>,
    tile_bounds: Vec<TileBounds>,
    /// Greatest length of a row, with its greatest error.
    longest: f32,
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

/// What is looked for, in few bits.
#[derive(Debug)]
struct Probe {
    length: f32,
    eights: Vec<Eight>,
    /// Value of a step of `eights`, their error, and the product with a row of nothing but `MIDDLE`.
    coarse: (f32, f32, i32),
    words: Vec<i16>,
    fine: (f32, f32),
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
                .resize(self.tiles.len() + tiles_a_row, [0; ROWS * VALUES / 2]);
            // What is not there can be nothing.
            self.tile_bounds.push(TileBounds {
                step: [0.0; ROWS],
                error: [DONE; ROWS],
            });
        }
        let length = length(row.iter().copied());
        // 15 steps, from -7 to 7 around the middle.
        let (step, error) = stepped_best(row, MIDDLE - 1.0, |n, steps| {
            let byte = &mut self.tiles[block * tiles_a_row + n / VALUES][place * 4 + n % 4];
            *byte |= ((steps + MIDDLE) as u8) << (n % VALUES / 4 * 4);
        });
        let bounds = &mut self.tile_bounds[block];
        (bounds.step[place], bounds.error[place]) = (step, error + ROUNDING * length);
        self.longest = self.longest.max(length + error);
        let (step, error) = stepped(row, 127.0, |_, steps| self.bytes.push(steps as i8));
        let error = error + ROUNDING * length;
        self.byte_bounds.push(Bound { step, error });
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

    fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.width..(number + 1) * self.width]
    }
}

/// Values as whole numbers of steps, from -`most` to `most`; returns the value of a step and the length of what is lost.
#[inline(always)]
fn stepped(values: &[f32], most: f32, take: impl FnMut(usize, f32)) -> (f32, f32) {
    let step = greatest_of(values) / most;
    (step, stepped_by(values, most, step, take))
}

/// The same with the step that loses least: a few values beyond the last step cost less than long steps for all.
fn stepped_best(values: &[f32], most: f32, take: impl FnMut(usize, f32)) -> (f32, f32) {
    let widest = greatest_of(values) / most;
    let (mut step, mut least) = (widest, f32::INFINITY);
    for share in SHARES {
        let lost = stepped_by(values, most, widest * share, |_, _| {});
        if lost < least {
            (step, least) = (widest * share, lost);
        }
    }
    (step, stepped_by(values, most, step, take))
}

/// Shares of the widest step that are tried.
const SHARES: [f32; 4] = [1.0, 0.9, 0.8, 0.7];

#[inline(always)]
fn greatest_of(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |top, value| top.max(value.abs()))
}

#[inline(always)]
fn stepped_by(values: &[f32], most: f32, step: f32, mut take: impl FnMut(usize, f32)) -> f32 {
    let mut lost = 0.0_f64;
    for (n, &value) in values.iter().enumerate() {
        let steps = if step > 0.0 {
            (value / step).round().clamp(-most, most)
        } else {
            0.0
        };
        take(n, steps);
        lost += f64::from(value - steps * step).powi(2);
    }
    lost.sqrt() as f32
}

#[inline(always)]
fn length(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt() as f32
}

impl Probe {
    #[inline(always)]
    fn new(values: &[f32]) -> Self {
        let mut eights = vec![Eight::default(); values.len().div_ceil(VALUES)];
        let mut sum = 0;
        let (step, error) = stepped(values, 127.0, |n, steps| {
            eights[n / VALUES][n % VALUES / 4][n % 4] = steps as i8;
            sum += steps as i32;
        });
        let mut words = Vec::with_capacity(values.len());
        // With 12 bits, sums of 8-bit rows stay below 2^31 up to 8,192 values a row.
        let fine = stepped(values, 2047.0, |_, steps| words.push(steps as i16));
        Self {
            length: length(values.iter().copied()),
            eights,
            coarse: (step, error, sum * MIDDLE as i32),
            words,
            fine,
        }
    }
}

struct Search<'a, F, const N: usize> {
    flat: &'a FlatRows,
    values: &'a [f32],
    may: F,
}

/// Blocks that are looked through together: what they can be at most stays in the nearest cache.
const TOGETHER: usize = 512;
/// Blocks of which the sixteen greatest are kept, one a place: few enough that those looked for seldom share a place.
const STRETCH: usize = 64;
/// Rows that are weighed before all others.
const PROMISING: usize = 16;
/// Rows that wait for a closer look at most.
const WAITING: usize = 256;
/// What no product is.
const DONE: f32 = f32::NEG_INFINITY;

impl<F: Fn(usize, f32) -> bool, const N: usize> WithKernel for Search<'_, F, N> {
    type Output = [Option<Near>; N];

    #[inline(always)]
    fn run(self, kernel: impl Kernel) -> Self::Output {
        let flat = self.flat;
        let probe = Probe::new(self.values);
        let (step, error, middle) = probe.coarse;
        let coarse = Coarse {
            step,
            middle,
            length: probe.length,
            slack: flat.longest * error,
        };
        let mut closer = Closer {
            search: &self,
            probe: &probe,
            best: [None; N],
            rows: [0; WAITING],
            waiting: 0,
        };
        let mut most = [DONE; TOGETHER * ROWS];
        let together = flat.tiles.chunks(TOGETHER * probe.eights.len());
        for (n, (tiles, bounds)) in together.zip(flat.tile_bounds.chunks(TOGETHER)).enumerate() {
            let most = &mut most.as_chunks_mut::<ROWS>().0[..bounds.len()];
            let mut promising = [(0, DONE); PROMISING];
            let stretches = tiles.chunks(STRETCH * probe.eights.len()).zip(bounds.chunks(STRETCH));
            for (n, ((tiles, bounds), most)) in stretches.zip(most.chunks_mut(STRETCH)).enumerate() {
                // The greatest of each place of a block, and the block.
                let (mut tops, mut at) = ([DONE; ROWS], [0_u32; ROWS]);
                let blocks = tiles.chunks_exact(probe.eights.len()).zip(bounds);
                for (block, ((tiles, bounds), most)) in blocks.zip(most).enumerate() {
                    *most = kernel.most(kernel.products(tiles, &probe.eights), bounds, &coarse);
                    (tops, at) = kernel.greater((tops, at), most, block as u32);
                }
                for place in 0..ROWS {
                    rank(
                        (n * STRETCH + at[place] as usize) * ROWS + place,
                        tops[place],
                        &mut promising,
                    );
                }
            }
            let first = n * TOGETHER * ROWS;
            // The most promising first: after them few others are worth a closer look.
            for (row, _) in promising.into_iter().filter(|(_, most)| *most > DONE) {
                most[row / ROWS][row % ROWS] = DONE;
                closer.take(&[(first + row) as u32], 1);
            }
            let (mut next, mut end) = (0, 0);
            loop {
                while next < end && closer.waiting <= WAITING - ROWS {
                    // What is done is below the least that any other can be.
                    let reach = kernel.reach(&most[next], closer.least().max(f32::MIN));
                    closer.take(&kernel.rows(reach, (first + next * ROWS) as u32), reach.count_ones());
                    next += 1;
                }
                closer.look();
                if next == most.len() {
                    break;
                }
                end = most.len();
            }
        }
        closer.best
    }
}

/// Puts a row in its place among the greatest, the greatest first.
#[inline(always)]
fn rank(row: usize, most: f32, among: &mut [(usize, f32); PROMISING]) {
    if most > among[PROMISING - 1].1 {
        let place = among.iter().position(|than| most > than.1).unwrap_or(PROMISING - 1);
        among[place..].rotate_right(1);
        among[place] = (row, most);
    }
}

/// The rows that wait for a closer look. They are looked at together, so that the memory of one is fetched while another
/// is multiplied.
struct Closer<'a, F, const N: usize> {
    search: &'a Search<'a, F, N>,
    probe: &'a Probe,
    best: [Option<Near>; N],
    rows: [u32; WAITING],
    waiting: usize,
}

impl<F: Fn(usize, f32) -> bool, const N: usize> Closer<'_, F, N> {
    #[inline(always)]
    fn least(&self) -> f32 {
        self.best[N - 1].map_or(f32::NEG_INFINITY, |worst| worst.similarity)
    }

    #[inline(always)]
    fn take<const M: usize>(&mut self, rows: &[u32; M], count: u32) {
        self.rows[self.waiting..self.waiting + M].copy_from_slice(rows);
        self.waiting += count as usize;
    }

    /// Looks closer at all that wait.
    #[inline(always)]
    fn look(&mut self) {
        let rows = &self.rows[..self.waiting];
        let mut most = [0.0; WAITING];
        for (most, &row) in most.iter_mut().zip(rows) {
            *most = self.most(row as usize);
        }
        let waiting = std::mem::take(&mut self.waiting);
        for (n, most) in most.into_iter().enumerate().take(waiting) {
            if most >= self.least() {
                self.weigh(self.rows[n] as usize);
            }
        }
    }

    /// The most that the product of a row can be, by its 8 bits.
    #[inline(always)]
    fn most(&self, row: usize) -> f32 {
        let (flat, probe) = (self.search.flat, self.probe);
        let (step, error) = probe.fine;
        let bytes = &flat.bytes[row * flat.width..(row + 1) * flat.width];
        let products = bytes.iter().zip(&probe.words).fold(0_i32, |sum, (byte, word)| {
            sum.wrapping_add(i32::from(*byte).wrapping_mul(i32::from(*word)))
        });
        let bound = flat.byte_bounds[row];
        products as f32 * (bound.step * step) + bound.error * probe.length + flat.longest * error
    }

    /// Puts a row in its place among the best by its true product; of equal ones the earlier row is better.
    #[inline(always)]
    fn weigh(&mut self, row: usize) {
        let similarity = dot(self.search.flat.row(row), self.search.values);
        let better = |than: &Option<Near>| {
            than.is_none_or(|than| similarity > than.similarity || similarity == than.similarity && row < than.row)
        };
        let Some(place) = self.best.iter().position(better) else {
            return;
        };
        if (self.search.may)(row, similarity) {
            self.best[place..].rotate_right(1);
            self.best[place] = Some(Near { similarity, row });
        }
    }
}

/// Eight sums at a time, so that the compiler uses vector registers.
#[inline]
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
        assert_eq!(flat.nearest::<5>(probe, |_, _| true), plain(rows, probe, |_| true));
        let odd = |row: usize| row % 2 == 1;
        assert_eq!(flat.nearest::<1>(probe, |row, _| odd(row)), plain(rows, probe, odd));
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
            let mut state = seed | 1;
            let mut value = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            };
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
