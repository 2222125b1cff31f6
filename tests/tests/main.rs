//! End-to-end tests.

#![allow(clippy::print_stdout, reason = "tests print what they counted and measured")]

mod initial_values;
mod lossless;
mod models;
mod random_models;
