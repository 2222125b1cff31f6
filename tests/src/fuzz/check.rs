//! The checker against programs with faults in them.

use fastrand::Rng;
use zellige_runtime::engine::Options;
use zellige_runtime::program::verify::{Limits, verify};

use super::{LIMITS, Reached};
use crate::faults::Faults;
use crate::{parameters, plans, random, run};

/// Most faults that are put into a program, one on top of the other.
const FAULTS: u64 = 3;

/// A model of the first seed, compiled under a plan of the second, with faults of the third: a program that the checker accepts,
/// and that is safe to run, gives the outputs of the program without faults.
pub fn check([model, plan, fault]: [u64; 3]) -> Reached {
    let graph = random::model(model);
    let canonical = run::canonical(&graph).expect("random models are legal");
    let plan = plans::plan(&canonical, &mut Rng::with_seed(plan));
    let mut program = run::compile(&graph, &plan.compile).unwrap_or_else(|d| panic!("{}", run::describe(&d)));
    parameters::attach(&mut program, &parameters::draw(&graph, model));
    let mut rng = Rng::with_seed(fault);
    let mut faulty = program.clone();
    let mut kinds = Vec::new();
    for _ in 0..=fault % FAULTS {
        let drawn = Faults::of(&faulty).and_then(|faults| {
            let (kind, program) = faults.draw(&mut rng)?;
            Some((kind.to_owned(), program))
        });
        let Some((kind, next)) = drawn else { break };
        faulty = next;
        kinds.push(kind);
    }
    faulty.data = program.data.clone();
    // Without a weights file the checker cannot know where in the data a parameter's values are.
    for weight in &mut faulty.weights {
        if let Some(own) = program.weights.iter().find(|own| own.name == weight.name) {
            weight.source = own.source.clone();
        }
    }
    if run::check(&faulty).is_err() {
        return Reached::Refused;
    }
    let limits =
        Limits { sram_bytes: u64::MAX, device_bytes: 1 << 30, work: LIMITS.work.map(|work| 64 * work) };
    if verify(&faulty, &limits).is_err() {
        return Reached::Rejected;
    }
    let inputs = parameters::inputs(&graph, model);
    let options = Options { threads: 1, ..Options::default() };
    let outputs = |program| run::run(program, &options, &inputs).map(|(outputs, _)| outputs);
    let expected = outputs(program).expect("the pipeline's programs run");
    match outputs(faulty) {
        Ok(found) => assert_eq!(run::difference(&found, &expected), None, "{kinds:?} are accepted"),
        Err(_) => return Reached::Rejected,
    }
    Reached::Done
}
