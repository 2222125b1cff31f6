//! What the end-to-end tests are made of: random models, random legal plans, running them, and mutations for fuzzing.

pub mod batches;
pub mod faults;
pub mod fuzz;
pub mod lossless;
pub mod mutate;
pub mod onnxruntime;
pub mod op_cases;
pub mod parallel;
pub mod parameters;
pub mod plans;
pub mod random;
pub mod run;
pub mod shrink;
pub mod variants;
