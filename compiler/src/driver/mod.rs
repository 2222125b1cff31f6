//! From files to programs: what the command line does, without the command line.

mod failure;
mod options;
mod pipeline;
mod proof;
mod report;
mod source;
mod weights;

pub use failure::{Failure, engine_failure, io_failure, reason, unreadable};
pub use options::CompileOptions;
pub use pipeline::{Pipeline, passes_named};
pub use proof::prove;
pub use report::{Report, SectionReport, TensorReport};
pub use source::{Given, Kind, Model, Opened, graph_of};
pub use weights::{attach, give};
