//! Statistics over space and normalisations against their definitions in f64.

use indexmap::IndexMap;
use zellige_compiler::base::{Shape, TensorType, ValueId};
use zellige_compiler::ir::{Graph, Output};
use zellige_compiler::ops::{ArgValue, Args, Sizes, find};
use zellige_grammar::Span;
use zellige_runtime::engine::Options;
use zellige_runtime::io::Array;
use zellige_tests::parameters::{self, Parameter};
use zellige_tests::run::{self, describe};
use zellige_tests::{parallel, plans};

/// Largest difference, relative to the largest value.
const TOLERANCE: f64 = 1e-6;
const EPS: f64 = 1e-5;

/// Shapes: one pixel, several images, less than a grain, cut grains, one row.
const SHAPES: [Sizes; 6] =
    [[1, 6, 1, 1], [3, 6, 1, 1], [2, 6, 5, 7], [1, 12, 37, 19], [3, 6, 50, 9], [1, 24, 1, 70]];

/// An op with its definition: from a channel's input and number, and all of the input, to its output.
struct Case {
    op: &'static str,
    /// Groups of channels that are looked at together, where the op takes such an argument.
    groups: Option<i64>,
    /// That argument, where it is given.
    affine: Option<bool>,
    define: fn(&Population, f64) -> f64,
}

/// What values of a channel are looked at together, and the channel's parameters.
struct Population {
    mean: f64,
    variance: f64,
    largest: f64,
    sum: f64,
    weight: f64,
    bias: f64,
}

fn normalised(p: &Population, x: f64) -> f64 {
    (x - p.mean) / (p.variance + EPS).sqrt() * p.weight + p.bias
}

const CASES: [Case; 9] = [
    Case { op: "global_avg_pool", groups: None, affine: None, define: |p, _| p.mean },
    Case { op: "global_max_pool", groups: None, affine: None, define: |p, _| p.largest },
    Case { op: "mean", groups: None, affine: None, define: |p, _| p.mean },
    Case { op: "sum", groups: None, affine: None, define: |p, _| p.sum },
    Case { op: "instance_norm", groups: None, affine: None, define: normalised },
    Case { op: "instance_norm", groups: None, affine: Some(true), define: normalised },
    Case { op: "group_norm", groups: Some(3), affine: None, define: normalised },
    Case { op: "group_norm", groups: Some(1), affine: None, define: normalised },
    Case { op: "group_norm", groups: Some(6), affine: Some(false), define: normalised },
];

impl Case {
    /// How many of so many channels are looked at together.
    fn group(&self, channels: usize) -> usize {
        self.groups.map_or(1, |groups| channels / groups as usize)
    }

    fn graph(&self, sizes: Sizes) -> Graph {
        let mut args: IndexMap<String, ArgValue> = IndexMap::new();
        args.extend(self.groups.map(|groups| ("groups".to_owned(), ArgValue::Int(groups))));
        args.extend(self.affine.map(|affine| ("affine".to_owned(), ArgValue::Bool(affine))));
        if ["mean", "sum"].contains(&self.op) {
            let axes = vec![ArgValue::Int(2), ArgValue::Int(3)];
            args.insert("axes".to_owned(), ArgValue::List(axes));
        }
        let mut net = net(sizes);
        let x = net.inputs[0];
        let y = add(&mut net, self.op, args, x, "norm");
        give(&mut net, y);
        net
    }

    /// Values of the output for those of the input, both as f64.
    fn expected(&self, sizes: Sizes, parameters: &[Parameter], x: &[f64]) -> Vec<f64> {
        let [n, c, h, w] = sizes.map(|s| s as usize);
        let group = self.group(c);
        let pixels = h * w;
        let parameter = |suffix: &str, c: usize, otherwise: f64| {
            let found = parameters.iter().find(|p| p.name == format!("norm.{suffix}"));
            found.map_or(otherwise, |p| p.values[c].into())
        };
        let mut y = Vec::new();
        for (image, channel) in (0..n).flat_map(|n| (0..c).map(move |c| (n, c))) {
            let first = (image * c + channel / group * group) * pixels;
            let together = &x[first..first + group * pixels];
            let sum: f64 = together.iter().sum();
            let mean = sum / together.len() as f64;
            let variance = together.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / together.len() as f64;
            let population = Population {
                mean,
                variance,
                sum,
                largest: together.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                weight: parameter("weight", channel, 1.0),
                bias: parameter("bias", channel, 0.0),
            };
            let own = &x[(image * c + channel) * pixels..][..pixels];
            y.extend(own.iter().map(|&x| (self.define)(&population, x)));
        }
        y
    }
}

fn net(sizes: Sizes) -> Graph {
    let mut graph = Graph { name: "norm".into(), ..Graph::default() };
    let [n, c, h, w] = sizes.map(|s| s as i64);
    graph.add_input("x", TensorType::f32(Shape::new(n, c, h, w)));
    graph
}

fn add(graph: &mut Graph, op: &str, args: IndexMap<String, ArgValue>, x: ValueId, path: &str) -> ValueId {
    let op =
        (find(op).expect("there is such an op").build)(&Args::new(args)).expect("it takes the arguments");
    graph.add_op(path, op, vec![x], path, Span::default()).expect("it takes the shape")
}

fn give(graph: &mut Graph, value: ValueId) {
    let ty = graph.values[value].ty.clone();
    graph.outputs.push(Output { name: "y".into(), value, ty });
}

fn run(graph: &Graph, parameters: &[Parameter], x: &Array) -> Vec<f32> {
    let mut program =
        run::compile(graph, &plans::reference().compile).unwrap_or_else(|d| panic!("{}", describe(&d)));
    parameters::attach(&mut program, parameters);
    let inputs = vec![("x".to_owned(), x.clone())];
    let (mut outputs, _) = run::run(program, &Options::default(), &inputs).expect("a compiled program runs");
    outputs.remove(0).1.data
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    let largest = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let close = (f64::from(f) - e).abs() <= TOLERANCE * largest;
        assert!(close, "{what}: value {i} is {f}, not {e}");
    }
}

/// Kinds of values: around 0; a small deviation from a large mean; all the same in a channel.
fn input(graph: &Graph, kind: usize, seed: u64) -> Array {
    let (_, mut x) = parameters::inputs(graph, seed).remove(0);
    let pixels = (x.dims.h * x.dims.w) as usize;
    for (i, value) in x.data.iter_mut().enumerate() {
        *value = match kind {
            0 => *value,
            1 => 1e4 + *value,
            _ => 0.1 + (i / pixels) as f32,
        };
    }
    x
}

#[test]
fn statistics_and_normalisations_are_what_they_are_defined_to_be() {
    let cases: Vec<_> =
        CASES.iter().flat_map(|case| SHAPES.into_iter().map(move |sizes| (case, sizes))).collect();
    parallel::map(cases.len(), |i| {
        let (case, sizes) = cases[i];
        let graph = case.graph(sizes);
        let parameters = parameters::draw(&graph, i as u64);
        for kind in 0..3 {
            let x = input(&graph, kind, i as u64);
            let found = run(&graph, &parameters, &x);
            let in_f64: Vec<f64> = x.data.iter().map(|&v| v.into()).collect();
            let all = case.expected(sizes, &parameters, &in_f64);
            // A reduction gives one value where a normalisation gives as many as there are pixels.
            let expected: Vec<f64> = all.chunks(all.len() / found.len()).map(|c| c[0]).collect();
            let expected = if found.len() == all.len() { all } else { expected };
            assert_close(&found, &expected, &format!("{} of {sizes:?}, kind {kind}", case.op));
        }
    });
}

#[test]
fn what_is_not_finite_reaches_all_that_depends_on_it_and_nothing_else() {
    let sizes = [1, 6, 20, 20];
    for case in CASES.iter().filter(|case| case.op.ends_with("_norm")) {
        let graph = case.graph(sizes);
        let parameters = parameters::draw(&graph, 3);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = input(&graph, 0, 3);
            x.data[1000] = odd;
            let found = run(&graph, &parameters, &x);
            let group = case.group(6);
            for (i, value) in found.iter().enumerate() {
                let touched = i / 400 / group == 2 / group;
                assert_eq!(value.is_nan(), touched, "{} with {odd}: value {i}", case.op);
            }
        }
    }
}

/// Batch normalisation after nothing that absorbs it, and after convolutions.
#[test]
fn batch_normalisation_is_what_it_is_defined_to_be() {
    let sizes = [2, 6, 9, 11];
    for (before, args) in
        [("relu", vec![]), ("conv2d", conv_args(false)), ("conv_transpose2d", conv_args(true))]
    {
        let mut graph = net(sizes);
        let x = graph.inputs[0];
        let a = add(&mut graph, before, args.into_iter().collect(), x, "before");
        let mut alone = graph.clone();
        give(&mut alone, a);
        let y = add(&mut graph, "batch_norm", IndexMap::new(), a, "norm");
        give(&mut graph, y);

        let parameters = parameters::draw(&graph, 11);
        let x = input(&graph, 0, 11);
        let found = run(&graph, &parameters, &x);
        let unscaled = run(&alone, &parameters, &x);
        let of = |suffix: &str| {
            let found = parameters.iter().find(|p| p.name == format!("norm.{suffix}"));
            &found.expect("batch_norm has the parameter").values
        };
        let [w, b, m, v] = ["weight", "bias", "running_mean", "running_var"].map(of);
        let pixels = unscaled.len() / (2 * w.len());
        let expected: Vec<f64> = (unscaled.iter().enumerate())
            .map(|(i, &x)| {
                let c = i / pixels % w.len();
                let [w, b, m, v] = [w[c], b[c], m[c], v[c]].map(f64::from);
                (f64::from(x) - m) / (v + EPS).sqrt() * w + b
            })
            .collect();
        assert_close(&found, &expected, before);
        let names: Vec<_> =
            run::canonical(&graph).expect("it is legal").ops.iter().map(|(_, node)| node.op.name()).collect();
        let scaled = if before == "relu" { vec!["relu", "scale_shift"] } else { vec![before] };
        assert_eq!(names, scaled);
    }
}

fn conv_args(bias: bool) -> Vec<(String, ArgValue)> {
    let int = |name: &str, value| (name.to_owned(), ArgValue::Int(value));
    vec![
        int("out", 6),
        int("kernel", 3),
        int("pad", 1),
        int("groups", 2),
        ("bias".to_owned(), ArgValue::Bool(bias)),
    ]
}
