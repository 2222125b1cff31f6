//! Where fuzzing begins: inputs that nothing is wrong with.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use zellige_compiler::ir::text;
use zellige_compiler::passes::{Module, PIPELINE};
use zellige_runtime::io::{self, Array, Format};
use zellige_runtime::program::{Dims, Program, format, sample};

use crate::run::{self, describe};
use crate::{plans, random};

/// Largest file of the repository that is taken.
const LARGEST: u64 = 64 << 10;

/// Small programs with values for their weights.
pub fn programs() -> Vec<Program> {
    let mut programs = vec![sample::two_sections(), sample::every_instruction()];
    for seed in 0..40 {
        let graph = random::model(seed);
        let canonical = run::canonical(&graph).expect("random models are legal");
        let elements: u64 =
            graph.values.ids().filter_map(|v| graph.sizes(v)).map(|s| s.iter().product::<u64>()).sum();
        if elements < 30_000 {
            let plan = plans::plan(&canonical, &mut Rng::with_seed(seed));
            programs.push(run::compile(&graph, &plan.compile).unwrap_or_else(|d| panic!("{}", describe(&d))));
        }
    }
    programs
}

/// A program as a file.
pub fn bytes_of(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::new();
    format::write(program, &mut bytes, format::Weights::Embedded).expect("memory takes all that is written");
    bytes
}

/// Small graphs after some of the passes.
pub fn ir() -> Vec<String> {
    let mut texts = Vec::new();
    for seed in 0..40 {
        let graph = random::model(seed);
        let printed = text::print_graph(&graph);
        if printed.len() > 8000 {
            continue;
        }
        texts.push(printed);
        let canonical = run::canonical(&graph).expect("random models are legal");
        let options = plans::plan(&canonical, &mut Rng::with_seed(seed)).compile.for_passes();
        let mut module = Module::Graph(graph);
        for pass in PIPELINE {
            module = (pass.run)(module, &options).unwrap_or_else(|d| panic!("{}", describe(&d)));
            if seed % PIPELINE.len() as u64 == 0 || pass.name == "section-cut" || pass.name == "lower" {
                texts.push(text::print(&module));
            }
        }
    }
    texts
}

/// Model texts of the repository.
pub fn models() -> Vec<String> {
    let texts = repository("zlg").into_iter().map(String::from_utf8);
    texts.map(|text| text.expect("models are UTF-8")).collect()
}

/// Small images and arrays in a format.
pub fn arrays(format: Format) -> Vec<Vec<u8>> {
    match format {
        Format::Png => [repository("png"), written(format, [1, 3])].concat(),
        Format::Npy => [repository("npy"), written(format, [2, 5])].concat(),
        Format::Jpeg => repository("jpg"),
    }
}

/// Small files of weights.
pub fn safetensors() -> Vec<Vec<u8>> {
    repository("safetensors")
}

fn written(format: Format, channels: [u64; 2]) -> Vec<Vec<u8>> {
    let file = |c| {
        let dims = Dims { n: 1, c, h: 7, w: 9 };
        let data = (0..c * 63).map(|i| (i * 37 % 256) as f32 / 255.0).collect();
        let mut bytes = Vec::new();
        io::encode(format, &Array { dims, data }, &mut bytes).expect("the format takes such an array");
        bytes
    };
    channels.into_iter().map(file).collect()
}

/// Contents of the repository's small files that end in `extension`, in order.
fn repository(extension: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let mut paths = Vec::new();
    for folder in ["examples", "tests/data", "runtime/src/io/testdata"] {
        files(&root.join(folder), extension, &mut paths);
    }
    paths.iter().map(|path| fs::read(path).expect("it was listed")).collect()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension)
            && entry.metadata().is_ok_and(|m| m.len() <= LARGEST)
        {
            found.push(path);
        }
    }
}
