//! The intermediate representation: graph, sections, and (in the runtime) program; verifiers and text forms.

mod graph;
mod module;
mod sections;
pub mod text;
pub mod verify;

pub use graph::{Def, Derived, Exact, Graph, GraphError, Node, Output, Param, Value};
pub use module::{Level, Module};
pub use sections::{
    BufferPlan, Composite, Device, Overlap, Padding, Reader, Role, Scheme, Section, Sections, Storage,
    Target, TensorSteps, Tiling, ZeroOut,
};
