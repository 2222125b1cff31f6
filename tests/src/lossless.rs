//! Graphs under random plans: the same bits as untiled on the reference engine.

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use fastrand::Rng;
use zellige_compiler::ir::{Graph, text};
use zellige_runtime::engine::RunStats;

use crate::parameters::{self, Parameter};
use crate::plans::{self, Plan};
use crate::run::{self, Arrays, describe};
use crate::{parallel, shrink};

/// Graphs that are drawn, and plans of each.
pub struct Suite<'a> {
    /// What they are called.
    pub name: &'a str,
    /// Their seeds; `ZELLIGE_MODELS` asks for more, or for others.
    pub models: Range<u64>,
    /// Of each; `ZELLIGE_PLANS` asks for more.
    pub plans: usize,
    /// The graph of a seed; all its sizes are known.
    pub draw: fn(u64) -> Graph,
    /// Where smaller graphs that fail are written.
    pub folder: &'a Path,
}

impl Suite<'_> {
    /// Runs all of them, and tells how many plans have at least 4 tiles and 2 sections.
    ///
    /// # Panics
    ///
    /// Where a plan gives other bits, takes more memory than was planned or is refuted, or where too few plans cut anything.
    pub fn run(&self) {
        let (seeds, plans) = (self.seeds(), self.plans());
        let models = seeds.len();
        let results = parallel::map(models, |i| self.is_lossless(seeds[i], plans));
        let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
        assert!(failures.is_empty(), "{} of {models} models:\n{}", failures.len(), failures.join("\n"));

        let cut: usize = results.iter().flatten().sum();
        let share = 100.0 * cut as f64 / (models * plans) as f64;
        let name = self.name;
        let message =
            format!("{name}: {share:.1} % of {models} x {plans} plans have 4 tiles and 2 sections or more");
        eprintln!("{message}");
        assert!(share >= 80.0, "{message}");
    }

    fn plans(&self) -> usize {
        std::env::var("ZELLIGE_PLANS").map_or(self.plans, |n| n.parse().expect("ZELLIGE_PLANS is a number"))
    }

    fn seeds(&self) -> Vec<u64> {
        let Ok(range) = std::env::var("ZELLIGE_MODELS") else { return self.models.clone().collect() };
        let (from, to) = range.split_once("..").expect("ZELLIGE_MODELS is a range such as 1000..2000");
        let number = |text: &str| text.parse().expect("ZELLIGE_MODELS is a range such as 1000..2000");
        (number(from)..number(to)).collect()
    }

    /// How many of the plans have at least 4 tiles and 2 sections.
    fn is_lossless(&self, seed: u64, plans: usize) -> Result<usize, String> {
        let draw = || (self.draw)(seed);
        let graph = catch_unwind(draw).map_err(|_| format!("model of seed {seed} cannot be drawn"))?;
        let report = |plan: &Plan, what: String| {
            let smaller = self.smaller(&graph, seed, plan);
            format!("model of seed {seed}: {what}\n  {plan}\n{}{smaller}", text::print_graph(&graph))
        };
        let case = Case::new(&graph, seed);
        let reference = plans::reference();
        let expected = case.run(&reference).map_err(|e| report(&reference, e))?.outputs;
        let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
        let mut rng = Rng::with_seed(seed);
        let mut cut = 0;
        for _ in 0..plans {
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

    /// Where a smaller model is that fails as well, if there is one.
    fn smaller(&self, graph: &Graph, seed: u64, plan: &Plan) -> String {
        let small = shrink::shrink(graph, |g| fails(g, seed, plan));
        if small.ops.len() == graph.ops.len() {
            return String::new();
        }
        let path = self.folder.join(format!("{}-{seed}.zir", self.name));
        match fs::write(&path, format!("// {plan}\n{}", text::print_graph(&small))) {
            Ok(()) => format!("{} ops of it that fail: {}\n", small.ops.len(), path.display()),
            Err(error) => format!("{}: {error}\n", path.display()),
        }
    }
}

/// Whether a graph that can be compiled gives other bits under the plan, or none. Budgets and names of ops are those of another
/// graph and left out.
fn fails(graph: &Graph, seed: u64, plan: &Plan) -> bool {
    let Ok(canonical) = run::canonical(graph) else { return false };
    let mut plan = plan.clone();
    plan.compile.sram = Some(u64::MAX);
    plan.compile.cut_after.retain(|name| canonical.values.iter().any(|(_, v)| v.name == *name));
    if plan.compile.memory != Some(u64::MAX) {
        plan.compile.memory = plans::smallest_memory(&canonical, &plan.compile);
    }
    if run::compile(graph, &plan.compile).is_err() {
        return false;
    }
    let case = Case::new(graph, seed);
    match (case.run(&plans::reference()), case.run(&plan)) {
        (Ok(expected), Ok(found)) => run::difference(&found.outputs, &expected.outputs).is_some(),
        _ => true,
    }
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

impl<'a> Case<'a> {
    /// With the values of a seed.
    fn new(graph: &'a Graph, seed: u64) -> Self {
        let mut inputs = parameters::inputs(graph, seed);
        if seed % 4 == 3 {
            parameters::make_odd(&mut inputs, seed);
        }
        Self { graph, parameters: parameters::draw(graph, seed), inputs }
    }

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
