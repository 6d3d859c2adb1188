use std::process::ExitCode;

fn main() -> ExitCode {
    oneup::run(&oneup::Programs {
        table: include!(concat!(env!("OUT_DIR"), "/programs_with_faults.rs")),
        with_faults: true,
    })
}
