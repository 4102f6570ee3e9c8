//! The order in which a search looks at rows: all by 4 bits, the most promising by their true products, then of the others
//! what may still be among the best. Invariant: a row is left out only where the most that it can be is less than the least
//! of as many as are looked for.

use super::flat::{FlatRows, Near, dot};
use super::scan::{DONE, Kernel, LANES, Probe, ROWS, Tops, VALUES, WithKernel};

/// A search for the nearest rows that are allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search<'a, F, const N: usize> {
    pub(super) flat: &'a FlatRows,
    pub(super) values: &'a [f32],
    pub(super) may: F,
}

/// Blocks that are looked through together: what their rows can be at most stays in a near cache.
pub(super) const TOGETHER: usize = 384;
/// Rows that are weighed before all others.
const PROMISING: u32 = 16;
/// Rows that wait for a closer look at most.
const WAITING: usize = 512;

impl<F: Fn(usize, f32) -> bool, const N: usize> WithKernel for Search<'_, F, N> {
    type Output = [Option<Near>; N];

    #[inline(always)]
    fn run(self, kernel: impl Kernel) -> Self::Output {
        let flat = self.flat;
        let probe = Probe::new(self.values, flat.longest);
        let mut closer = Closer {
            search: &self,
            probe: &probe,
            best: [None; N],
            rows: [0; WAITING],
            waiting: 0,
        };
        let mut most = vec![0.0; flat.tile_bounds.len().min(TOGETHER) * ROWS];
        let together = flat.tiles.chunks(TOGETHER * flat.width.div_ceil(VALUES));
        for (n, (tiles, bounds)) in together.zip(flat.tile_bounds.chunks(TOGETHER)).enumerate() {
            let first = n * TOGETHER * ROWS;
            let most = &mut most[..bounds.len() * ROWS];
            let tops = kernel.bound((tiles, bounds), &probe, most.as_chunks_mut().0);
            // The most promising first: after them few others are worth a closer look.
            let (promising, count) = promising(&tops, closer.least());
            for row in &promising[..count] {
                most[*row as usize] = DONE;
            }
            closer.weigh(&promising[..count], first);
            let (sixteens, _) = most.as_chunks();
            let mut next = 0;
            while next < sixteens.len() {
                // What is done is below the least that any other can be.
                let least = closer.least();
                while next < sixteens.len() && closer.waiting <= WAITING - LANES {
                    let reach = kernel.reach(&sixteens[next], least);
                    closer.take(&kernel.rows(reach, (first + next * LANES) as u32), reach.count_ones());
                    next += 1;
                }
                closer.look(kernel);
            }
        }
        closer.best
    }
}

/// The rows that the greatest values are of, except those below `least`, and how many these are.
#[inline(always)]
fn promising((tops, at): &Tops, least: f32) -> ([u32; ROWS], usize) {
    let mut greater = [0_u32; ROWS];
    for top in tops {
        for (greater, than) in greater.iter_mut().zip(tops) {
            *greater = greater.wrapping_add(u32::from(top > than));
        }
    }
    let (mut rows, mut count) = ([0; ROWS], 0);
    for place in 0..ROWS {
        rows[count] = at[place] * ROWS as u32 + place as u32;
        count += usize::from(greater[place] < PROMISING && tops[place] >= least);
    }
    (rows, count)
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
    /// What a product must reach to be among the best.
    #[inline(always)]
    fn least(&self) -> f32 {
        self.best[N - 1].map_or(f32::MIN, |worst| worst.similarity)
    }

    #[inline(always)]
    fn take(&mut self, rows: &[u32; LANES], count: u32) {
        self.rows[self.waiting..self.waiting + LANES].copy_from_slice(rows);
        self.waiting += count as usize;
    }

    /// Looks closer at all that wait.
    #[inline(always)]
    fn look(&mut self, kernel: impl Kernel) {
        let waiting = &self.rows[..self.waiting];
        let mut most = [DONE; WAITING];
        for (most, row) in most.iter_mut().zip(waiting) {
            *most = self.search.flat.most(kernel, self.probe, *row as usize);
        }
        let least = self.least();
        let (mut rows, mut count) = ([0; WAITING], 0);
        for (most, &row) in most.iter().zip(waiting) {
            rows[count] = row;
            count += usize::from(*most >= least);
        }
        self.waiting = 0;
        self.weigh(&rows[..count], 0);
    }

    /// Puts rows in their places among the best by their true products; of equal ones the earlier row is better.
    #[inline(always)]
    fn weigh(&mut self, rows: &[u32], first: usize) {
        let mut similarities = [0.0; WAITING];
        for (similarity, row) in similarities.iter_mut().zip(rows) {
            *similarity = dot(self.search.flat.row(first + *row as usize), self.search.values);
        }
        for (similarity, row) in similarities.into_iter().zip(rows) {
            self.place(Near {
                similarity,
                row: first + *row as usize,
            });
        }
    }

    #[inline(always)]
    fn place(&mut self, near: Near) {
        let better =
            |than: &Option<Near>| than.is_none_or(|than| (near.similarity, than.row) > (than.similarity, near.row));
        let Some(place) = self.best.iter().position(better) else {
            return;
        };
        if (self.search.may)(near.row, near.similarity) {
            for n in (place + 1..N).rev() {
                self.best[n] = self.best[n - 1];
            }
            self.best[place] = Some(near);
        }
    }
}
