//! Reading licence plates: where rows of text stand (`rows`), what stands in them (`text`), which plate that is
//! (`grammar`, `lattice`), all together in `reader`.
//!
//! Invariant: what leaves here fits the Vietnamese grammar or is not reported. Knows nothing of tracks and lists.

pub mod crop;
pub mod grammar;
pub mod lattice;
pub mod rowbox;

#[cfg(test)]
mod grammar_test;

pub use grammar::Grammar;
pub use lattice::{Decoded, Lattice};
