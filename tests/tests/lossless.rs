//! Random models × random legal plans: the same bits as the untiled network on the reference engine, forward and backward.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use zellige_compiler::base::ValueId;
use zellige_compiler::ir::Graph;
use zellige_tests::lossless::Suite;
use zellige_tests::{random, run};

/// Seeds of networks on images that go on at the opposite border.
const PERIODIC: Range<u64> = 0..40;

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
    Suite { name: "periodic", models: PERIODIC, plans: 4, draw: random::periodic, folder: folder() }.run();
}

#[test]
fn most_tensors_are_computed_circularly_instead_of_kept_for_padding() {
    let kept = |graph: &Graph| {
        let padded = graph.ops.iter().filter(|(_, node)| node.op.pads_circularly().is_some());
        let padded = padded.map(|(_, node)| node.inputs[0]).filter(|v| !graph.inputs.contains(v));
        padded.collect::<HashSet<ValueId>>().len()
    };
    let [mut before, mut after] = [0; 2];
    for seed in PERIODIC {
        let graph = random::periodic(seed);
        let [expanded, canonical] =
            [run::expanded(&graph), run::canonical(&graph)].map(|graph| kept(&graph.expect("it is valid")));
        assert!(canonical <= expanded, "model of seed {seed}");
        before += expanded;
        after += canonical;
    }
    assert!(2 * after <= before, "{after} of {before} are kept");
}

/// For models that fail.
fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
