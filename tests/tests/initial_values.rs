//! Parameters that no file gives.

use zellige_runtime::engine::Options;
use zellige_tests::run::{self, describe};
use zellige_tests::{parallel, parameters, plans, random};

/// The models have ops that nothing reads, and those have parameters.
#[test]
fn what_is_dropped_leaves_the_parameters_of_the_rest_as_they_are() {
    parallel::map(40, |seed| {
        let graph = random::model(seed as u64);
        let inputs = parameters::inputs(&graph, seed as u64);
        let outputs = |graph| {
            let program = run::compile(graph, &plans::reference().compile)
                .unwrap_or_else(|d| panic!("{}", describe(&d)));
            run::run(program, &Options::default(), &inputs).expect("a compiled program runs").0
        };
        let canonical = run::canonical(&graph).expect("random models are legal");
        assert_eq!(run::difference(&outputs(&graph), &outputs(&canonical)), None, "seed {seed}");
    });
}
