//! The intermediate representation: graph, sections, and (in the runtime) program; verifiers and text forms.

mod computations;
mod graph;
mod module;
mod names;
mod sections;
pub mod text;
pub mod verify;

pub use computations::Computations;
pub use graph::{
    Def, Derived, Direction, Exact, Graph, GraphError, Node, Origin, Output, Param, Spans, Value,
};
pub use module::{Level, Module};
pub use names::Names;
pub use sections::{
    Blocks, BufferPlan, Composite, Device, Directions, Gradient, Materialize, Overlap, Padding, Reader, Role,
    Scheme, Section, Sections, Storage, Target, TensorSteps, Tiling, ZeroOut,
};
