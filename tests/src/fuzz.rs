//! Bodies for fuzzing: each takes any input, and panics where a promise is broken. Fuzz targets call them, and the tests run
//! them for a moment.

mod check;
mod files;
mod lossless;
pub mod mutators;
pub mod seeds;

use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;
use zellige_compiler::base::Bindings;
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::front;
use zellige_compiler::ir::{Graph, text, verify};
use zellige_compiler::passes::{Module, Options as PassOptions, PIPELINE, Wanted, differentiate};
use zellige_grammar::ast::File;
use zellige_grammar::{Diagnostic, SourceFile, has_errors, parse_model, render_text};
use zellige_runtime::engine::{EngineError, EngineKind, Options};
use zellige_runtime::io::Array;
use zellige_runtime::program::format;
use zellige_runtime::program::verify::Limits;
use zellige_runtime::program::{Data, Program, Role};

use crate::plans;
use crate::run::{self, Arrays};

pub use check::check;
pub use files::{array, safetensors};
pub use lossless::lossless;

/// What a program may take that is run here.
const LIMITS: Limits = Limits { sram_bytes: 256 << 10, device_bytes: 1 << 20, work: Some(1 << 24) };
/// Most elements of all inputs and outputs together: those are the caller's, who gives no more.
const MOST_ELEMENTS: u64 = 1 << 18;

/// How far an input got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// It is not of the form.
    Refused,
    /// It can be read, and something is wrong with what it says.
    Rejected,
    /// It did all that there is to do.
    Done,
}

/// A number that follows from an input: what is not part of it is drawn from this.
pub fn seed_of(input: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    hasher.finish()
}

/// As [`program`], mostly with checksums made right: damage is to get past them.
pub fn program_file(bytes: &[u8]) -> Reached {
    let seed = seed_of(bytes);
    let mut bytes = bytes.to_vec();
    if !seed.is_multiple_of(16) {
        format::repair_checksums(&mut bytes);
    }
    program(&bytes, seed)
}

/// Reads, verifies and runs a program. Whatever its bytes are, that neither panics nor touches memory that is not its own (the
/// buffers lie between guards), and both engines give the same bits.
pub fn program(bytes: &[u8], seed: u64) -> Reached {
    match format::read(bytes, |_| Ok(Data::default())) {
        Ok(program) => run_program(&program, seed),
        Err(_) => Reached::Refused,
    }
}

fn run_program(program: &Program, seed: u64) -> Reached {
    let Some(inputs) = inputs(program, seed) else { return Reached::Rejected };
    let options = Options { checked: true, threads: 1, limits: Some(LIMITS), ..Options::default() };
    let native = match run::run(program.clone(), &options, &inputs) {
        Ok((outputs, _)) => outputs,
        Err(error @ EngineError::Panic { .. }) => panic!("{error}"),
        Err(_) => return Reached::Rejected,
    };
    // Code generation takes longer than anything else here.
    if seed.is_multiple_of(4) {
        let options = Options { engine: EngineKind::Jit, ..options };
        let (jit, _) =
            run::run(program.clone(), &options, &inputs).expect("what one engine runs, the other does");
        assert_eq!(run::difference(&native, &jit), None, "native against JIT");
    }
    Reached::Done
}

/// Values for all inputs; `None` if inputs and outputs are more than the caller has.
fn inputs(program: &Program, seed: u64) -> Option<Arrays> {
    let mut rng = Rng::with_seed(seed);
    let mut left = MOST_ELEMENTS;
    let mut inputs = Arrays::new();
    for tensor in &program.tensors {
        if !matches!(tensor.role, Role::Input | Role::Output) {
            continue;
        }
        let elements = tensor.dims.elements()?;
        left = left.checked_sub(elements)?;
        if tensor.role == Role::Input {
            let data = (0..elements).map(|_| rng.f32() * 2.0 - 1.0).collect();
            inputs.push((tensor.name.clone(), Array { dims: tensor.dims, data }));
        }
    }
    Some(inputs)
}

/// Reads a model text, expands it, binds small sizes, and compiles it if there are options to do that with. All of that ends in
/// diagnostics, which can be drawn, or in a result.
pub fn model(text: &str, options: Option<&PassOptions>) -> Reached {
    zellige_grammar::fuzz::model(text);
    let (file, mut diagnostics) = parse_model(text);
    let parsed = !has_errors(&diagnostics);
    let graph = file.and_then(|file| {
        if file.trains().next().is_some() {
            training(&file, text);
        }
        let (graph, more) = front::lower_model(&file);
        diagnostics.extend(more);
        graph
    });
    draw(&diagnostics, text);
    match graph {
        Some(graph) if parsed => bind_and_compile(&graph, text, options),
        _ if parsed => Reached::Rejected,
        _ => Reached::Refused,
    }
}

/// Expands a model with its training section, and differentiates it for small sizes.
fn training(file: &File, text: &str) {
    let (training, diagnostics) = front::lower_training(file);
    draw(&diagnostics, text);
    let Some(training) = training else { return };
    let expanded = small(&training.graph).and_then(|graph| run::expanded(&graph));
    let gradients = expanded.and_then(|graph| {
        let wanted = Wanted { params: graph.params.ids().collect(), inputs: graph.inputs.clone() };
        let loss = graph.outputs.last().map(|output| output.value).expect("a training has a loss");
        differentiate(&graph, loss, &wanted)
    });
    match gradients {
        Ok(graph) => verify::verify(&Module::Graph(graph)).expect("gradients are a graph"),
        Err(diagnostics) => draw(&diagnostics, text),
    }
}

/// The graph for small sizes.
fn small(graph: &Graph) -> Result<Graph, Vec<Diagnostic>> {
    let sizes = graph.symbols().into_iter().enumerate().map(|(i, name)| (name, 16 + 8 * (i as i64 % 2)));
    front::bind(graph, &[], &Bindings::from_iter(sizes)).map(|(graph, _)| graph)
}

fn bind_and_compile(graph: &Graph, text: &str, options: Option<&PassOptions>) -> Reached {
    match small(graph) {
        Ok(graph) => compile(Module::Graph(graph), text, options),
        Err(diagnostics) => {
            draw(&diagnostics, text);
            Reached::Rejected
        }
    }
}

/// Reads IR, verifies it, prints it, and runs the passes that remain.
pub fn ir(text: &str, options: &PassOptions) -> Reached {
    zellige_grammar::fuzz::ir(text);
    match text::parse(text) {
        Ok(module) => compile(module, text, Some(options)),
        Err(diagnostics) => {
            draw(&diagnostics, text);
            Reached::Refused
        }
    }
}

fn compile(module: Module, text: &str, options: Option<&PassOptions>) -> Reached {
    let result = verify::verify(&module).and_then(|()| {
        let printed = text::print(&module);
        assert!(text::parse(&printed).is_ok_and(|again| again == module), "{printed}");
        let Some(options) = options else { return Ok(module) };
        PIPELINE.iter().try_fold(module, |module, pass| {
            if module.level() == pass.level { (pass.run)(module, options) } else { Ok(module) }
        })
    });
    match result {
        Ok(_) => Reached::Done,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            draw(&diagnostics, text);
            Reached::Rejected
        }
    }
}

/// Options that texts are compiled with.
pub fn compile_options() -> PassOptions {
    let compile = CompileOptions { sram: Some(1 << 20), memory: Some(1 << 30), ..plans::reference().compile };
    PassOptions { untiled: false, ..compile.for_passes() }
}

fn draw(diagnostics: &[Diagnostic], text: &str) {
    let drawn = render_text(diagnostics, &SourceFile::new("fuzz", text));
    assert!(!drawn.is_empty() || diagnostics.is_empty());
}
