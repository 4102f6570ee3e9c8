//! The appliance at the gate. Floor 2: cameras become tracks, tracks become counts, identities and alerts, and these
//! wait in an outbox until central has committed them.
//!
//! The flow is the list of modules: source, motion, track, count, recognise, identify, decide, outbox, publish;
//! `pipeline` wires them. Invariant: a decision is in the outbox before anything acts on it.

pub mod bench;
pub mod calibrate;
pub mod camera;
pub mod cli;
pub mod clock;
pub mod config;
pub mod count;
mod crew;
pub mod decide;
pub mod device;
pub mod doctor;
pub mod eval;
pub mod fit;
pub mod follow;
pub mod identify;
pub mod lane;
pub mod motion;
pub mod nets;
pub mod outbox;
pub mod pace;
pub mod pipeline;
pub mod publish;
pub mod recognise;
pub mod schedule;
pub mod shed;
pub mod source;
pub mod sync;
pub mod telemetry;
pub mod track;
pub mod watchdog;
