//! Listeners that pass bytes between their clients and a backend.

use crate::protocol::Proxy;

#[derive(Default)]
pub struct Proxies {}

impl Proxies {
    pub fn open(&mut self, _name: &str, _proxy: &Proxy) {}

    pub fn close(&mut self, _name: &str) {}

    pub fn set_up(&mut self, _name: &str, _up: bool) {}
}
