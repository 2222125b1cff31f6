//! End-to-end tests.

mod lossless;
mod models;
mod random_models;
