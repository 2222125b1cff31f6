//! Every row of the table of activations, as its expression is run, against its reference in f64.

use fastrand::Rng;
use indexmap::IndexMap;
use zellige_compiler::base::{Shape, TensorType};
use zellige_compiler::ir::{Graph, Output};
use zellige_compiler::ops::{ACTIVATIONS, Activation, ActivationArg, ArgValue, Args, find};
use zellige_grammar::Span;
use zellige_runtime::engine::{EngineKind, Isa, Options};
use zellige_runtime::io::Array;
use zellige_runtime::program::Dims;
use zellige_tests::parameters::{self, Parameter};
use zellige_tests::plans;
use zellige_tests::run::{self, describe};

/// A result may be off by this much of the reference …
const RELATIVE: f64 = 2e-6;
/// … and by this much besides: one unit in the last place of 1, which differences of numbers around 1 lose.
const ABSOLUTE: f64 = 1.2e-7;
/// Channels, each with parameters of its own.
const CHANNELS: u64 = 3;
/// Sets of arguments: the defaults, then drawn ones.
const ROUNDS: u64 = 6;

#[test]
fn every_activation_is_what_its_reference_says() {
    let samples = samples();
    for row in ACTIVATIONS {
        let mut rng = Rng::with_seed(17);
        let mut checked = 0;
        for round in 0..ROUNDS {
            let args: Vec<f32> = row.args.iter().map(|&(_, arg)| argument(arg, round, &mut rng)).collect();
            // Some arguments an op does not take.
            if let Some(graph) = graph(row, &args, samples.len()) {
                check(row, &graph, &args, round, &samples);
                checked += 1;
            }
        }
        assert!(checked > 0, "{} takes no arguments that were tried", row.name);
    }
}

/// Dense around zero, wide beyond, and NaN. Where squares and cubes of values overflow, formulas of one function differ.
fn samples() -> Vec<f32> {
    let dense = (-4000..=4000).map(|i| i as f32 * 0.005);
    let wide = (-140..=40).flat_map(|e| [1.0, -1.0].map(|sign| sign * 1.37 * (e as f32).exp2()));
    dense.chain(wide).chain([0.0, -0.0, f32::NAN]).collect()
}

/// The default in the first round; later, or where there is none, a number that suits most, or a word.
fn argument(arg: ActivationArg, round: u64, rng: &mut Rng) -> f32 {
    match arg {
        ActivationArg::Number(default) if round == 0 => default,
        ActivationArg::Word(words) => (round % words.len() as u64) as f32,
        _ => (0.1 + 2.0 * rng.f32()) * if rng.u8(0..4) == 0 { -1.0 } else { 1.0 },
    }
}

fn check(row: &Activation, graph: &Graph, args: &[f32], round: u64, samples: &[f32]) {
    let parameters = parameters::draw(graph, round);
    let dims = Dims { n: 1, c: CHANNELS, h: 1, w: samples.len() as u64 };
    let data = samples.iter().cycle().take(samples.len() * CHANNELS as usize).copied().collect();
    let inputs = vec![("x".to_owned(), Array { dims, data })];

    let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
    let native = |isa| Options { isa: Some(isa), threads: 1, ..Options::default() };
    let engines = [vec![jit], Isa::available().into_iter().map(native).collect()].concat();
    let outputs = engines.iter().map(|options| {
        let mut program =
            run::compile(graph, &plans::reference().compile).unwrap_or_else(|d| panic!("{}", describe(&d)));
        parameters::attach(&mut program, &parameters);
        run::run(program, options, &inputs).expect("a compiled program runs").0
    });
    let outputs: Vec<_> = outputs.collect();
    for (options, found) in engines.iter().zip(&outputs).skip(1) {
        assert_eq!(
            run::difference(found, &outputs[0]),
            None,
            "{}{args:?}: {:?} against JIT",
            row.name,
            options.isa
        );
    }
    let found = outputs[0][0].1.data.chunks_exact(samples.len());
    for (channel, found) in found.enumerate() {
        let args: Vec<f64> = args.iter().copied().map(f64::from).collect();
        let params = of_channel(&parameters, channel);
        for (&x, &found) in samples.iter().zip(found) {
            let reference = (row.reference)(x.into(), &args, &params);
            let agrees = x.is_nan() && found.is_nan() || agree(found, reference);
            assert!(
                agrees,
                "{}({x:?}), {args:?} {params:?}: {found:?}, the reference is {reference:?}",
                row.name
            );
        }
    }
}

/// `None` if the op does not take such arguments.
fn graph(row: &Activation, args: &[f32], width: usize) -> Option<Graph> {
    let named = row.args.iter().zip(args).map(|(&(name, arg), &value)| {
        let value = match arg {
            ActivationArg::Word(words) => ArgValue::Text(words[value as usize].to_owned()),
            _ => ArgValue::Float(value.into()),
        };
        (name.to_owned(), value)
    });
    let op = (find(row.name)?.build)(&Args::new(IndexMap::from_iter(named))).ok()?;
    let mut graph = Graph { name: row.name.to_owned(), ..Graph::default() };
    let ty = TensorType::f32(Shape::new(1, CHANNELS as i64, 1, width as i64));
    let x = graph.add_input("x", ty.clone());
    let value = graph.add_op("y", op, vec![x], "y", Span::default()).ok()?;
    graph.outputs.push(Output { name: "y".to_owned(), value, ty });
    Some(graph)
}

fn of_channel(parameters: &[Parameter], channel: usize) -> Vec<f64> {
    parameters.iter().map(|p| p.values[channel].into()).collect()
}

/// Whether a value is the reference within the tolerance; beyond f32's range that is an infinity.
fn agree(found: f32, reference: f64) -> bool {
    if reference.is_nan() || (reference as f32).is_infinite() {
        return found.is_nan() == reference.is_nan() && (found.is_nan() || found == reference as f32);
    }
    (f64::from(found) - reference).abs() <= RELATIVE * reference.abs() + ABSOLUTE
}
