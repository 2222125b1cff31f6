//! End-to-end tests.

#![allow(clippy::print_stdout, reason = "tests print what they counted and measured")]

mod accesses;
mod activations;
mod batches;
mod check;
mod fuzz;
mod gradients;
mod initial_values;
mod lossless;
mod models;
mod normalisation;
mod onnxruntime;
mod ops;
mod random_models;
mod rmw;
mod steps;
mod tidy;
mod training;
mod windows;
