//! The generator of random models draws what there is.

use std::collections::BTreeSet;

use zellige_compiler::ops;
use zellige_tests::random;

#[test]
fn every_op_is_drawn() {
    let drawn: BTreeSet<_> = (0..200)
        .flat_map(|seed| random::model(seed).ops.iter().map(|(_, n)| n.op.name()).collect::<Vec<_>>())
        .collect();
    let missing: Vec<_> = ops::all()
        .filter(|def| !def.internal)
        .map(|def| def.name)
        .filter(|name| !drawn.contains(name))
        .collect();
    assert!(missing.is_empty(), "no model has {missing:?}");
}

/// What ops are made of by their gradients, or by being expanded first.
#[test]
fn every_internal_op_is_in_some_gradient() {
    let drawn: BTreeSet<_> = (0..200)
        .flat_map(|seed| random::gradients(seed).ops.iter().map(|(_, n)| n.op.name()).collect::<Vec<_>>())
        .collect();
    let missing: Vec<_> = ops::all()
        .filter(|def| def.internal)
        .map(|def| def.name)
        .filter(|name| !drawn.contains(name))
        .collect();
    assert!(missing.is_empty(), "no gradient has {missing:?}");
}

#[test]
fn a_seed_gives_one_model() {
    for seed in 0..20 {
        assert_eq!(random::model(seed), random::model(seed));
        assert_eq!(random::gradients(seed), random::gradients(seed));
    }
}
