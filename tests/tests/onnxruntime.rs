//! Untiled outputs of random models against what onnxruntime computed.

use std::fs;

use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::text;
use zellige_runtime::engine::Options;
use zellige_runtime::io::Array;
use zellige_tests::onnxruntime::{self, Case, Expected, ExpectedModel, ExpectedOutput, positions};
use zellige_tests::run::{self, describe};
use zellige_tests::{parallel, parameters, plans};

/// How far values may be off, as part of the output's largest: the order of summation is onnxruntime's own.
const TOLERANCE: f64 = 1e-4;
/// The same for the mean of all values, where errors cancel.
const MEAN_TOLERANCE: f64 = 1e-5;

#[test]
fn random_models_give_what_onnxruntime_gives() {
    let text = fs::read_to_string(onnxruntime::path()).expect("the data is in the repository");
    let expected: Expected = serde_json::from_str(&text).expect("the data is well formed");
    assert_eq!(expected.models.len() as u64, onnxruntime::MODELS);
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let results = parallel::map(expected.models.len(), |seed| {
        let case = Case::new(seed as u64, &expected.ops);
        let weights = dir.path().join(format!("{seed}.safetensors"));
        parameters::write(&case.parameters, &weights).map_err(|e| e.to_string())?;
        let options = CompileOptions { weights: Some(weights), ..plans::reference().compile };
        compare(&case, &expected.models[seed], &options)
            .map_err(|e| format!("model of seed {seed}: {e}\n{}", text::print_graph(&case.graph)))
    });
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} models differ:\n{}", failures.len(), failures.join("\n"));
}

fn compare(case: &Case, expected: &ExpectedModel, options: &CompileOptions) -> Result<(), String> {
    if case.hash() != expected.model {
        return Err(
            "it is not the model that the data was made for; see `zellige_tests::onnxruntime`".to_owned()
        );
    }
    let program = run::compile(&case.graph, options).map_err(|d| describe(&d))?;
    let (outputs, _) = run::run(program, &Options::default(), &case.inputs).map_err(|e| e.to_string())?;
    if outputs.len() != expected.outputs.len() {
        return Err(format!("{} outputs", outputs.len()));
    }
    outputs.iter().zip(&expected.outputs).try_for_each(|((name, found), expected)| {
        compare_output(name, found, expected).map_err(|e| format!("output `{name}`: {e}"))
    })
}

fn compare_output(name: &str, found: &Array, expected: &ExpectedOutput) -> Result<(), String> {
    let d = found.dims;
    if *name != expected.name || [d.n, d.c, d.h, d.w] != expected.shape {
        return Err(format!("is {d:?}, expected `{}` {:?}", expected.name, expected.shape));
    }
    for (at, &value) in positions(found.data.len()).zip(&expected.values) {
        let (found, value) = (f64::from(found.data[at]), f64::from(value));
        if !near(found, value, TOLERANCE * expected.largest) {
            return Err(format!(
                "value {at} is {found}, expected {value}; the largest is {}",
                expected.largest
            ));
        }
    }
    let mean = found.data.iter().map(|v| f64::from(v.abs())).sum::<f64>() / found.data.len() as f64;
    if !near(mean, expected.mean, MEAN_TOLERANCE * expected.largest) {
        return Err(format!("the mean of magnitudes is {mean}, expected {}", expected.mean));
    }
    Ok(())
}

/// Whether both are numbers, and not further apart.
fn near(a: f64, b: f64, distance: f64) -> bool {
    (a - b).abs() <= distance
}
