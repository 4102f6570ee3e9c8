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
    use super::{Eight, Kernel, ROWS, TILES_IN_16_BITS, Tile, WithKernel};
    use pulp::x86::{V3, V4};
    use std::arch::x86_64::{__m256i, __m512i};

    impl Kernel for V4 {
        #[inline(always)]
        fn products(self, tiles: &[Tile], probe: &[Eight]) -> [i32; ROWS] {
            let (f, bw) = (self.avx512f, self.avx512bw);
            let (half, one) = (f._mm512_set1_epi8(15), f._mm512_set1_epi16(1));
            let mut sums = f._mm512_setzero_si512();
            for (tiles, probe) in tiles.chunks(TILES_IN_16_BITS).zip(probe.chunks(TILES_IN_16_BITS)) {
                let mut short = [f._mm512_setzero_si512(); 2];
                for (tile, [low, high]) in tiles.iter().zip(probe) {
                    let bytes: __m512i = pulp::cast(*tile);
                    let lows = f._mm512_and_si512(bytes, half);
                    let highs = f._mm512_and_si512(bw._mm512_srli_epi16::<4>(bytes), half);
                    let factors = [low, high].map(|four| f._mm512_set1_epi32(pulp::cast::<[i8; 4], i32>(*four)));
                    short[0] = bw._mm512_add_epi16(short[0], bw._mm512_maddubs_epi16(lows, factors[0]));
                    short[1] = bw._mm512_add_epi16(short[1], bw._mm512_maddubs_epi16(highs, factors[1]));
                }
                let both = bw._mm512_add_epi16(short[0], short[1]);
                sums = f._mm512_add_epi32(sums, bw._mm512_madd_epi16(both, one));
            }
            pulp::cast(sums)
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
