//! Training steps on batches of images of different sizes: against PyTorch's, and the same bits under every plan.

use std::path::Path;

use fastrand::Rng;
use zellige_compiler::driver::CompileOptions;
use zellige_runtime::engine::EngineKind;
use zellige_tests::batches::{BatchCase, cases};
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, describe};
use zellige_tests::{parallel, parameters};

/// Plans of a case.
const PLANS: u64 = 6;

#[test]
fn steps_agree_with_pytorch_under_every_plan() {
    let cases: Vec<(usize, BatchCase)> = cases().into_iter().enumerate().collect();
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    parallel::check_all(
        &cases,
        |(number, case)| format!("{number}, {}", case.model),
        |(number, case)| check(*number, case, dir.path()),
    );
}

fn check(number: usize, case: &BatchCase, dir: &Path) -> Result<(), String> {
    let (step, graph) = case.step()?;
    let weights = dir.join(format!("{number}.safetensors"));
    let stored: Vec<_> = case
        .parameters(number)
        .into_iter()
        .filter(|p| graph.params.iter().any(|(_, q)| q.name == p.name))
        .collect();
    parameters::write(&stored, &weights).map_err(|e| e.to_string())?;
    let inputs = case.inputs(number);
    let outputs = |plan: &Plan| {
        let options = CompileOptions { weights: Some(weights.clone()), ..plan.compile.clone() };
        let program = run::compile(&graph, &options).map_err(|d| format!("{}\n    {plan}", describe(&d)))?;
        let run = run::run(program, &plan.run, &inputs);
        run.map(|(outputs, _)| outputs).map_err(|e| format!("{e}\n    {plan}"))
    };
    let untiled = outputs(&plans::reference())?;
    case.compare(number, &step, &untiled)?;
    run::verify_each_pass(&graph, &plans::reference().compile).map_err(|d| describe(&d))?;

    let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
    let mut rng = Rng::with_seed(number as u64);
    for i in 0..PLANS {
        let mut plan = plans::plan(&canonical, &mut rng);
        if i % 3 > 0 {
            plan.run.engine = EngineKind::Native;
        }
        if let Some(difference) = run::difference(&outputs(&plan)?, &untiled) {
            return Err(format!("tiled: {difference}\n    {plan}"));
        }
    }
    Ok(())
}
