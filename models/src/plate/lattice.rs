//! What a reader saw, with its doubts, and the best plate in it: a beam search over CTC steps that only walks the grammar.
//!
//! Invariant: a decoded plate fits the grammar; how far the reader had to be bent is in its cost. Source of the search:
//! prefix beam search for CTC (Hannun, Maas, Jurafsky, Ng 2014), with the automaton of the grammar in place of a language model.

use super::grammar::{Grammar, LONGEST, SYMBOLS, Symbol, symbol};

/// Blank of CTC: the last entry of a step.
pub const BLANK: usize = SYMBOLS.len();

/// Natural logarithms of the probabilities of every symbol and of blank at one step.
pub type Step = [f32; SYMBOLS.len() + 1];

/// Least log-probability of anything: a reader that is sure of nonsense must not rule a plate out alone.
const FLOOR: f32 = -16.0;
/// Least log-probability of blank: a screw or a frame that was read as a character may be skipped at this price a step.
const SKIP: f32 = -4.5;
/// Prefixes kept.
const BEAM: usize = 24;
/// Prefixes this many nats behind the best are dropped.
const BEHIND: f32 = 14.0;

/// The steps of each row of a plate, top to bottom: one or two rows.
#[derive(Debug, Clone, Default)]
pub struct Lattice {
    /// Rows.
    pub rows: Vec<Vec<Step>>,
}

/// A plate found in a lattice.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Normal form.
    pub plate: String,
    /// Class.
    pub class: &'static str,
    /// Rows.
    pub lines: u8,
    /// Logarithm of its probability given the steps alone.
    pub log_prob: f32,
    /// How much rarer than the commonest its class and the number of its series are, nats.
    pub rarity: f32,
    /// Nats between the reader's own best string and this plate, 0 where they agree.
    pub cost: f32,
}

impl Decoded {
    /// What plates are compared by: how well it was seen and how common it is.
    pub fn score(&self) -> f32 {
        self.log_prob - self.rarity
    }
}

#[derive(Clone, Copy)]
struct Prefix {
    key: u128,
    marks: u8,
    last: Symbol,
    alive: u128,
    penalty: f32,
    /// Nats for the number of its series, part of the penalty.
    number: f32,
    blank: f32,
    symbol: f32,
    /// What [`Prefix::total`] was when the beam was pruned last.
    all: f32,
}

/// Prefixes after a step, found again by what they are.
struct Front {
    prefixes: Vec<Prefix>,
    /// Places in `prefixes` by a hash of key and layouts; `FREE` where there is none.
    slots: Box<[u16; SLOTS]>,
}

/// More than twice the prefixes that a step can make: `BEAM` times every symbol and itself.
const SLOTS: usize = 2048;
const FREE: u16 = u16::MAX;

impl Prefix {
    fn total(&self) -> f32 {
        log_add(self.blank, self.symbol) - self.penalty
    }
}

fn log_add(a: f32, b: f32) -> f32 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f32::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

impl Lattice {
    /// A lattice that is sure of these rows: for texts that come without alternatives.
    pub fn certain(rows: &[&str]) -> Self {
        let step = |at: usize| {
            let mut step = [-12.0; SYMBOLS.len() + 1];
            step[at] = -0.01;
            step
        };
        let row = |text: &&str| {
            let known = text.chars().flat_map(char::to_uppercase).filter_map(symbol);
            known.flat_map(|s| [step(s as usize), step(BLANK)]).collect()
        };
        Self {
            rows: rows.iter().map(row).collect(),
        }
    }

    /// The reader's own best string, rows joined by a blank.
    pub fn best_string(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let mut last = BLANK;
            let before = out.len();
            for step in row {
                let best = largest(step);
                if best != BLANK && best != last {
                    if before > 0 && out.len() == before {
                        out.push(' ');
                    }
                    out.push(SYMBOLS[best]);
                }
                last = best;
            }
        }
        out
    }
}

fn largest(step: &Step) -> usize {
    (0..step.len())
        .max_by(|&a, &b| step[a].total_cmp(&step[b]))
        .unwrap_or(BLANK)
}

impl Grammar {
    /// Plates in a lattice, best score first, at most `most`. Empty where no prefix of any form survives.
    pub fn decode(&self, lattice: &Lattice, most: usize) -> Vec<Decoded> {
        let everything = !0u128 >> (128 - self.layouts.len());
        let empty = Prefix {
            key: 1,
            marks: 0,
            last: 255,
            alive: everything,
            penalty: 0.0,
            number: 0.0,
            blank: 0.0,
            symbol: f32::NEG_INFINITY,
            all: 0.0,
        };
        let (mut beam, mut next) = (vec![empty], Front::new());
        let mut free = 0.0;
        let mut broken = false;
        for (number, row) in lattice.rows.iter().enumerate() {
            if number == 1 {
                // One-line layouts are complete here and stay as they are; the others pass their break.
                broken = true;
                self.pass_break(&mut beam);
            }
            for step in row {
                free += step.iter().copied().fold(FLOOR, f32::max);
                let bent = self.bend(step);
                self.advance(&beam, &bent, &mut next);
                std::mem::swap(&mut beam, &mut next.prefixes);
                prune(&mut beam);
            }
        }
        let mut found: Vec<Decoded> = Vec::new();
        for prefix in &beam {
            for lines in if broken { 1..=2 } else { 1..=1 } {
                let Some(layout) = self.cheapest(prefix.alive, prefix.marks as usize, lines) else {
                    continue;
                };
                let log_prob = prefix.total() + prefix.number;
                let rarity = prefix.number + layout.cost;
                let decoded = Decoded {
                    plate: spell(prefix.key),
                    class: layout.class,
                    lines,
                    log_prob,
                    rarity,
                    cost: (free - log_prob + rarity).max(0.0),
                };
                match found.iter_mut().find(|d| d.plate == decoded.plate) {
                    Some(same) if same.score() < decoded.score() => *same = decoded,
                    Some(_) => {}
                    None => found.push(decoded),
                }
            }
        }
        found.sort_by(|a, b| b.score().total_cmp(&a.score()));
        found.truncate(most);
        found
    }

    /// The probabilities of a step with what the grammar knows of look-alikes mixed in.
    fn bend(&self, step: &Step) -> Step {
        let mut out = *step;
        for (seen, &p) in step[..BLANK].iter().enumerate() {
            if p > -7.0 {
                for (meant, &cost) in self.confusion[seen].iter().enumerate() {
                    out[meant] = out[meant].max(p - cost);
                }
            }
        }
        out.iter_mut().for_each(|p| *p = p.max(FLOOR));
        out[BLANK] = out[BLANK].max(SKIP);
        out
    }

    fn pass_break(&self, beam: &mut Vec<Prefix>) {
        let mut passed = Vec::with_capacity(beam.len() * 2);
        for prefix in beam.iter() {
            let at = prefix.marks as usize;
            let through = if at < LONGEST {
                prefix.alive & self.breaks[at]
            } else {
                0
            };
            let joined = log_add(prefix.blank, prefix.symbol);
            if through != 0 {
                // The break is spelt as the number 63, so that prefixes that broke elsewhere stay apart.
                let key = prefix.key << 6 | 63;
                let number = if through & !self.numbered[at] == 0 {
                    self.series_number[usize::from(prefix.last_symbol()) % 10]
                } else {
                    0.0
                };
                passed.push(Prefix {
                    key,
                    marks: prefix.marks + 1,
                    last: 255,
                    alive: through,
                    penalty: prefix.penalty + number,
                    number,
                    blank: joined,
                    symbol: f32::NEG_INFINITY,
                    all: 0.0,
                });
            }
            let complete = self.cheapest(prefix.alive, at, 1).is_some();
            if complete {
                let alive = self.ending_at(prefix.alive, at);
                passed.push(Prefix {
                    last: 255,
                    alive,
                    blank: joined,
                    symbol: f32::NEG_INFINITY,
                    ..*prefix
                });
            }
        }
        passed.iter_mut().for_each(|prefix| prefix.all = prefix.total());
        *beam = passed;
    }

    fn ending_at(&self, alive: u128, at: usize) -> u128 {
        (0..self.layouts.len())
            .filter(|&b| self.layouts[b].marks.len() == at && self.layouts[b].lines == 1)
            .fold(0, |set, b| set | 1 << b)
            & alive
    }

    fn advance(&self, beam: &[Prefix], step: &Step, next: &mut Front) {
        next.clear();
        let best = beam.iter().map(|prefix| prefix.all).fold(f32::NEG_INFINITY, f32::max);
        let peak = step.iter().copied().fold(FLOOR, f32::max);
        let limit = best + peak - BEHIND;
        // What falls behind after the best prefix does so after every other.
        let mut open = [(0, 0.0); BLANK];
        let mut count = 0;
        for (s, &seen) in step[..BLANK].iter().enumerate() {
            if best + seen >= limit {
                open[count] = (s, seen);
                count += 1;
            }
        }
        for prefix in beam {
            let total = log_add(prefix.blank, prefix.symbol);
            let again = if prefix.last < 255 {
                prefix.symbol + step[prefix.last as usize]
            } else {
                f32::NEG_INFINITY
            };
            next.merge(Prefix {
                blank: total + step[BLANK],
                symbol: again,
                ..*prefix
            });
            let at = prefix.marks as usize;
            if at >= LONGEST {
                continue;
            }
            for &(s, seen) in &open[..count] {
                let mut alive = prefix.alive & self.allows[at][s];
                if alive == 0 || prefix.all + seen < limit {
                    continue;
                }
                let mut penalty = prefix.penalty;
                if at == 1 && alive & self.army != 0 && !self.is_army_pair(prefix.last_symbol(), s as Symbol) {
                    alive &= !self.army;
                }
                if alive & self.province_ends[at] != 0 && alive & !self.province_ends[at] == 0 {
                    let code = prefix.last_symbol() * 10 + s as u8;
                    penalty += if self.is_known_code(code) {
                        0.0
                    } else {
                        self.unknown_province
                    };
                }
                if alive == 0 {
                    continue;
                }
                let from = if prefix.last == s as u8 { prefix.blank } else { total };
                next.merge(Prefix {
                    key: prefix.key << 6 | s as u128,
                    marks: prefix.marks + 1,
                    last: s as u8,
                    alive,
                    penalty,
                    number: prefix.number,
                    blank: f32::NEG_INFINITY,
                    symbol: from + seen,
                    all: 0.0,
                });
            }
        }
    }
}

impl Prefix {
    /// The symbol spelt last, whether or not a row ended since.
    fn last_symbol(&self) -> Symbol {
        (self.key & 63) as Symbol
    }
}

impl Front {
    fn new() -> Self {
        Self {
            prefixes: Vec::with_capacity(256),
            slots: Box::new([FREE; SLOTS]),
        }
    }

    fn clear(&mut self) {
        self.prefixes.clear();
        self.slots.fill(FREE);
    }

    /// Adds a prefix to the same one that came another way, or as a new one.
    fn merge(&mut self, prefix: Prefix) {
        if prefix.blank == f32::NEG_INFINITY && prefix.symbol == f32::NEG_INFINITY {
            return;
        }
        let mixed = |set: u128| (set as u64 ^ (set >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = mixed(prefix.key) ^ mixed(prefix.alive).rotate_left(23);
        let mut slot = (hash >> 40) as usize % SLOTS;
        while self.slots[slot] != FREE {
            let same = &mut self.prefixes[usize::from(self.slots[slot])];
            if same.key == prefix.key && same.alive == prefix.alive {
                same.blank = log_add(same.blank, prefix.blank);
                same.symbol = log_add(same.symbol, prefix.symbol);
                return;
            }
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = self.prefixes.len() as u16;
        self.prefixes.push(prefix);
    }
}

fn prune(beam: &mut Vec<Prefix>) {
    beam.iter_mut().for_each(|prefix| prefix.all = prefix.total());
    let best = beam.iter().map(|prefix| prefix.all).fold(f32::NEG_INFINITY, f32::max);
    beam.retain(|prefix| prefix.all > best - BEHIND);
    beam.sort_by(|a, b| b.all.total_cmp(&a.all));
    beam.truncate(BEAM);
}

fn spell(mut key: u128) -> String {
    let mut out = Vec::new();
    while key > 1 {
        let s = (key & 63) as usize;
        if s < SYMBOLS.len() {
            out.push(SYMBOLS[s]);
        }
        key >>= 6;
    }
    out.iter().rev().collect()
}
