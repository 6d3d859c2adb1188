#[derive(serde::Deserialize)]
pub struct HttpCall {
    pub socket: String,
}
pub fn request(_: &HttpCall) -> serde_json::Value {
    serde_json::json!({"error":"ENOENT","message":"stub"})
}
pub fn stream(_: &HttpCall, _f: &mut dyn FnMut(&str) -> bool) -> serde_json::Value {
    serde_json::json!({"error":"ENOENT","message":"stub"})
}
