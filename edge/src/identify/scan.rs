//! The first pass of a search: products of sixteen rows of 4 bits with a probe of 8. Invariant: every kernel gives the
//! same whole numbers, so a search finds the same on every processor.
//!
//! Sixteen rows lie side by side, eight values of each: byte 4 r + k of a tile holds value k of row r in its low half and
//! value k + 4 in its high half. So a register holds one place of many rows, and no sum across a register is needed.

/// Rows side by side.
pub(super) const ROWS: usize = 16;
/// Values of a row in a tile.
pub(super) const VALUES: usize = 8;
/// Eight values, 0 to 15, of each of sixteen rows.
pub(super) type Tile = [u8; ROWS * VALUES / 2];
/// Eight values of a probe: those for the low halves, then those for the high halves.
pub(super) type Eight = [[i8; 4]; 2];
/// So many tiles can be summed in 16 bits: 8 products of two pairs of at most 15 * 127 stay below 2^15.
const TILES_IN_16_BITS: usize = 4;

/// Multiplies tiles with a probe.
pub(super) trait Kernel: Copy {
    /// The products of sixteen rows with the probe; `tiles` and `probe` are of one length.
    fn products(self, tiles: &[Tile], probe: &[Eight]) -> [i32; ROWS];

    /// The most that the true products can be.
    #[inline(always)]
    fn most(self, products: [i32; ROWS], bounds: &TileBounds, of: &Coarse) -> [f32; ROWS] {
        std::array::from_fn(|row| {
            let product = products[row].wrapping_sub(of.middle) as f32;
            product * (bounds.step[row] * of.step) + (bounds.error[row] * of.length + of.slack)
        })
    }

    /// The greatest value of each place so far and the block that it is of, with those of one more block.
    #[inline(always)]
    fn greater(self, tops: Tops, values: &[f32; ROWS], block: u32) -> Tops {
        let (mut tops, mut at) = tops;
        for place in 0..ROWS {
            let greater = values[place] > tops[place];
            tops[place] = if greater { values[place] } else { tops[place] };
            at[place] = if greater { block } else { at[place] };
        }
        (tops, at)
    }

    /// A bit for each value that is at least `least`.
    #[inline(always)]
    fn reach(self, values: &[f32; ROWS], least: f32) -> u32 {
        let bits = values
            .iter()
            .enumerate()
            .map(|(row, value)| u32::from(*value >= least) << row);
        bits.fold(0, |all, bit| all | bit)
    }

    /// The numbers of the rows whose bits are set, counted from `first`; what stands behind them means nothing.
    #[inline(always)]
    fn rows(self, mut bits: u32, first: u32) -> [u32; ROWS] {
        let mut rows = [0; ROWS];
        for row in &mut rows {
            if bits == 0 {
                break;
            }
            *row = first + bits.trailing_zeros();
            bits &= bits - 1;
        }
        rows
    }
}

/// The greatest value of each place, and the block that it is of.
pub(super) type Tops = ([f32; ROWS], [u32; ROWS]);

/// What bounds the products of sixteen rows: the value of a step of each, and the greatest error with a probe of length 1.
#[derive(Debug, Default, Clone)]
pub(super) struct TileBounds {
    pub(super) step: [f32; ROWS],
    pub(super) error: [f32; ROWS],
}

/// What turns products with a probe into bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coarse {
    /// Value of one step.
    pub(super) step: f32,
    /// The product with a row of nothing but noughts.
    pub(super) middle: i32,
    /// Length of the probe.
    pub(super) length: f32,
    /// What the probe's own error adds at most.
    pub(super) slack: f32,
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
    fn products(self, tiles: &[Tile], probe: &[Eight]) -> [i32; ROWS] {
        let mut sums = [0_i32; ROWS];
        for (tile, [low, high]) in tiles.iter().zip(probe) {
            for (sum, bytes) in sums.iter_mut().zip(tile.as_chunks::<4>().0) {
                for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
                    *sum += i32::from(byte & 15) * i32::from(*low) + i32::from(byte >> 4) * i32::from(*high);
                }
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Coarse, Eight, Kernel, ROWS, TILES_IN_16_BITS, Tile, TileBounds, Tops, WithKernel};
    use pulp::x86::{V3, V4};
    use std::arch::x86_64::{__m256, __m256i, __m512, __m512i, _CMP_GE_OQ, _CMP_GT_OQ};

    /// Numbers of the rows of a block.
    const PLACES: [i32; ROWS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    impl Kernel for V4 {
        #[inline(always)]
        fn products(self, tiles: &[Tile], probe: &[Eight]) -> [i32; ROWS] {
            let (f, bw) = (self.avx512f, self.avx512bw);
            let (half, one) = (f._mm512_set1_epi8(15), f._mm512_set1_epi16(1));
            let pair = |short: [__m512i; 2], tile: &Tile, [low, high]: &Eight| {
                let bytes: __m512i = pulp::cast(*tile);
                let lows = f._mm512_and_si512(bytes, half);
                let highs = f._mm512_and_si512(bw._mm512_srli_epi16::<4>(bytes), half);
                let factors = [low, high].map(|four| f._mm512_set1_epi32(pulp::cast::<[i8; 4], i32>(*four)));
                [
                    bw._mm512_add_epi16(short[0], bw._mm512_maddubs_epi16(lows, factors[0])),
                    bw._mm512_add_epi16(short[1], bw._mm512_maddubs_epi16(highs, factors[1])),
                ]
            };
            let none = f._mm512_setzero_si512();
            let mut sums = none;
            let (tiles, last_tiles) = tiles.as_chunks::<TILES_IN_16_BITS>();
            let (probe, last_probe) = probe.as_chunks::<TILES_IN_16_BITS>();
            for (tiles, probe) in tiles.iter().zip(probe) {
                let mut short = [none; 2];
                for n in 0..TILES_IN_16_BITS {
                    short = pair(short, &tiles[n], &probe[n]);
                }
                let both = bw._mm512_add_epi16(short[0], short[1]);
                sums = f._mm512_add_epi32(sums, bw._mm512_madd_epi16(both, one));
            }
            let mut short = [none; 2];
            for (tile, probe) in last_tiles.iter().zip(last_probe) {
                short = pair(short, tile, probe);
            }
            let both = bw._mm512_add_epi16(short[0], short[1]);
            pulp::cast(f._mm512_add_epi32(sums, bw._mm512_madd_epi16(both, one)))
        }

        #[inline(always)]
        fn most(self, products: [i32; ROWS], bounds: &TileBounds, of: &Coarse) -> [f32; ROWS] {
            let f = self.avx512f;
            let (step, error): (__m512, __m512) = (pulp::cast(bounds.step), pulp::cast(bounds.error));
            let products = f._mm512_sub_epi32(pulp::cast(products), f._mm512_set1_epi32(of.middle));
            let scale = f._mm512_mul_ps(step, f._mm512_set1_ps(of.step));
            let slack = f._mm512_fmadd_ps(error, f._mm512_set1_ps(of.length), f._mm512_set1_ps(of.slack));
            pulp::cast(f._mm512_fmadd_ps(f._mm512_cvtepi32_ps(products), scale, slack))
        }

        #[inline(always)]
        fn greater(self, (tops, at): Tops, values: &[f32; ROWS], block: u32) -> Tops {
            let f = self.avx512f;
            let (tops, values): (__m512, __m512) = (pulp::cast(tops), pulp::cast(*values));
            let greater = f._mm512_cmp_ps_mask::<_CMP_GT_OQ>(values, tops);
            let at = f._mm512_mask_set1_epi32(pulp::cast(at), greater, block as i32);
            (pulp::cast(f._mm512_max_ps(values, tops)), pulp::cast(at))
        }

        #[inline(always)]
        fn reach(self, values: &[f32; ROWS], least: f32) -> u32 {
            let f = self.avx512f;
            u32::from(f._mm512_cmp_ps_mask::<_CMP_GE_OQ>(pulp::cast(*values), f._mm512_set1_ps(least)))
        }

        #[inline(always)]
        fn rows(self, bits: u32, first: u32) -> [u32; ROWS] {
            let f = self.avx512f;
            let numbers = f._mm512_add_epi32(pulp::cast(PLACES), f._mm512_set1_epi32(first as i32));
            pulp::cast(f._mm512_maskz_compress_epi32(bits as u16, numbers))
        }
    }

    impl Kernel for V3 {
        #[inline(always)]
        fn products(self, tiles: &[Tile], probe: &[Eight]) -> [i32; ROWS] {
            let (a, b) = (self.avx, self.avx2);
            let (half, one) = (a._mm256_set1_epi8(15), a._mm256_set1_epi16(1));
            let mut sums = [a._mm256_setzero_si256(); 2];
            for (tiles, probe) in tiles.chunks(TILES_IN_16_BITS).zip(probe.chunks(TILES_IN_16_BITS)) {
                let mut short = [a._mm256_setzero_si256(); 2];
                for (tile, [low, high]) in tiles.iter().zip(probe) {
                    let factors = [low, high].map(|four| a._mm256_set1_epi32(pulp::cast::<[i8; 4], i32>(*four)));
                    for (short, bytes) in short.iter_mut().zip(pulp::cast::<Tile, [__m256i; 2]>(*tile)) {
                        let lows = b._mm256_and_si256(bytes, half);
                        let highs = b._mm256_and_si256(b._mm256_srli_epi16::<4>(bytes), half);
                        let low = b._mm256_maddubs_epi16(lows, factors[0]);
                        let high = b._mm256_maddubs_epi16(highs, factors[1]);
                        *short = b._mm256_add_epi16(*short, b._mm256_add_epi16(low, high));
                    }
                }
                for (sum, short) in sums.iter_mut().zip(short) {
                    *sum = b._mm256_add_epi32(*sum, b._mm256_madd_epi16(short, one));
                }
            }
            pulp::cast(sums)
        }

        #[inline(always)]
        fn reach(self, values: &[f32; ROWS], least: f32) -> u32 {
            let (a, least) = (self.avx, self.avx._mm256_set1_ps(least));
            let [low, high] = pulp::cast::<[f32; ROWS], [__m256; 2]>(*values)
                .map(|half| a._mm256_movemask_ps(a._mm256_cmp_ps::<_CMP_GE_OQ>(half, least)) as u32);
            low | high << 8
        }
    }

    /// Work and the kernel that it is done with.
    pub(super) struct On<K, W>(pub(super) K, pub(super) W);

    impl<K: Kernel, W: WithKernel> pulp::NullaryFnOnce for On<K, W> {
        type Output = W::Output;
        #[inline(always)]
        fn call(self) -> W::Output {
            self.1.run(self.0)
        }
    }
}

/// Does the work with the best kernel of this processor.
pub(super) fn with_kernel<W: WithKernel>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = pulp::x86::V4::try_new() {
            return kernel.vectorize(x86::On(kernel, work));
        }
        if let Some(kernel) = pulp::x86::V3::try_new() {
            return kernel.vectorize(x86::On(kernel, work));
        }
    }
    work.run(Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_plain_products() {
        // The greatest values there are: where 16 bits would not do, it would show.
        for most in [15, 9] {
            let tiles: Vec<Tile> = (0..33)
                .map(|t| std::array::from_fn(|n| (most - (t + n) % 3) as u8 * 17))
                .collect();
            let probe: Vec<Eight> = (0..33_i8)
                .map(|t| [[127, 126, 125 - t, -3], [127, -127, t, 127]])
                .collect();
            check(&tiles, &probe);
        }
    }

    #[test]
    fn every_kernel_bounds_and_compares_alike() {
        let products = std::array::from_fn(|row| 90 - 31 * row as i32);
        let bounds = TileBounds {
            step: std::array::from_fn(|row| 0.01 * row as f32),
            error: std::array::from_fn(|row| 0.02 * (row % 5) as f32),
        };
        let of = Coarse {
            step: 0.5,
            middle: 8,
            length: 1.5,
            slack: 0.25,
        };
        let plain = Plain.most(products, &bounds, &of);
        let mask = Plain.reach(&plain, plain[3]);
        assert!(mask & 1 << 3 != 0 && mask != 0xFFFF, "{mask:x} of {plain:?}");
        let tops = Plain.greater(before(&plain), &plain, 7);
        assert_eq!(
            (tops.0[3], tops.1[3], tops.1[4]),
            (plain[3], 1, 7),
            "of equal ones the earlier"
        );
        #[cfg(target_arch = "x86_64")]
        {
            let alike = |(most, reach, greater, rows): ([f32; ROWS], u32, Tops, [u32; ROWS])| {
                assert!(most.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-5), "{most:?}");
                assert_eq!((reach, greater), (mask, tops));
                let all: Vec<u32> = (0..16)
                    .filter(|row| mask & 1 << row != 0)
                    .map(|row| 100 + row)
                    .collect();
                assert_eq!(rows[..all.len()], all);
            };
            if let Some(kernel) = pulp::x86::V4::try_new() {
                alike(kernel.vectorize(On(kernel, Bounds(products, &bounds, &of, &plain))));
            }
            if let Some(kernel) = pulp::x86::V3::try_new() {
                alike(kernel.vectorize(On(kernel, Bounds(products, &bounds, &of, &plain))));
            }
        }
    }

    struct Bounds<'a>([i32; ROWS], &'a TileBounds, &'a Coarse, &'a [f32; ROWS]);

    impl WithKernel for Bounds<'_> {
        type Output = ([f32; ROWS], u32, Tops, [u32; ROWS]);
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> Self::Output {
            let (most, reach) = (kernel.most(self.0, self.1, self.2), kernel.reach(self.3, self.3[3]));
            let greater = kernel.greater(before(self.3), self.3, 7);
            (most, reach, greater, kernel.rows(reach, 100))
        }
    }

    /// The greatest before: as great as the new value in every other place, less in the others.
    fn before(values: &[f32; ROWS]) -> Tops {
        let value = |place: usize| values[place] - f32::from(u8::from(place.is_multiple_of(2)));
        (std::array::from_fn(value), [1; ROWS])
    }

    fn check(tiles: &[Tile], probe: &[Eight]) {
        let plain = Plain.products(tiles, probe);
        for (row, product) in plain.iter().enumerate() {
            let value = |t: usize, k: usize| i32::from(tiles[t][row * 4 + k % 4] >> (k / 4 * 4) & 15);
            let factor = |t: usize, k: usize| i32::from(probe[t][k / 4][k % 4]);
            let sum: i32 = (0..tiles.len() * VALUES)
                .map(|n| value(n / VALUES, n % VALUES) * factor(n / VALUES, n % VALUES))
                .sum();
            assert_eq!(*product, sum);
        }
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(kernel) = pulp::x86::V4::try_new() {
                assert_eq!(kernel.vectorize(On(kernel, Products(tiles, probe))), plain);
            }
            if let Some(kernel) = pulp::x86::V3::try_new() {
                assert_eq!(kernel.vectorize(On(kernel, Products(tiles, probe))), plain);
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    use x86::On;

    struct Products<'a>(&'a [Tile], &'a [Eight]);

    impl WithKernel for Products<'_> {
        type Output = [i32; ROWS];
        #[inline(always)]
        fn run(self, kernel: impl Kernel) -> [i32; ROWS] {
            kernel.products(self.0, self.1)
        }
    }
}
