//! Random models under random plans.

use fastrand::Rng;
use zellige_compiler::ir::{Graph, text};

use super::Reached;
use crate::parameters::{self, Parameter};
use crate::plans::{self, Plan};
use crate::random;
use crate::run::{self, Arrays, describe};

/// A model of the first seed, under a plan of the second: the bits of the untiled network on the reference engine.
pub fn lossless([model, plan]: [u64; 2]) -> Reached {
    let graph = random::model(model);
    let mut inputs = parameters::inputs(&graph, model);
    if plan.is_multiple_of(4) {
        parameters::make_odd(&mut inputs, model);
    }
    let parameters = parameters::draw(&graph, model);
    let canonical = run::canonical(&graph).expect("random models are legal");
    let plan = plans::plan(&canonical, &mut Rng::with_seed(plan));
    let outputs = |plan: &Plan| {
        outputs(&graph, plan, &parameters, &inputs)
            .unwrap_or_else(|error| panic!("{error}\n{plan}\n{}", text::print_graph(&graph)))
    };
    if let Some(difference) = run::difference(&outputs(&plan), &outputs(&plans::reference())) {
        panic!("{difference}\n{plan}\n{}", text::print_graph(&graph));
    }
    Reached::Done
}

fn outputs(graph: &Graph, plan: &Plan, parameters: &[Parameter], inputs: &Arrays) -> Result<Arrays, String> {
    let mut program = run::compile(graph, &plan.compile).map_err(|d| describe(&d))?;
    parameters::attach(&mut program, parameters);
    let (outputs, _) = run::run(program, &plan.run, inputs).map_err(|e| e.to_string())?;
    Ok(outputs)
}
