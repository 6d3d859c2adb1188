use std::process::ExitCode;

fn main() -> ExitCode {
    oneup::run(&oneup::Programs {
        table: include!(concat!(env!("OUT_DIR"), "/programs.rs")),
        with_faults: false,
    })
}
