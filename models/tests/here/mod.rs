//! Where the tests of this crate find the models: in `VONG_STORE`, else in the crate's own store.

use vong_models::Store;

/// The store; whether anything is in it is for the caller to see.
pub fn store() -> Store {
    match std::env::var_os("VONG_STORE") {
        Some(_) => Store::locate(),
        None => Store::at(concat!(env!("CARGO_MANIFEST_DIR"), "/store")),
    }
}
