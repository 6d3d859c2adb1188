//! stub
use crate::protocol::{Call, Part};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
pub struct Incoming {
    pub call: Call,
    pub uid: u32,
    pub pid: u32,
    pub reply: oneshot::Sender<ReplyData>,
}
pub struct ReplyData {
    pub status: u16,
    pub content_type: String,
    pub headers: BTreeMap<String, String>,
    pub parts: Vec<Part>,
}
pub const CALLS_MAX: usize = 256;
