//! One value in many places.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::scalar::{Compare, Expr};

use super::pointwise::expression;
use super::{FromAttrs, Op, OpDef, Sizes, attrs_of};

pub(super) fn defs() -> Vec<OpDef> {
    let doc = "x repeated along axes where it has size 1 and `like` has not.";
    vec![OpDef::part::<Repeat>("repeat", doc, &["like", "x"])]
}

/// The second input, repeated to the shape of the first, of which nothing else matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repeat {}

impl FromAttrs for Repeat {}

impl Op for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    /// It is `x` whatever the comparison says, which is there for the shape.
    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (like, x) = (b.input(0), b.input(1));
            b.select(Compare::Eq, like, like, x, x)
        })
    }
}
