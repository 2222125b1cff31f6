//! What everything else is made of: ids, symbolic dimensions, shapes, and the access relations of ops.

mod access;
mod dim;
mod ids;
mod shape;

pub use access::AxisMap;
pub use dim::{Bindings, Dim};
pub use ids::{Arena, Id, OpId, ParamId, ValueId};
pub use shape::{Element, Shape, TensorType};
