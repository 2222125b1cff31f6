//! End-to-end tests.

mod initial_values;
mod lossless;
mod models;
mod random_models;
