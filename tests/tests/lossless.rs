//! Random models × random legal plans: the same bits as the untiled network on the reference engine, forward and backward.

use std::path::Path;

use zellige_tests::lossless::Suite;
use zellige_tests::random;

#[test]
fn every_plan_gives_the_bits_of_the_untiled_network() {
    Suite { name: "lossless", models: 0..200, plans: 4, draw: random::model, folder: folder() }.run();
}

#[test]
fn every_plan_gives_the_gradients_of_the_untiled_network() {
    Suite { name: "gradients", models: 0..50, plans: 5, draw: random::gradients, folder: folder() }.run();
}

#[test]
fn every_plan_gives_what_is_continued_circularly() {
    Suite { name: "periodic", models: 0..60, plans: 4, draw: random::periodic, folder: folder() }.run();
}

/// For models that fail.
fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
