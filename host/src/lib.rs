#![allow(dead_code)]
mod brain;
pub mod protocol;
mod script;
pub struct Programs {
    pub cli: &'static [u8],
    pub config: &'static [u8],
    pub brain: &'static [u8],
}
pub fn run(_: &Programs) -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
