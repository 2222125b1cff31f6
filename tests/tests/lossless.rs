//! Random models × random legal plans: the same bits as the untiled network on the reference engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;
use zellige_compiler::ir::{Graph, text};
use zellige_runtime::engine::RunStats;
use zellige_tests::parameters::{self, Parameter};
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::{parallel, random};

/// `ZELLIGE_MODELS` asks for more, or for others.
const MODELS: std::ops::Range<u64> = 0..200;
const PLANS: usize = 4;

#[test]
fn every_plan_gives_the_bits_of_the_untiled_network() {
    let seeds: Vec<u64> = seeds().collect();
    let models = seeds.len();
    let results = parallel::map(models, |i| model_is_lossless(seeds[i]));
    let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} of {models} models:\n{}", failures.len(), failures.join("\n"));

    let cut: usize = results.iter().flatten().sum();
    let share = 100.0 * cut as f64 / (models * PLANS) as f64;
    let message = format!("{share:.1} % of {models} x {PLANS} plans have 4 tiles and 2 sections or more");
    eprintln!("{message}");
    assert!(share >= 80.0, "{message}");
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("ZELLIGE_MODELS") else { return MODELS };
    let (from, to) = range.split_once("..").expect("ZELLIGE_MODELS is a range such as 1000..2000");
    let number = |text: &str| text.parse().expect("ZELLIGE_MODELS is a range such as 1000..2000");
    number(from)..number(to)
}

/// How many of the plans have at least 4 tiles and 2 sections.
fn model_is_lossless(seed: u64) -> Result<usize, String> {
    let graph = random::model(seed);
    let report = |plan: &Plan, what: String| {
        format!("model of seed {seed}: {what}\n  {plan}\n{}", text::print_graph(&graph))
    };
    let mut inputs = parameters::inputs(&graph, seed);
    if seed % 4 == 3 {
        parameters::make_odd(&mut inputs, seed);
    }
    let case = Case { inputs, parameters: parameters::draw(&graph, seed), graph: &graph };
    let reference = plans::reference();
    let expected = case.run(&reference).map_err(|e| report(&reference, e))?.outputs;
    let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
    let mut rng = Rng::with_seed(seed);
    let mut cut = 0;
    for _ in 0..PLANS {
        let plan = plans::plan(&canonical, &mut rng);
        run::verify_each_pass(&graph, &plan.compile).map_err(|d| report(&plan, describe(&d)))?;
        let found = case.run(&plan).map_err(|e| report(&plan, e))?;
        if let Some(difference) = run::difference(&found.outputs, &expected) {
            return Err(report(&plan, difference));
        }
        within_budget(&plan, &found.stats).map_err(|e| report(&plan, e))?;
        cut += usize::from(found.tiles >= 4 && found.sections >= 2);
    }
    Ok(cut)
}

/// What is measured is not more than what was planned, and that not more than what was given. Checked runs take more: buffers
/// do not share bytes there.
fn within_budget(plan: &Plan, stats: &RunStats) -> Result<(), String> {
    let measured = |bytes| (!plan.run.checked).then_some(bytes);
    let sram = [measured(stats.peak_sram_bytes), Some(stats.planned_sram_bytes), plan.compile.sram];
    let device = [measured(stats.peak_device_bytes), Some(stats.planned_device_bytes), plan.compile.memory];
    for bytes in [sram, device] {
        if !bytes.into_iter().flatten().is_sorted() {
            return Err(format!("measured, planned and given memory are {bytes:?}"));
        }
    }
    Ok(())
}

struct Case<'a> {
    graph: &'a Graph,
    parameters: Vec<Parameter>,
    inputs: Arrays,
}

struct Outcome {
    outputs: Arrays,
    tiles: u64,
    sections: u64,
    stats: RunStats,
}

impl Case<'_> {
    fn run(&self, plan: &Plan) -> Result<Outcome, String> {
        let run = || {
            let mut program = run::compile(self.graph, &plan.compile).map_err(|d| describe(&d))?;
            parameters::attach(&mut program, &self.parameters);
            let [tiles, sections] = plans::tiles_and_sections(&program);
            let (outputs, stats) = run::run(program, &plan.run, &self.inputs).map_err(|e| e.to_string())?;
            Ok(Outcome { outputs, tiles, sections, stats })
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panics".to_owned()))
    }
}
