//! The whole house on one machine: starts central and an edge as an operator would, watches the live feed as a page
//! does, and compares what was seen with what is true. Used by `make demo` and by the end-to-end tests.

pub mod accuracy;
pub mod feed;
pub mod fuzz;
pub mod outage;
pub mod outcome;
pub mod province;
pub mod show;
pub mod stage;
