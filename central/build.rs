//! Builds again when the page or a migration changes: both are compiled in.

fn main() {
    println!("cargo:rerun-if-changed=web/static");
    println!("cargo:rerun-if-changed=migrations");
}
