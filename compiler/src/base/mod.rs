//! What everything else is made of: ids, symbolic dimensions, shapes, the access relations of ops, and units.

mod access;
mod dim;
mod ids;
mod shape;
pub mod units;

pub use access::{AxisMap, first_of};
pub use dim::{Bindings, Dim};
pub use ids::{Arena, Id, OpId, ParamId, ValueId};
pub use shape::{Element, Shape, TensorType};
