//! End-to-end tests.

mod activations;
mod initial_values;
mod lossless;
mod onnxruntime;
mod random_models;
