//! The one end-to-end test binary: it links once, however many files it has.

mod tidy;
