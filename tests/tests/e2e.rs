//! The one end-to-end test binary: it links once, however many files it has.

mod bad_input;
mod cameras;
mod collectors;
mod contracts;
mod deploy;
mod fitting;
mod here;
mod outage;
mod showing;
mod tidy;
