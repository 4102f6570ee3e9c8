//! The first pass of a search, products of 4-bit rows with a probe of 8 bits, and the second, with rows of 8 bits. Invariant:
//! every kernel gives the same whole numbers, so a search finds the same on every processor.
//!
//! In the first, the rows of a block lie side by side, eight values of each in a tile: byte 4 r + k holds value k of row r in
//! its low half and value k + 4 in its high half. So a register holds one place of many rows, no sum across a register is
//! needed, and the tiles are read from the first to the last.

use super::steps::{length, stepped};

/// Rows side by side.
pub(super) const ROWS: usize = 64;
/// Numbers in the widest register; rows are taken so many at a time.
pub(super) const LANES: usize = 16;
/// Values of a row in a tile.
pub(super) const VALUES: usize = 8;
/// Bytes of a line of the cache, on which what is scanned begins.
pub(super) const LINE: usize = 64;
/// The middle of 4 bits, which stands for nought.
pub(super) const MIDDLE_OF_4: u8 = 8;
/// What no product is.
pub(super) const DONE: f32 = f32::NEG_INFINITY;
/// So many tiles can be summed in 16 bits: 8 products of two pairs of at most 15 * 127 stay below 2^15.
const TILES_IN_16_BITS: usize = 4;

/// Eight values, 0 to 15, of each row of a block.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Tile(pub(super) [u8; ROWS * VALUES / 2]);

/// Values of one row, 0 to 255.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [u8; LINE]);

/// What bounds the products of a block's rows: the value of a step of each, and the greatest error with a probe of length 1.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct TileBounds {
    pub(super) step: [f32; ROWS],
    pub(super) error: [f32; ROWS],
}

/// What is looked for, in 8 bits, with what turns products with it into bounds.
#[derive(Debug)]
pub(super) struct Probe {
    /// Its values, -127 to 127.
    pub(super) steps: Vec<[i8; LINE]>,
    /// Their sum.
    pub(super) sum: i32,
    /// Value of one step.
    pub(super) step: f32,
    /// Length of the probe.
    pub(super) length: f32,
    /// What the probe's own error adds at most.
    pub(super) slack: f32,
}

/// Blocks of rows: their tiles, one block after the other, and what bounds their products.
pub(super) type Blocks<'a> = (&'a [Tile], &'a [TileBounds]);

/// The greatest value of each place in some blocks, and which block it is of.
pub(super) type Tops = ([f32; ROWS], [u32; ROWS]);

/// Multiplies rows with a probe, and compares what comes of it.
pub(super) trait Kernel: Copy {
    /// The products of the rows of a block with the probe; what is beyond the tiles or beyond the probe is nought.
    fn products(self, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [i32; ROWS];

    /// Notes the most that the true product of each row can be.
    #[inline(always)]
    fn bound(self, (tiles, bounds): Blocks, probe: &Probe, most: &mut [[f32; ROWS]]) -> Tops {
        let (mut tops, mut at) = ([DONE; ROWS], [0; ROWS]);
        let (middle, eights) = (probe.middle(), probe.eights());
        let blocks = tiles.chunks_exact(tiles.len() / bounds.len()).zip(bounds);
        for (block, ((tiles, bounds), most)) in blocks.zip(most).enumerate() {
            let products = self.products(tiles, eights);
            for row in 0..ROWS {
                let product = products[row].wrapping_sub(middle) as f32;
                let slack = bounds.error[row] * probe.length + probe.slack;
                most[row] = product * (bounds.step[row] * probe.step) + slack;
                let greater = most[row] > tops[row];
                tops[row] = if greater { most[row] } else { tops[row] };
                at[row] = if greater { block as u32 } else { at[row] };
            }
        }
        (tops, at)
    }

    /// A bit for each value that is at least `least`.
    #[inline(always)]
    fn reach(self, values: &[f32; LANES], least: f32) -> u32 {
        let bits = values
            .iter()
            .enumerate()
            .map(|(row, value)| u32::from(*value >= least) << row);
        bits.fold(0, |all, bit| all | bit)
    }

    /// The numbers of the rows whose bits are set, counted from `first`; what stands behind them means nothing.
    #[inline(always)]
    fn rows(self, mut bits: u32, first: u32) -> [u32; LANES] {
        let mut rows = [0; LANES];
        for row in &mut rows {
            if bits == 0 {
                break;
            }
            *row = first + bits.trailing_zeros();
            bits &= bits - 1;
        }
        rows
    }

    /// The product of one row with the probe.
    #[inline(always)]
    fn product(self, row: &[Line], probe: &[[i8; LINE]]) -> i32 {
        let mut sum = 0_i32;
        for (bytes, steps) in row.iter().zip(probe) {
            for (byte, step) in bytes.0.iter().zip(steps) {
                sum = sum.wrapping_add(i32::from(*byte) * i32::from(*step));
            }
        }
        sum
    }
}

impl Probe {
    /// Of values that are looked for among rows no longer, with their errors, than `longest`.
    #[inline(always)]
    pub(super) fn new(values: &[f32], longest: f32) -> Self {
        let mut steps = vec![[0; LINE]; values.len().div_ceil(LINE)];
        let (step, error) = stepped(values, 127.0, steps.as_flattened_mut());
        let numbers = steps.as_flattened().iter();
        Self {
            sum: numbers.fold(0, |sum, number| sum.wrapping_add(i32::from(*number))),
            steps,
            step,
            length: length(values),
            slack: longest * error,
        }
    }

    /// The values by tiles: those for the low halves, then those for the high halves.
    #[inline(always)]
    fn eights(&self) -> &[[i8; VALUES]] {
        self.steps.as_flattened().as_chunks().0
    }

    /// The product with a row of 4 bits that is nothing but noughts.
    #[inline(always)]
    fn middle(&self) -> i32 {
        self.sum * i32::from(MIDDLE_OF_4)
    }
}

/// Work that is to be done with the best kernel of this processor.
pub(super) trait WithKernel {
    /// What comes of it.
    type Output;
    /// Does the work.
    fn run(self, kernel: impl Kernel) -> Self::Output;
}

/// Any processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plain;

impl Kernel for Plain {
    #[inline(always)]
    fn products(self, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [i32; ROWS] {
        let mut sums = [0_i32; ROWS];
        for (tile, eight) in tiles.iter().zip(probe) {
            let [low, high] = halves(eight);
            for (sum, bytes) in sums.iter_mut().zip(tile.0.as_chunks::<4>().0) {
                for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
                    *sum += i32::from(byte & 15) * i32::from(low) + i32::from(byte >> 4) * i32::from(high);
                }
            }
        }
        sums
    }
}

/// What the low halves and the high halves of a tile are multiplied with.
#[inline(always)]
fn halves([a, b, c, d, e, f, g, h]: &[i8; VALUES]) -> [[i8; 4]; 2] {
    [[*a, *b, *c, *d], [*e, *f, *g, *h]]
}

#[cfg(target_arch = "x86_64")]
mod x86;

/// Does the work with the best kernel of this processor.
pub(super) fn with_kernel<W: WithKernel>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        use x86::{ByFours, ByTwos, Usable, Wide};
        if let Some(kernel) = ByFours::try_new().and_then(Wide::try_new) {
            return kernel.use_for(work);
        }
        if let Some(kernel) = Wide::try_new(ByTwos) {
            return kernel.use_for(work);
        }
        if let Some(kernel) = pulp::x86::V3::try_new() {
            return kernel.use_for(work);
        }
    }
    work.run(Plain)
}

/// What comes of the work with each kernel of this processor.
#[cfg(test)]
pub(super) fn with_every_kernel<W: WithKernel + Copy>(work: &W) -> Vec<W::Output> {
    let mut all = vec![work.run(Plain)];
    #[cfg(target_arch = "x86_64")]
    {
        use x86::{ByFours, ByTwos, Usable, Wide};
        all.extend(pulp::x86::V3::try_new().map(|kernel| kernel.use_for(*work)));
        all.extend(Wide::try_new(ByTwos).map(|kernel| kernel.use_for(*work)));
        let fours = ByFours::try_new().and_then(Wide::try_new);
        all.extend(fours.map(|kernel| kernel.use_for(*work)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers that look like chance.
    fn number(n: usize) -> usize {
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
    }

    fn tiles(count: usize, byte: impl Fn(usize) -> u8) -> Vec<Tile> {
        let bytes = ROWS * VALUES / 2;
        let tile = |t: usize| Tile(std::array::from_fn(|n| byte(t * bytes + n)));
        (0..count).map(tile).collect()
    }

    fn probe(lines: usize, step: impl Fn(usize) -> i8) -> Probe {
        let steps: Vec<[i8; LINE]> = (0..lines)
            .map(|line| std::array::from_fn(|n| step(line * LINE + n)))
            .collect();
        Probe {
            sum: steps.as_flattened().iter().map(|step| i32::from(*step)).sum(),
            steps,
            step: 0.5,
            length: 1.5,
            slack: 0.25,
        }
    }

    #[test]
    fn every_kernel_gives_the_plain_products() {
        // The greatest values there are, where 16 bits would not do if they were too few, and any.
        let bytes: [fn(usize) -> u8; 3] = [|_| 255, |n| 255 - (n % 3) as u8 * 17, |n| number(n) as u8];
        let steps: [fn(usize) -> i8; 3] = [|_| 127, |n| if n % 5 == 0 { -3 } else { -127 }, |n| number(n + 7) as i8];
        for (byte, step) in bytes.iter().flat_map(|byte| steps.map(|step| (byte, step))) {
            // The last line of the probe is not full, the last tiles are fewer than are summed in 16 bits.
            let (tiles, probe) = (tiles(33, byte), probe(5, step));
            let factor = |n: usize| i32::from(probe.steps[n / LINE][n % LINE]);
            let value = |row: usize, n: usize| {
                let byte = tiles[n / VALUES].0[row * 4 + n % 4];
                i32::from(byte >> (n % VALUES / 4 * 4) & 15)
            };
            let product = |row: usize| (0..33 * VALUES).map(|n| value(row, n) * factor(n)).sum::<i32>();
            let plain = std::array::from_fn(product);
            let line = |n: usize| Line(std::array::from_fn(|at| byte(n * LINE + at)));
            let row: Vec<Line> = (0..5).map(line).collect();
            let plain_of_row = (0..5 * LINE).map(|n| i32::from(byte(n)) * factor(n)).sum::<i32>();
            for products in with_every_kernel(&Products(&tiles, &row, &probe)) {
                assert_eq!(products, (plain, plain_of_row));
            }
        }
    }

    #[derive(Clone, Copy)]
    struct Products<'a>(&'a [Tile], &'a [Line], &'a Probe);

    impl WithKernel for Products<'_> {
        type Output = ([i32; ROWS], i32);
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            let Self(tiles, row, probe) = self;
            (
                kernel.products(tiles, probe.eights()),
                kernel.product(row, &probe.steps),
            )
        }
    }

    #[test]
    fn every_kernel_bounds_alike() {
        const BLOCKS: usize = 5;
        let (tiles, probe) = (
            tiles(BLOCKS * 3, |n| number(n) as u8),
            probe(1, |n| number(n + 7) as i8),
        );
        let bounds = |block: usize| TileBounds {
            step: std::array::from_fn(|row| 0.01 * ((block + row) % 7) as f32),
            error: std::array::from_fn(|row| if row == 9 { DONE } else { 0.02 * (row % 5) as f32 }),
        };
        let bounds: Vec<TileBounds> = (0..BLOCKS).map(bounds).collect();
        for (most, tops) in with_every_kernel(&Bounds((&tiles, &bounds), &probe)) {
            for (block, most) in most.iter().enumerate() {
                let products = Plain.products(&tiles[block * 3..][..3], probe.eights());
                for row in 0..ROWS {
                    let product = (products[row] - 8 * probe.sum) as f32 * bounds[block].step[row] * 0.5;
                    let wanted = product + bounds[block].error[row] * 1.5 + 0.25;
                    assert!(
                        most[row] == wanted || (most[row] - wanted).abs() < 1e-3,
                        "{row}: {most:?}"
                    );
                }
            }
            for row in 0..ROWS {
                let of_row: Vec<f32> = most.iter().map(|block| block[row]).collect();
                let top = of_row.iter().copied().fold(DONE, f32::max);
                let first = of_row.iter().position(|value| *value == top && top > DONE);
                assert_eq!((tops.0[row], tops.1[row] as usize), (top, first.unwrap_or(0)));
            }
        }
    }

    #[derive(Clone, Copy)]
    struct Bounds<'a>(Blocks<'a>, &'a Probe);

    impl WithKernel for Bounds<'_> {
        type Output = (Vec<[f32; ROWS]>, Tops);
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            let mut most = vec![[0.0; ROWS]; self.0.1.len()];
            let tops = kernel.bound(self.0, self.1, &mut most);
            (most, tops)
        }
    }

    #[test]
    fn every_kernel_compares_alike() {
        let values: [f32; LANES] = std::array::from_fn(|n| if n == 5 { DONE } else { (number(n) % 90) as f32 });
        let reached: Vec<u32> = (0..LANES as u32).filter(|n| values[*n as usize] >= values[3]).collect();
        assert!(reached.contains(&3) && reached.len() < LANES - 1, "{values:?}");
        for (bits, rows) in with_every_kernel(&Compared(&values)) {
            assert_eq!(bits, reached.iter().map(|n| 1 << n).sum::<u32>());
            assert!(reached.iter().map(|n| n + 100).eq(rows.into_iter().take(reached.len())));
        }
    }

    #[derive(Clone, Copy)]
    struct Compared<'a>(&'a [f32; LANES]);

    impl WithKernel for Compared<'_> {
        type Output = (u32, [u32; LANES]);
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            let bits = kernel.reach(self.0, self.0[3]);
            (bits, kernel.rows(bits, 100))
        }
    }
}
