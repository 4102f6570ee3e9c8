//! placeholder until the programs it starts are there
fn main() {}
