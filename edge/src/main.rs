//! The program `vong-edge`: reads the command line and hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    vong_edge::cli::main()
}
