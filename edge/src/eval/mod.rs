//! The commands that measure, on the very code that runs at the gate.
//!
//! Invariant: one JSON object on standard output, everything else on standard error; no figure over fewer items than it
//! says. What measures knows the truth; what is measured never does.

pub mod plates;
