//! stub
use super::{Graph, Module};
use zellige_grammar::Diagnostic;
/// x
pub fn print_graph(_graph: &Graph) -> String {
    String::new()
}
/// x
pub fn print(_: &Module) -> String {
    String::new()
}
/// x
pub fn parse(_: &str) -> Result<Module, Vec<Diagnostic>> {
    Err(Vec::new())
}
/// x
pub fn to_json(_: &Module) -> serde_json::Value {
    serde_json::Value::Null
}
/// x
pub fn to_dot(_: &Module) -> Option<String> {
    None
}
