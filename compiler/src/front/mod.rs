//! stub
use crate::base::Bindings;
use crate::ir::Graph;
use zellige_grammar::{Diagnostic, ast};
/// x
pub fn lower_model(_: &ast::File) -> (Option<Graph>, Vec<Diagnostic>) {
    (None, Vec::new())
}
/// x
pub fn bind(_: &Graph, _: &[(String, [u64; 4])], _: &Bindings) -> Result<Bindings, Vec<Diagnostic>> {
    Ok(Bindings::default())
}
