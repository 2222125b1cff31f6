//! End-to-end tests.

mod initial_values;
mod lossless;
mod random_models;
