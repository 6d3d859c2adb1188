#[cfg(test)]
mod protocol;
fn main() {}
