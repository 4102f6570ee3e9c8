//! Who is who: the pairing of rows and columns with the greatest total gain. Invariant: no pair without a gain is ever
//! made, and no row or column is used twice. Knows only numbers.
//!
//! Gains of a street scene are sparse, so the problem falls apart into small groups; each is solved exactly by shortest
//! augmenting paths with potentials (Hungarian method; Jonker and Volgenant 1987), on memory that is kept.

/// A possible pair.
#[derive(Debug, Clone, Copy)]
struct Edge {
    row: u32,
    col: u32,
    gain: f32,
    group: u32,
}

/// Solves assignment problems one after another on the same memory.
#[derive(Debug, Default)]
pub struct Assigner {
    edges: Vec<Edge>,
    pairs: Vec<(usize, usize)>,
    parent: Vec<u32>,
    rows: Numbering,
    cols: Numbering,
    cost: Vec<f32>,
    dense: Dense,
}

/// Things that usually stand in one another's way at most.
const USUAL_GROUP: usize = 16;

impl Assigner {
    /// One whose memory has room for so many rows and columns, made by solving such a problem.
    pub fn roomy(count: usize) -> Self {
        let mut fresh = Self::default();
        let group = count.min(USUAL_GROUP);
        (0..group * group).for_each(|n| fresh.allow(n / group, n % group, 1.0));
        fresh.solve(count, count);
        fresh
    }

    /// Starts a new problem.
    pub fn clear(&mut self) {
        self.edges.clear();
    }

    /// Allows a pair; gains that are not above nought are ignored.
    pub fn allow(&mut self, row: usize, col: usize, gain: f32) {
        if gain > 0.0 {
            self.edges.push(Edge {
                row: row as u32,
                col: col as u32,
                gain,
                group: 0,
            });
        }
    }

    /// The pairs (row, column) of the greatest total gain, in no particular order.
    pub fn solve(&mut self, rows: usize, cols: usize) -> &[(usize, usize)] {
        self.pairs.clear();
        self.group(rows, cols);
        self.rows.reset(rows);
        self.cols.reset(cols);
        let mut from = 0;
        while from < self.edges.len() {
            let group = self.edges[from].group;
            let to = from + self.edges[from..].iter().take_while(|edge| edge.group == group).count();
            self.solve_group(from, to);
            from = to;
        }
        &self.pairs
    }

    /// Union-find over rows and columns; edges are then sorted by group.
    fn group(&mut self, rows: usize, cols: usize) {
        self.parent.clear();
        self.parent.extend(0..(rows + cols) as u32);
        for edge in &self.edges {
            let (a, b) = (
                root(&mut self.parent, edge.row),
                root(&mut self.parent, rows as u32 + edge.col),
            );
            self.parent[a.max(b) as usize] = a.min(b);
        }
        for edge in &mut self.edges {
            edge.group = root(&mut self.parent, edge.row);
        }
        self.edges.sort_unstable_by_key(|edge| (edge.group, edge.row, edge.col));
    }

    fn solve_group(&mut self, from: usize, to: usize) {
        let edges = &self.edges[from..to];
        if let [only] = edges {
            self.pairs.push((only.row as usize, only.col as usize));
            return;
        }
        self.rows.restart();
        self.cols.restart();
        for edge in edges {
            self.rows.number(edge.row);
            self.cols.number(edge.col);
        }
        let turned = self.rows.len() > self.cols.len();
        let (short, long) = if turned {
            (&self.cols, &self.rows)
        } else {
            (&self.rows, &self.cols)
        };
        let width = long.len();
        self.cost.clear();
        self.cost.resize(short.len() * width, 0.0);
        for edge in edges {
            let (row, col) = if turned {
                (edge.col, edge.row)
            } else {
                (edge.row, edge.col)
            };
            self.cost[short.of(row) * width + long.of(col)] = -edge.gain;
        }
        self.dense.solve(&self.cost, short.len(), width);
        for (col, &row) in self.dense.row_of.iter().enumerate().skip(1) {
            // A pair that was never allowed has a gain of nought: it stands for "neither".
            if row == 0 || self.cost[(row - 1) * width + col - 1] >= 0.0 {
                continue;
            }
            let (a, b) = (short.name(row - 1), long.name(col - 1));
            self.pairs.push(if turned { (b, a) } else { (a, b) });
        }
    }
}

fn root(parent: &mut [u32], of: u32) -> u32 {
    let mut at = of;
    while parent[at as usize] != at {
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}

/// Consecutive numbers for the rows (or columns) of one group.
#[derive(Debug, Default)]
struct Numbering {
    names: Vec<u32>,
    numbers: Vec<u32>,
}

impl Numbering {
    fn reset(&mut self, count: usize) {
        self.names.clear();
        self.numbers.clear();
        self.numbers.resize(count, u32::MAX);
    }

    fn restart(&mut self) {
        self.names.clear();
    }

    fn number(&mut self, name: u32) {
        if self.numbers[name as usize] == u32::MAX {
            self.numbers[name as usize] = self.names.len() as u32;
            self.names.push(name);
        }
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    fn of(&self, name: u32) -> usize {
        self.numbers[name as usize] as usize
    }

    fn name(&self, number: usize) -> usize {
        self.names[number] as usize
    }
}

/// The dense solver; indices count from 1, 0 stands for nobody.
#[derive(Debug, Default)]
struct Dense {
    /// Potentials of rows and columns.
    u: Vec<f32>,
    v: Vec<f32>,
    /// Row of each column.
    row_of: Vec<usize>,
    back: Vec<usize>,
    least: Vec<f32>,
    done: Vec<bool>,
}

impl Dense {
    /// Least total cost for `rows` <= `cols`; every row gets a column, read from `row_of`.
    fn solve(&mut self, cost: &[f32], rows: usize, cols: usize) {
        refill(&mut self.u, rows + 1, 0.0);
        refill(&mut self.v, cols + 1, 0.0);
        refill(&mut self.row_of, cols + 1, 0);
        refill(&mut self.back, cols + 1, 0);
        for row in 1..=rows {
            self.augment(cost, row, cols);
        }
    }

    fn augment(&mut self, cost: &[f32], row: usize, cols: usize) {
        self.row_of[0] = row;
        refill(&mut self.least, cols + 1, f32::INFINITY);
        refill(&mut self.done, cols + 1, false);
        let mut at = 0;
        loop {
            self.done[at] = true;
            let from = self.row_of[at];
            let costs = &cost[(from - 1) * cols..from * cols];
            let (mut step, mut next) = (f32::INFINITY, 0);
            for col in 1..=cols {
                if self.done[col] {
                    continue;
                }
                let reduced = costs[col - 1] - self.u[from] - self.v[col];
                if reduced < self.least[col] {
                    self.least[col] = reduced;
                    self.back[col] = at;
                }
                if self.least[col] < step {
                    step = self.least[col];
                    next = col;
                }
            }
            for col in 0..=cols {
                if self.done[col] {
                    self.u[self.row_of[col]] += step;
                    self.v[col] -= step;
                } else {
                    self.least[col] -= step;
                }
            }
            at = next;
            if self.row_of[at] == 0 {
                break;
            }
        }
        while at != 0 {
            let before = self.back[at];
            self.row_of[at] = self.row_of[before];
            at = before;
        }
    }
}

fn refill<T: Clone>(of: &mut Vec<T>, len: usize, value: T) {
    of.clear();
    of.resize(len, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn solve(gains: &[Vec<f32>]) -> Vec<(usize, usize)> {
        let cols = gains.first().map_or(0, Vec::len);
        let mut assigner = Assigner::default();
        for (row, line) in gains.iter().enumerate() {
            for (col, &gain) in line.iter().enumerate() {
                assigner.allow(row, col, gain);
            }
        }
        let mut pairs = assigner.solve(gains.len(), cols).to_vec();
        pairs.sort_unstable();
        pairs
    }

    fn total(gains: &[Vec<f32>], pairs: &[(usize, usize)]) -> f32 {
        pairs.iter().map(|&(row, col)| gains[row][col]).sum()
    }

    /// Every pairing tried.
    fn best_by_trying(gains: &[Vec<f32>], row: usize, used: u32) -> f32 {
        let Some(line) = gains.get(row) else { return 0.0 };
        let mut best = best_by_trying(gains, row + 1, used);
        for (col, &gain) in line.iter().enumerate() {
            if gain > 0.0 && used & (1 << col) == 0 {
                best = best.max(gain + best_by_trying(gains, row + 1, used | 1 << col));
            }
        }
        best
    }

    #[test]
    fn the_best_pair_is_given_up_for_the_best_total() {
        assert_eq!(solve(&[vec![0.9, 0.8], vec![0.8, 0.0]]), [(0, 1), (1, 0)]);
        assert_eq!(solve(&[vec![0.9, 0.3], vec![0.3, 0.0]]), [(0, 0)]);
        assert_eq!(solve(&[vec![0.0, 0.0]]), []);
        assert_eq!(solve(&[]), []);
    }

    proptest! {
        #[test]
        fn nothing_beats_the_answer(
            gains in (1usize..6, 1usize..6).prop_flat_map(|(rows, cols)| {
                let gain = prop_oneof![Just(0.0f32), 0.0f32..1.0];
                proptest::collection::vec(proptest::collection::vec(gain, cols), rows)
            })
        ) {
            let pairs = solve(&gains);
            for (n, &(row, col)) in pairs.iter().enumerate() {
                prop_assert!(gains[row][col] > 0.0);
                prop_assert!(pairs[..n].iter().all(|&(r, c)| r != row && c != col));
            }
            let (found, best) = (total(&gains, &pairs), best_by_trying(&gains, 0, 0));
            prop_assert!((found - best).abs() < 1e-4, "found {found}, best {best}");
        }
    }
}
