//! Random legal plans: every choice that a user has and that may change no bit.

use std::fmt;

use fastrand::Rng;
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::{Graph, Materialize, Module, Overlap, Padding};
use zellige_compiler::passes;
use zellige_runtime::engine::{EngineKind, Isa, Options};
use zellige_runtime::machine::Machine;
use zellige_runtime::program::Program;

/// Most tiles that the largest tensor is cut into: tests are to run in seconds.
const MOST_TILES: u64 = 240;

/// How to compile, and how to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How to compile.
    pub compile: CompileOptions,
    /// How to run.
    pub run: Options,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (compile, run) = (&self.compile, &self.run);
        write!(
            f,
            "tile {:?}, sram {:?}, memory {:?}, cut after {:?}, materialize {:?}, overlap {:?}, padding {:?}, engine {:?}, isa {:?}, {} threads, checked {}",
            compile.tile,
            compile.sram,
            compile.memory,
            compile.cut_after,
            compile.materialize,
            compile.overlap,
            compile.padding,
            run.engine,
            run.isa,
            run.threads,
            run.checked
        )
    }
}

/// The reference: one tile a section, cuts only where they must be, on the reference engine.
pub fn reference() -> Plan {
    let compile = CompileOptions { untiled: true, ..options() };
    Plan { compile, run: Options { engine: EngineKind::Jit, threads: 1, ..Options::default() } }
}

fn options() -> CompileOptions {
    CompileOptions::new(Machine::builtin("tiny").expect("`tiny` is built in"))
}

/// A plan that a graph can be compiled with. The graph has been through `canonicalize`: what that drops cannot be named.
pub fn plan(graph: &Graph, rng: &mut Rng) -> Plan {
    let mut compile = options();
    compile.memory = Some(u64::MAX);
    compile.sram = Some(u64::MAX);
    compile.threads = Some(rng.u32(1..=3));
    compile.cut_after = cut_after(graph, rng);
    compile.overlap =
        [None, Some(Overlap::Recompute), Some(Overlap::Reuse), Some(Overlap::Reuse)][rng.usize(0..4)];
    let ways = [Materialize::Keep, Materialize::Tiles, Materialize::Recompute].map(Some);
    compile.materialize = [None, ways[0], ways[1], ways[2]][rng.usize(0..4)];
    compile.padding = if rng.u8(0..4) == 0 { Padding::Pre } else { Padding::Post };
    if rng.u8(0..5) > 0 {
        compile.tile = Some(tile(graph, rng));
    }
    let options = compile.for_passes();
    if let Some([sram, _]) = options.smallest_budgets(&materialized(graph, &options)) {
        // From the least that is said to do.
        let factor = [1.0, 1.0, 1.5, 3.0, 8.0][rng.usize(0..5)];
        compile.sram = Some((sram as f64 * factor) as u64);
    }
    if compile.materialize.is_some() && rng.u8(0..3) == 0 {
        let factor = [1.0, 1.0, 1.2, 2.0][rng.usize(0..4)];
        compile.memory = smallest_memory(graph, &compile).map(|memory| (memory as f64 * factor) as u64);
    }
    Plan { compile, run: run(rng) }
}

/// The least device memory that is said to do, with tensors in files. It is that of a graph in which it is settled what is computed
/// again.
pub fn smallest_memory(graph: &Graph, compile: &CompileOptions) -> Option<u64> {
    let options = compile.for_passes();
    options.smallest_budgets(&materialized(graph, &options)).map(|[_, memory]| memory)
}

/// The graph with what is computed again.
fn materialized(graph: &Graph, options: &passes::Options) -> Graph {
    let pass = passes::find("recompute").expect("it is a pass");
    match (pass.run)(Module::Graph(graph.clone()), options) {
        Ok(Module::Graph(graph)) => graph,
        other => unreachable!("it makes a graph of a graph, not {other:?}"),
    }
}

fn run(rng: &mut Rng) -> Options {
    let isas = Isa::available();
    Options {
        engine: if rng.u8(0..3) == 0 { EngineKind::Jit } else { EngineKind::Native },
        isa: Some(isas[rng.usize(0..isas.len())]),
        threads: rng.usize(1..=3),
        checked: rng.bool(),
        ..Options::default()
    }
}

/// A few ops by the names of their values.
fn cut_after(graph: &Graph, rng: &mut Rng) -> Vec<String> {
    let ops: Vec<_> = graph.ops.ids().collect();
    let name = |rng: &mut Rng| graph.values[graph.ops[ops[rng.usize(0..ops.len())]].output].name.clone();
    (0..rng.usize(1..=4)).map(|_| name(rng)).collect()
}

/// A tile for all sections: of a size that cuts the largest tensor into a few parts, a single row or column, or anything.
fn tile(graph: &Graph, rng: &mut Rng) -> [u64; 2] {
    let sizes = || graph.ops.iter().filter_map(|(_, node)| graph.sizes(node.output));
    let [h, w] = [2, 3].map(|axis| sizes().map(|s| s[axis]).max().unwrap_or(1));
    let mut along = |extent: u64| match rng.u8(0..10) {
        0 => 1,
        1 => extent + rng.u64(0..9),
        2 => rng.u64(1..=extent),
        _ => extent.div_ceil(rng.u64(2..=6)),
    };
    let mut tile = [along(h), along(w)];
    while h.div_ceil(tile[0]) * w.div_ceil(tile[1]) > MOST_TILES {
        let smaller = usize::from(tile[0] > tile[1]);
        tile[smaller] *= 2;
    }
    tile
}

/// Tiles of all sections together, and the number of sections.
pub fn tiles_and_sections(program: &Program) -> [u64; 2] {
    let tiles = program.sections.iter().map(|s| s.images * s.y.steps * s.x.steps).sum();
    [tiles, program.sections.len() as u64]
}
