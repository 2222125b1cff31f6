//! Ops whose values follow from those in the same place of their inputs.

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::scalar::{Builder, Expr, Ref};

use super::{Requirements, ShapeError, Sizes};
use crate::base::{AxisMap, Shape};

/// The shape of the first input, which the others have or are repeated over.
pub(super) fn shape_of_first(inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
    let x = &inputs[0];
    for (i, other) in inputs.iter().enumerate().skip(1) {
        for (size, of_x) in other.dims().into_iter().zip(x.dims()) {
            if size.constant() != Some(1) {
                let because = format!("{other} is repeated over {x}");
                requirements.equal(size, of_x, because).map_err(|e| ShapeError { input: Some(i), ..e })?;
            }
        }
    }
    Ok(x.clone())
}

/// Access of an op whose inputs are repeated over one another.
pub(super) fn access(input: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
    let extent = |sizes: &Sizes| sizes[2 + axis.index()];
    let widest = inputs.iter().map(extent).max().unwrap_or(1);
    if extent(&inputs[input]) == widest { AxisMap::Identity } else { AxisMap::Broadcast }
}

/// The expression whose result `of` gives; `None` if that is no expression.
pub(super) fn expression(of: impl FnOnce(&mut Builder) -> Ref) -> Option<Expr> {
    let mut builder = Builder::new();
    let result = of(&mut builder);
    builder.finish(result).ok()
}
