//! The program `vong-models`; see `cli`.

fn main() -> std::process::ExitCode {
    vong_models::cli::main()
}
