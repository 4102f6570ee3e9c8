//! Reading licence plates: where rows of text stand (`rows`, `rowbox`), which of them may be a plate (`assemble`), what
//! stands there (`whole`), which plate that is (`grammar`, `lattice`), what several looks came to (`evidence`) at each place
//! (`place`), all together in `reader`.
//!
//! Invariant: what leaves here fits the Vietnamese grammar or is not reported. Knows nothing of tracks and lists.

pub mod assemble;
pub mod colour;
pub mod crop;
pub mod evidence;
pub mod grammar;
pub mod lattice;
mod place;
pub mod reader;
pub mod rowbox;
pub mod rows;
pub mod whole;

#[cfg(test)]
mod grammar_test;

pub use grammar::Grammar;
pub use lattice::{Decoded, Lattice};
pub use reader::{PlateModels, PlateReader, PlateReaderOptions, PlateReading};
pub use rows::Sight;
