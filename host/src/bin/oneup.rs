use std::process::ExitCode;

fn main() -> ExitCode {
    oneup::run(&oneup::Programs {
        cli: include_bytes!(concat!(env!("OUT_DIR"), "/cli.bin")),
        config: include_bytes!(concat!(env!("OUT_DIR"), "/config.bin")),
        brain: include_bytes!(concat!(env!("OUT_DIR"), "/brain.bin")),
    })
}
