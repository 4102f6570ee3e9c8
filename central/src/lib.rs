//! The office: takes in what the edges publish, keeps it, and serves the operations centre. Floor 2: knows `wire` and
//! `models`; knows nothing of the edge but what crosses the wire.
//!
//! The flow: `ingest` (broker, decoding, batches) -> `store` -> `service` (what the page needs to know) -> `api`, `web`,
//! wired in `office.rs`.

pub mod api;
pub mod auth;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod office;
pub mod service;
pub mod store;
pub mod web;
