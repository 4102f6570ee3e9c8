//! Vietnamese plates as a grammar: classes, letters, provinces by date, what looks like what. Everything that can change
//! by circular stands in `grammar.toml`; this file only reads it and walks it.
//!
//! Invariant: a plate that leaves this module is in normal form (upper case, no separators, Đ kept) and of a known class.
//! Knows nothing of pictures or models.

use serde::Deserialize;
use std::sync::OnceLock;

/// Characters a reader may report, in the order of their [`Symbol`] numbers. I, J, O, W stand on no civil plate, but a
/// reader sees them.
pub const SYMBOLS: [char; 37] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
    'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Đ',
];

/// Index into [`SYMBOLS`].
pub type Symbol = u8;

/// Marks of the longest form, the break between rows counted as one.
pub(super) const LONGEST: usize = 12;

/// The number of a character, `None` for what stands on no plate.
pub fn symbol(c: char) -> Option<Symbol> {
    match c {
        '0'..='9' => Some(c as u8 - b'0'),
        'A'..='Z' => Some(c as u8 - b'A' + 10),
        'Đ' => Some(36),
        _ => None,
    }
}

/// Upper case, without separators and blanks, Đ kept: `29-mđ1 123.45` becomes `29MĐ112345`.
pub fn normal_form(raw: &str) -> String {
    raw.chars()
        .flat_map(char::to_uppercase)
        .map(|c| if c == 'Ð' { 'Đ' } else { c })
        .filter(|&c| symbol(c).is_some())
        .collect()
}

/// A plate that fits the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Normal form.
    pub plate: String,
    /// Class, as `car`, `motorcycle`, `diplomatic`.
    pub class: &'static str,
    /// Rows: 1 or 2.
    pub lines: u8,
}

/// The grammar, ready to be walked.
pub struct Grammar {
    pub(super) layouts: Vec<Layout>,
    /// Layouts (bits) that allow a symbol as their n-th mark.
    pub(super) allows: [[u128; SYMBOLS.len()]; LONGEST],
    /// Layouts whose n-th mark is the break between rows.
    pub(super) breaks: [u128; LONGEST],
    /// Layouts with the number of a series just before the break at the n-th mark.
    pub(super) numbered: [u128; LONGEST],
    /// Nats for the numbers of a series.
    pub(super) series_number: [f32; 10],
    /// Layouts with a province code of two digits that ends at the n-th mark.
    pub(super) province_ends: [u128; LONGEST],
    /// Layouts of the army, whose first two letters must be a listed pair.
    pub(super) army: u128,
    army_pairs: Vec<(Symbol, Symbol)>,
    /// Nats for taking the first symbol for the second.
    pub(super) confusion: Vec<[f32; SYMBOLS.len()]>,
    pub(super) unknown_province: f32,
    provinces: Vec<Province>,
    known_codes: [bool; 100],
    merger_date: String,
}

pub(super) struct Layout {
    pub(super) class: &'static str,
    pub(super) lines: u8,
    pub(super) cost: f32,
    pub(super) marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Province,
    Digit,
    Number,
    Series,
    Army,
    Fixed(Symbol),
    Break,
}

#[derive(Deserialize)]
struct Data {
    series: String,
    army: Vec<String>,
    series_number: [f32; 10],
    class: Vec<Class>,
    confusion: Confusion,
    merger: Merger,
    province: Vec<Province>,
}

#[derive(Deserialize)]
struct Class {
    name: String,
    forms: Vec<String>,
    lines: Vec<u8>,
    #[serde(default)]
    cost: f32,
}

#[derive(Deserialize)]
struct Confusion {
    general: f32,
    unknown_province: f32,
    both: Vec<(char, char, f32)>,
    letter_for_digit: Vec<(char, char, f32)>,
    digit_for_letter: Vec<(char, char, f32)>,
    letter_for_letter: Vec<(char, char, f32)>,
}

#[derive(Deserialize)]
struct Merger {
    date: String,
}

#[derive(Deserialize)]
struct Province {
    codes: Vec<u8>,
    name: String,
    since_merger: Option<String>,
}

impl Grammar {
    /// The grammar of `grammar.toml`, built once.
    pub fn vietnam() -> &'static Self {
        static BUILT: OnceLock<Grammar> = OnceLock::new();
        BUILT.get_or_init(|| {
            let data: Data =
                toml::from_str(include_str!("grammar.toml")).expect("grammar.toml is read by its own test");
            Self::build(data)
        })
    }

    fn build(data: Data) -> Self {
        let mut layouts = Vec::new();
        for class in &data.class {
            let name: &'static str = Box::leak(class.name.clone().into_boxed_str());
            for form in &class.forms {
                for &lines in &class.lines {
                    layouts.push(Layout {
                        class: name,
                        lines,
                        cost: class.cost,
                        marks: marks(form, lines),
                    });
                }
            }
        }
        assert!(
            layouts.len() <= 128,
            "grammar.toml holds more than 128 layouts; widen the bit sets"
        );
        let army_pairs: Vec<_> = data
            .army
            .iter()
            .filter_map(|pair| {
                let mut chars = pair.chars().filter_map(symbol);
                Some((chars.next()?, chars.next()?))
            })
            .collect();
        let series: Vec<Symbol> = data.series.chars().filter_map(symbol).collect();
        let mut grammar = Self {
            allows: [[0; SYMBOLS.len()]; LONGEST],
            breaks: [0; LONGEST],
            numbered: [0; LONGEST],
            series_number: data.series_number,
            province_ends: [0; LONGEST],
            army: 0,
            confusion: vec![[data.confusion.general; SYMBOLS.len()]; SYMBOLS.len()],
            unknown_province: data.confusion.unknown_province,
            known_codes: [false; 100],
            merger_date: data.merger.date,
            provinces: data.province,
            army_pairs,
            layouts,
        };
        for (bit, layout) in grammar.layouts.iter().enumerate() {
            let bit = 1u128 << bit;
            for (at, mark) in layout.marks.iter().enumerate() {
                match *mark {
                    Mark::Break => grammar.breaks[at] |= bit,
                    Mark::Fixed(s) => grammar.allows[at][s as usize] |= bit,
                    Mark::Province | Mark::Digit | Mark::Number => (0..10).for_each(|s| grammar.allows[at][s] |= bit),
                    Mark::Series => series.iter().for_each(|&s| grammar.allows[at][s as usize] |= bit),
                    Mark::Army => grammar.army_pairs.iter().for_each(|&(a, b)| {
                        grammar.allows[at][if at == 0 { a } else { b } as usize] |= bit;
                    }),
                }
                if *mark == Mark::Break && layout.marks[at - 1] == Mark::Number {
                    grammar.numbered[at] |= bit;
                }
                if at > 0 && *mark == Mark::Province && layout.marks[at - 1] == Mark::Province {
                    grammar.province_ends[at] |= bit;
                }
            }
            if layout.marks[0] == Mark::Army {
                grammar.army |= bit;
            }
        }
        for province in &grammar.provinces {
            province
                .codes
                .iter()
                .for_each(|&code| grammar.known_codes[code as usize] = true);
        }
        let c = data.confusion;
        let turned: Vec<_> = c.both.iter().map(|&(a, b, cost)| (b, a, cost)).collect();
        for (seen, meant, cost) in [
            c.both,
            turned,
            c.letter_for_digit,
            c.digit_for_letter,
            c.letter_for_letter,
        ]
        .into_iter()
        .flatten()
        {
            if let (Some(seen), Some(meant)) = (symbol(seen), symbol(meant)) {
                grammar.confusion[seen as usize][meant as usize] = cost;
            }
        }
        for (s, row) in grammar.confusion.iter_mut().enumerate() {
            row[s] = 0.0;
        }
        grammar
    }

    /// Reads a plate from its printed rows, without forgiving anything; the commonest class where several fit.
    pub fn parse(&self, rows: &[&str]) -> Option<Parsed> {
        let (mut alive, mut at, mut plate) = (!0u128 >> (128 - self.layouts.len()), 0, String::new());
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                (alive, at) = (alive & self.breaks.get(at)?, at + 1);
            }
            for c in normal_form(row).chars() {
                let s = symbol(c)?;
                alive &= self.allows.get(at)?[s as usize];
                if at == 1 && !self.army_pair(&plate, s) {
                    alive &= !self.army;
                }
                at += 1;
                plate.push(c);
            }
        }
        let layout = self.cheapest(alive, at, rows.len() as u8)?;
        Some(Parsed {
            plate,
            class: layout.class,
            lines: layout.lines,
        })
    }

    /// The class of a plate in normal form whose rows are not known: the commonest that fits.
    pub fn classify(&self, plate: &str) -> Option<&'static str> {
        self.classes(plate).first().copied()
    }

    /// All classes that fit a plate in normal form whose rows are not known, the commonest first: four digits after
    /// `59X2` are a motorcycle's, five after `59X` a car's.
    pub fn classes(&self, plate: &str) -> Vec<&'static str> {
        let plate = normal_form(plate);
        let split = |at: usize| plate.char_indices().nth(at).map(|(byte, _)| plate.split_at(byte));
        let one = self.parse(&[&plate]);
        let two = (2..plate.chars().count()).filter_map(|at| split(at).and_then(|(a, b)| self.parse(&[a, b])));
        let cost = |p: &Parsed| {
            self.layouts
                .iter()
                .filter(|l| l.class == p.class)
                .map(|l| l.cost)
                .fold(9.0, f32::min)
        };
        let mut fitting: Vec<Parsed> = one.into_iter().chain(two).collect();
        fitting.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        let mut classes: Vec<&'static str> = Vec::new();
        for Parsed { class, .. } in fitting {
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        classes
    }

    /// The layout that is complete after `at` marks, the cheapest of those in `alive`.
    pub(super) fn cheapest(&self, alive: u128, at: usize, lines: u8) -> Option<&Layout> {
        self.layouts
            .iter()
            .enumerate()
            .filter(|(bit, l)| alive >> bit & 1 == 1 && l.lines == lines && l.marks.len() == at)
            .map(|(_, l)| l)
            .min_by(|a, b| a.cost.total_cmp(&b.cost))
    }

    fn army_pair(&self, before: &str, second: Symbol) -> bool {
        before
            .chars()
            .last()
            .and_then(symbol)
            .is_some_and(|first| self.is_army_pair(first, second))
    }

    pub(super) fn is_army_pair(&self, first: Symbol, second: Symbol) -> bool {
        self.army_pairs.contains(&(first, second))
    }

    /// Whether plates of this province code were ever issued.
    pub fn is_known_code(&self, code: u8) -> bool {
        self.known_codes.get(code as usize).copied().unwrap_or(false)
    }

    /// The province of a code on a date (`YYYY-MM-DD`): codes outlive the merger, names do not.
    pub fn province(&self, code: u8, date: &str) -> Option<&str> {
        let province = self.provinces.iter().find(|p| p.codes.contains(&code))?;
        let merged = date >= self.merger_date.as_str();
        Some(
            province
                .since_merger
                .as_deref()
                .filter(|_| merged)
                .unwrap_or(&province.name),
        )
    }

    /// All codes of a province on a date: a merged province keeps the union of the old ones.
    pub fn codes(&self, province: &str, date: &str) -> Vec<u8> {
        (11..=99)
            .filter(|&code| self.province(code, date) == Some(province))
            .collect()
    }

    /// What it costs, in nats, to take one plate for the other: 0 for the same, about 2 for one likely confusion
    /// (8 for B, 3 for 8), 6 for any other character, infinite where the lengths differ.
    pub fn confusion_cost(&self, seen: &str, meant: &str) -> f32 {
        let (seen, meant): (Vec<_>, Vec<_>) = (
            normal_form(seen).chars().filter_map(symbol).collect(),
            normal_form(meant).chars().filter_map(symbol).collect(),
        );
        if seen.len() != meant.len() {
            return f32::INFINITY;
        }
        seen.iter()
            .zip(&meant)
            .map(|(&a, &b)| self.confusion[a as usize][b as usize])
            .sum()
    }

    /// Every form with its class and number of lines, for generating plates in tests: see [`Grammar::parse`] for the marks.
    pub fn forms(&self) -> impl Iterator<Item = (&'static str, u8, Vec<String>)> + '_ {
        self.layouts.iter().map(|layout| {
            let mut rows = vec![String::new()];
            for mark in &layout.marks {
                match *mark {
                    Mark::Break => rows.push(String::new()),
                    Mark::Province => rows.last_mut().expect("starts with a row").push('p'),
                    Mark::Digit | Mark::Number => rows.last_mut().expect("starts with a row").push('d'),
                    Mark::Series => rows.last_mut().expect("starts with a row").push('l'),
                    Mark::Army => rows.last_mut().expect("starts with a row").push('k'),
                    Mark::Fixed(s) => rows.last_mut().expect("starts with a row").push(SYMBOLS[s as usize]),
                }
            }
            (layout.class, layout.lines, rows)
        })
    }

    /// Letters of civil series, and the pairs of the army.
    pub fn letters(&self) -> (Vec<char>, Vec<String>) {
        let series = (0..37)
            .filter(|&s| self.allows[2][s as usize] & 1 == 1)
            .map(|s| SYMBOLS[s as usize])
            .collect();
        let pair = |&(a, b): &(Symbol, Symbol)| format!("{}{}", SYMBOLS[a as usize], SYMBOLS[b as usize]);
        (series, self.army_pairs.iter().map(pair).collect())
    }
}

fn marks(form: &str, lines: u8) -> Vec<Mark> {
    let (mut out, mut quoted) = (Vec::new(), false);
    for c in form.chars() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => out.push(Mark::Fixed(
                symbol(c).expect("grammar.toml quotes only plate characters"),
            )),
            'p' => out.push(Mark::Province),
            'd' => out.push(Mark::Digit),
            'n' => out.push(Mark::Number),
            'L' => out.push(Mark::Series),
            'K' => out.push(Mark::Army),
            '/' if lines == 2 => out.push(Mark::Break),
            '/' | ' ' => {}
            other => panic!("grammar.toml: `{other}` is no mark of a form"),
        }
    }
    assert!(
        out.len() <= LONGEST,
        "grammar.toml: the form `{form}` is longer than {LONGEST} marks"
    );
    out
}
