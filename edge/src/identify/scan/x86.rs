//! Kernels for x86-64: registers of 512 bits, with VNNI and without, and of 256.

use super::{
    Blocks, DONE, Kernel, LANES, LINE, Line, Probe, ROWS, TILES_IN_16_BITS, Tile, Tops, VALUES, WithKernel, halves,
};
use pulp::core_arch::x86::Avx512vnni;
use pulp::x86::{V3, V4};
use std::arch::x86_64::{__m256, __m256i, __m512, __m512i, _CMP_GE_OQ, _CMP_GT_OQ};

/// Numbers of so many rows.
const PLACES: [i32; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// Registers of 512 bits that the numbers of a block take.
const WIDE: usize = ROWS / LANES;

/// Registers of 512 bits, and how products are summed in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide<S>(V4, S);

/// How products are summed in registers of 512 bits.
pub(super) trait Sums: Copy {
    /// What [`Kernel::products`] says.
    fn products(self, v4: V4, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [__m512i; WIDE];
    /// What [`Kernel::product`] says, as sixteen parts of it.
    fn product(self, v4: V4, row: &[Line], probe: &[[i8; LINE]]) -> __m512i;
}

/// Two at a time in 16 bits, which are widened after some tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByTwos;

/// Four at a time in 32 bits, with VNNI.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByFours(Avx512vnni);

impl<S> Wide<S> {
    /// None where the processor has no such registers.
    pub(super) fn try_new(sums: S) -> Option<Self> {
        Some(Self(V4::try_new()?, sums))
    }
}

impl ByFours {
    /// None where the processor has no VNNI.
    pub(super) fn try_new() -> Option<Self> {
        Some(Self(Avx512vnni::try_new()?))
    }

    /// Adds to each of sixteen sums the products of four bytes with four factors.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn add(self, sums: __m512i, bytes: __m512i, factors: __m512i) -> __m512i {
        // SAFETY: an `Avx512vnni` is only made where the processor has VNNI.
        unsafe { std::arch::x86_64::_mm512_dpbusd_epi32(sums, bytes, factors) }
    }
}

impl Sums for ByTwos {
    #[inline(always)]
    fn products(self, v4: V4, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [__m512i; WIDE] {
        let (f, bw) = (v4.avx512f, v4.avx512bw);
        let (half, one, none) = (f._mm512_set1_epi8(15), f._mm512_set1_epi16(1), f._mm512_setzero_si512());
        let mut sums = [none; WIDE];
        for (tiles, probe) in tiles.chunks(TILES_IN_16_BITS).zip(probe.chunks(TILES_IN_16_BITS)) {
            let mut short = [none; WIDE];
            for (tile, eight) in tiles.iter().zip(probe) {
                let [low, high] = factors(v4, eight);
                let bytes: [__m512i; WIDE] = pulp::cast(tile.0);
                for (short, bytes) in short.iter_mut().zip(bytes) {
                    let lows = f._mm512_and_si512(bytes, half);
                    let highs = f._mm512_and_si512(bw._mm512_srli_epi16::<4>(bytes), half);
                    let products = [bw._mm512_maddubs_epi16(lows, low), bw._mm512_maddubs_epi16(highs, high)];
                    *short = bw._mm512_add_epi16(*short, bw._mm512_add_epi16(products[0], products[1]));
                }
            }
            for (sum, short) in sums.iter_mut().zip(short) {
                *sum = f._mm512_add_epi32(*sum, bw._mm512_madd_epi16(short, one));
            }
        }
        sums
    }

    #[inline(always)]
    fn product(self, v4: V4, row: &[Line], probe: &[[i8; LINE]]) -> __m512i {
        let (f, bw) = (v4.avx512f, v4.avx512bw);
        let mut sums = f._mm512_setzero_si512();
        for (bytes, steps) in row.iter().zip(probe) {
            let bytes: [__m256i; 2] = pulp::cast(bytes.0);
            let steps: [__m256i; 2] = pulp::cast(*steps);
            for (bytes, steps) in bytes.into_iter().zip(steps) {
                let (bytes, steps) = (bw._mm512_cvtepu8_epi16(bytes), bw._mm512_cvtepi8_epi16(steps));
                sums = f._mm512_add_epi32(sums, bw._mm512_madd_epi16(bytes, steps));
            }
        }
        sums
    }
}

impl Sums for ByFours {
    #[inline(always)]
    fn products(self, v4: V4, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [__m512i; WIDE] {
        let f = v4.avx512f;
        let (half, none) = (f._mm512_set1_epi8(15), f._mm512_setzero_si512());
        let (mut lows, mut highs) = ([none; WIDE], [none; WIDE]);
        for (tile, eight) in tiles.iter().zip(probe) {
            let [low, high] = factors(v4, eight);
            let bytes: [__m512i; WIDE] = pulp::cast(tile.0);
            for n in 0..WIDE {
                lows[n] = self.add(lows[n], f._mm512_and_si512(bytes[n], half), low);
                // The high halves stay where they are: their sum is sixteen times too great.
                highs[n] = self.add(highs[n], f._mm512_andnot_si512(half, bytes[n]), high);
            }
        }
        for n in 0..WIDE {
            lows[n] = f._mm512_add_epi32(lows[n], f._mm512_srai_epi32::<4>(highs[n]));
        }
        lows
    }

    #[inline(always)]
    fn product(self, v4: V4, row: &[Line], probe: &[[i8; LINE]]) -> __m512i {
        let mut sums = v4.avx512f._mm512_setzero_si512();
        for (bytes, steps) in row.iter().zip(probe) {
            sums = self.add(sums, pulp::cast(bytes.0), pulp::cast(*steps));
        }
        sums
    }
}

/// What the low halves and the high halves of a tile are multiplied with.
#[inline(always)]
fn factors(v4: V4, eight: &[i8; VALUES]) -> [__m512i; 2] {
    let [low, high] = halves(eight);
    [
        v4.avx512f._mm512_set1_epi32(pulp::cast(low)),
        v4.avx512f._mm512_set1_epi32(pulp::cast(high)),
    ]
}

impl<S: Sums> Kernel for Wide<S> {
    #[inline(always)]
    fn products(self, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [i32; ROWS] {
        pulp::cast(self.1.products(self.0, tiles, probe))
    }

    #[inline(always)]
    fn bound(self, (tiles, bounds): Blocks, probe: &Probe, most: &mut [[f32; ROWS]]) -> Tops {
        let f = self.0.avx512f;
        let (middle, length) = (f._mm512_set1_epi32(probe.middle()), f._mm512_set1_ps(probe.length));
        let (step_of_probe, slack) = (f._mm512_set1_ps(probe.step), f._mm512_set1_ps(probe.slack));
        let (mut tops, mut at) = ([f._mm512_set1_ps(DONE); WIDE], [f._mm512_setzero_si512(); WIDE]);
        let blocks = tiles.chunks_exact(tiles.len() / bounds.len()).zip(bounds);
        for (block, ((tiles, bounds), most)) in blocks.zip(most).enumerate() {
            let products = self.1.products(self.0, tiles, probe.eights());
            let step: [__m512; WIDE] = pulp::cast(bounds.step);
            let error: [__m512; WIDE] = pulp::cast(bounds.error);
            let (most, _) = most.as_chunks_mut::<LANES>();
            for n in 0..WIDE {
                let product = f._mm512_cvtepi32_ps(f._mm512_sub_epi32(products[n], middle));
                let slack = f._mm512_fmadd_ps(error[n], length, slack);
                let value = f._mm512_fmadd_ps(product, f._mm512_mul_ps(step[n], step_of_probe), slack);
                let greater = f._mm512_cmp_ps_mask::<_CMP_GT_OQ>(value, tops[n]);
                at[n] = f._mm512_mask_set1_epi32(at[n], greater, block as i32);
                tops[n] = f._mm512_max_ps(value, tops[n]);
                most[n] = pulp::cast(value);
            }
        }
        (pulp::cast(tops), pulp::cast(at))
    }

    #[inline(always)]
    fn reach(self, values: &[f32; LANES], least: f32) -> u32 {
        let f = self.0.avx512f;
        u32::from(f._mm512_cmp_ps_mask::<_CMP_GE_OQ>(pulp::cast(*values), f._mm512_set1_ps(least)))
    }

    #[inline(always)]
    fn rows(self, bits: u32, first: u32) -> [u32; LANES] {
        let f = self.0.avx512f;
        let numbers = f._mm512_add_epi32(pulp::cast(PLACES), f._mm512_set1_epi32(first as i32));
        pulp::cast(f._mm512_maskz_compress_epi32(bits as u16, numbers))
    }

    #[inline(always)]
    fn product(self, row: &[Line], probe: &[[i8; LINE]]) -> i32 {
        self.0
            .avx512f
            ._mm512_reduce_add_epi32(self.1.product(self.0, row, probe))
    }
}

impl Kernel for V3 {
    #[inline(always)]
    fn products(self, tiles: &[Tile], probe: &[[i8; VALUES]]) -> [i32; ROWS] {
        let (a, b) = (self.avx, self.avx2);
        let (half, one) = (a._mm256_set1_epi8(15), a._mm256_set1_epi16(1));
        let mut products = [0; ROWS];
        // Sixteen rows after the other: more would not find room in the registers.
        for (n, products) in products.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut sums = [a._mm256_setzero_si256(); 2];
            for (tiles, probe) in tiles.chunks(TILES_IN_16_BITS).zip(probe.chunks(TILES_IN_16_BITS)) {
                let mut short = [a._mm256_setzero_si256(); 2];
                for (tile, eight) in tiles.iter().zip(probe) {
                    let [low, high] = halves(eight);
                    let low = a._mm256_set1_epi32(pulp::cast(low));
                    let high = a._mm256_set1_epi32(pulp::cast(high));
                    let bytes: [__m256i; 2] = pulp::cast(tile.0.as_chunks::<LINE>().0[n]);
                    for (short, bytes) in short.iter_mut().zip(bytes) {
                        let lows = b._mm256_and_si256(bytes, half);
                        let highs = b._mm256_and_si256(b._mm256_srli_epi16::<4>(bytes), half);
                        let products = [b._mm256_maddubs_epi16(lows, low), b._mm256_maddubs_epi16(highs, high)];
                        *short = b._mm256_add_epi16(*short, b._mm256_add_epi16(products[0], products[1]));
                    }
                }
                for (sum, short) in sums.iter_mut().zip(short) {
                    *sum = b._mm256_add_epi32(*sum, b._mm256_madd_epi16(short, one));
                }
            }
            *products = pulp::cast(sums);
        }
        products
    }

    #[inline(always)]
    fn reach(self, values: &[f32; LANES], least: f32) -> u32 {
        let (a, least) = (self.avx, self.avx._mm256_set1_ps(least));
        let [low, high]: [__m256; 2] = pulp::cast(*values);
        let low = a._mm256_movemask_ps(a._mm256_cmp_ps::<_CMP_GE_OQ>(low, least)) as u32;
        let high = a._mm256_movemask_ps(a._mm256_cmp_ps::<_CMP_GE_OQ>(high, least)) as u32;
        low | high << 8
    }
}

/// Work and the kernel that it is done with.
struct On<K, W>(K, W);

impl<K: Kernel, W: WithKernel> pulp::NullaryFnOnce for On<K, W> {
    type Output = W::Output;
    #[inline(always)]
    fn call(self) -> W::Output {
        self.1.run(self.0)
    }
}

/// A kernel that this processor has, with what it takes to use it.
pub(super) trait Usable: Kernel {
    /// Does the work.
    fn use_for<W: WithKernel>(self, work: W) -> W::Output;
}

impl Usable for V3 {
    fn use_for<W: WithKernel>(self, work: W) -> W::Output {
        self.vectorize(On(self, work))
    }
}

impl Usable for Wide<ByTwos> {
    fn use_for<W: WithKernel>(self, work: W) -> W::Output {
        self.0.vectorize(On(self, work))
    }
}

impl Usable for Wide<ByFours> {
    #[allow(unsafe_code)]
    fn use_for<W: WithKernel>(self, work: W) -> W::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni,bmi1,bmi2,lzcnt,popcnt")]
        fn with_vnni<W: WithKernel>(kernel: Wide<ByFours>, work: W) -> W::Output {
            work.run(kernel)
        }
        // SAFETY: a `V4` and an `Avx512vnni` are only made where the processor has what they stand for.
        unsafe { with_vnni(self, work) }
    }
}
