//! End-to-end tests.

mod lossless;
mod random_models;
