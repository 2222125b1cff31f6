//! From files to programs: what the command line does, without the command line.

mod failure;
mod optimization;
mod options;
mod parameters;
mod pipeline;
mod proof;
mod report;
mod source;
mod trainer;
mod training;
mod weights;
mod windows;

pub use failure::{Failure, engine_failure, io_failure, reason, unreadable};
pub use optimization::{Optimization, Stepped};
pub use options::CompileOptions;
pub use parameters::{Parameter, Parameters};
pub use pipeline::{Pipeline, passes_named};
pub use proof::prove;
pub use report::{Report, SectionReport, TensorReport};
pub use source::{Given, Kind, Model, Opened, graph_of};
pub use trainer::{Found, Image, Trainer, TrainingProgram};
pub use training::{Asked, Differentiated, Trainee};
pub use weights::{attach, give};
pub use windows::{Cropped, Observed, Statistic};
