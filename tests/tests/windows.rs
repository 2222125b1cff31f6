//! Windows of an output, computed from the part of the inputs that they depend on: the bits that they have in the whole.

use std::path::Path;

use zellige_compiler::base::Bindings;
use zellige_compiler::driver::{CompileOptions, Cropped, Model, Observed};
use zellige_compiler::front;
use zellige_compiler::ir::{Graph, Output};
use zellige_grammar::{SourceFile, parse_model};
use zellige_runtime::engine::Options;
use zellige_runtime::io::{Array, Window, WindowSource};
use zellige_runtime::program::{Dims, Interval, Region};
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::{parallel, parameters, plans, random};

/// Strides, phases, sizes that are cut off, borders of every kind, and statistics.
const MODELS: &[&str] = &[
    "model strides(x: f32[1, 2, H, W]) -> (y: f32[1, 4, H/4, W/4]) {
        return x |> conv2d(out: 3, kernel: 3, stride: 2, pad: 1, name: \"a\")
            |> conv2d(out: 4, kernel: 5, stride: 2, pad: 2, name: \"b\");
    }",
    "model unet(x: f32[1, 2, H, W]) -> (y: f32[1, 2, H, W]) {
        let a = conv2d(x, out: 3, kernel: 3, pad: 1, name: \"a\") |> relu;
        let b = a |> max_pool2d(kernel: 2) |> conv2d(out: 4, kernel: 3, pad: 1, name: \"b\") |> max_pool2d(kernel: 2);
        let up = upsample(b, size: [height(a), width(a)], mode: \"bilinear\");
        return concat(up, a) |> conv2d(out: 2, kernel: 3, pad: 1, name: \"c\");
    }",
    "model norms(x: f32[1, 2, H, W]) -> (y: f32[1, 4, H, W], m: f32[1, 4, 1, 1]) {
        let a = conv2d(x, out: 4, kernel: 3, pad: 1, name: \"a\") |> batch_norm(name: \"n\") |> group_norm(groups: 2, name: \"g\");
        let b = conv2d(a, out: 4, kernel: 3, pad: 1, name: \"b\") |> instance_norm;
        let m = global_avg_pool(b);
        return b * sigmoid(m), m;
    }",
    "model reflected(x: f32[1, 2, H, W]) -> (y: f32[1, 2, H, W]) {
        return x |> pad(top: 2, left: 3, bottom: 2, right: 3, mode: \"reflect\") |> avg_pool2d(kernel: 3, stride: 1)
            |> crop(top: 1, left: 1, bottom: 1, right: 3);
    }",
    "model transposed(x: f32[1, 2, H, W]) -> (y: f32[1, 2, 3*H, 3*W]) {
        return conv_transpose2d(x, out: 2, kernel: 3, stride: 3, name: \"t\") |> max_pool2d(kernel: 3, stride: 1, pad: 1);
    }",
];

fn bound(text: &str) -> Graph {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{}", describe(&problems));
    let (graph, problems) = front::lower_model(&file.expect("it parses"));
    assert!(problems.is_empty(), "{}", describe(&problems));
    let sizes = [("H".to_owned(), 92), ("W".to_owned(), 124)];
    let bound = front::bind(&graph.expect("it lowers"), &[], &Bindings::from_iter(sizes));
    bound.unwrap_or_else(|problems| panic!("{}", describe(&problems))).0
}

#[test]
fn windows_of_models_are_those_of_the_whole() {
    for text in MODELS {
        let cut = windows_agree(&bound(text), 1).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(cut > 0, "no input is cut: {text}");
    }
}

#[test]
fn windows_of_random_models_are_those_of_the_whole() {
    let results = parallel::map(60, |seed| {
        let seed = seed as u64;
        windows_agree(&random::model(seed), seed).map_err(|e| format!("model of seed {seed}: {e}"))
    });
    let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// How many inputs of windows are less than the whole.
fn windows_agree(graph: &Graph, seed: u64) -> Result<usize, String> {
    let model = Model::of(graph.clone(), SourceFile::default(), Path::new(""));
    let reference = plans::reference();
    let simple = model.simplify(graph, &reference.compile).map_err(|f| describe(&f.diagnostics))?;
    let observed = Observed::of(simple);
    let case = Case { model, graph, options: &reference.compile, engine: &reference.run };
    let inputs = parameters::inputs(graph, seed);
    let whole = case.run(&observed.graph, &inputs)?;

    let mut rng = fastrand::Rng::with_seed(seed);
    let mut cut = 0;
    for output in &observed.graph.outputs[..graph.outputs.len()] {
        let all = named(&whole, &output.name);
        for window in windows(all.dims, &mut rng) {
            let Some(cropped) = Cropped::new(&observed.graph, output, window) else { continue };
            let source = |name: &str| match observed.statistics.iter().find(|s| s.value == name) {
                Some(statistic) => named(&whole, &statistic.output),
                None => named(&inputs, name),
            };
            let parts = cropped.inputs.iter().map(|(name, region)| {
                let part = part(source(name), *region);
                cut += usize::from(part.dims != source(name).dims);
                (name.clone(), part)
            });
            let found = case.run(&cropped.graph, &parts.collect())?;
            case.compare(output, window, all, &found[0].1, cropped.output)?;
        }
    }
    Ok(cut)
}

struct Case<'a> {
    model: Model,
    graph: &'a Graph,
    options: &'a CompileOptions,
    engine: &'a Options,
}

impl Case<'_> {
    fn run(&self, graph: &Graph, inputs: &Arrays) -> Result<Arrays, String> {
        let compiled = self.model.compile_part(graph, self.graph, self.options);
        let (program, _) = compiled.map_err(|f| describe(&f.diagnostics))?;
        run::run(program, self.engine, inputs).map(|(outputs, _)| outputs).map_err(|e| e.to_string())
    }

    fn compare(
        &self,
        output: &Output,
        window: Region,
        all: &Array,
        found: &Array,
        at: Region,
    ) -> Result<(), String> {
        let inside = Region { y: window.y.shift(-at.y.start), x: window.x.shift(-at.x.start) };
        let pair = |array| vec![(output.name.clone(), array)];
        match run::difference(&pair(part(found, inside)), &pair(part(all, window))) {
            Some(difference) => Err(format!("window {window}: {difference}")),
            None => Ok(()),
        }
    }
}

fn named<'a>(arrays: &'a Arrays, name: &str) -> &'a Array {
    &arrays.iter().find(|(n, _)| n == name).expect("there is such an array").1
}

/// All images and channels of some pixels.
fn part(array: &Array, region: Region) -> Array {
    let dims = Dims { h: region.y.len() as u64, w: region.x.len() as u64, ..array.dims };
    let mut part = Array::zeros(dims, u64::MAX).expect("arrays of tests are small");
    let len = part.data.len() / dims.n as usize;
    for (n, values) in part.data.chunks_mut(len).enumerate() {
        let window = Window { image: n as u64, channels: 0..dims.c, region };
        array.read(&window, values).expect("it is inside");
    }
    part
}

/// The first and the last pixels, and some in between.
fn windows(dims: Dims, rng: &mut fastrand::Rng) -> Vec<Region> {
    let mut interval = |extent: u64, end: Option<bool>| {
        let (extent, len) = (extent as i64, rng.i64(1..=9).min(extent as i64));
        let start = match end {
            Some(false) => 0,
            Some(true) => extent - len,
            None => rng.i64(0..=extent - len),
        };
        Interval::new(start, start + len)
    };
    let places =
        [(Some(false), Some(true)), (Some(true), Some(false)), (None, None), (None, None), (None, None)];
    places.map(|(y, x)| Region { y: interval(dims.h, y), x: interval(dims.w, x) }).to_vec()
}
