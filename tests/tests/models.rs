//! The trained models of `examples/`: close to what onnxruntime gives, and the same bits under every plan.

use std::path::{Path, PathBuf};

use zellige_compiler::base::Bindings;
use zellige_compiler::driver::{CompileOptions, Model, Opened, Pipeline};
use zellige_compiler::ir::Module;
use zellige_compiler::passes::PIPELINE;
use zellige_runtime::engine::{EngineKind, Isa, Options};
use zellige_runtime::io::{self, Array, ReadOptions};
use zellige_runtime::machine::Machine;
use zellige_runtime::program::Dims;
use zellige_tests::run::{Arrays, difference, run};

/// A trained model, an image it takes, what onnxruntime makes of it, and the size of a crop for slow kernels.
struct Trained {
    name: &'static str,
    image: &'static str,
    expected: &'static str,
    crop: [u64; 2],
}

const ANIMEVIDEO: Trained = Trained {
    name: "animevideo-x4",
    image: "eye-48x64.png",
    expected: "eye-48x64.expected.npy",
    crop: [9, 14],
};
const CUNET: Trained = Trained {
    name: "cunet-x2",
    image: "cat-112x152.png",
    expected: "cat-112x152.cunet-x2.expected.npy",
    crop: [38, 41],
};
const UPCONV7: Trained = Trained {
    name: "upconv7-photo-x2",
    image: "cat-112x152.png",
    expected: "cat-112x152.upconv7-photo-x2.expected.npy",
    crop: [17, 22],
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> Array {
    io::read(path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn open(path: &Path) -> Model {
    match Opened::open(path) {
        Ok(Opened::Model(model)) => *model,
        other => panic!("{}: {other:?}", path.display()),
    }
}

impl Trained {
    fn model(&self) -> Model {
        open(&root().join("examples").join(self.name).join(format!("{}.zlg", self.name)))
    }

    fn image(&self) -> Array {
        read(&root().join("tests/data/images").join(self.image))
    }

    /// Runs the model on an image.
    fn run(&self, image: &Array, compile: &CompileOptions, options: &Options) -> Arrays {
        let model = self.model();
        let d = image.dims;
        let given = vec![("image".to_owned(), [d.n, d.c, d.h, d.w])];
        let graph = model.bind(&given, &Bindings::default()).unwrap_or_else(|e| panic!("{e:?}"));
        let (program, _) = model.compile(&graph, compile).unwrap_or_else(|e| panic!("{e:?}"));
        run(program, options, &vec![("image".to_owned(), image.clone())]).unwrap_or_else(|e| panic!("{e}")).0
    }

    fn reference(&self, image: &Array) -> Arrays {
        self.run(image, &CompileOptions { untiled: true, ..host() }, &engine(EngineKind::Jit, None, 1, false))
    }

    fn is_close_to_onnxruntime(&self) {
        let expected = read(&root().join("tests/data/images").join(self.expected));
        for kind in [EngineKind::Native, EngineKind::Jit] {
            let outputs = self.run(&self.image(), &host(), &engine(kind, None, 2, false));
            let found = &outputs[0].1;
            assert_eq!(found.dims, expected.dims);
            let worst = found.data.iter().zip(&expected.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{} on {kind:?}: at most {worst:e} from onnxruntime", self.name);
            assert!(worst <= 1e-4, "{} on {kind:?}: {worst}", self.name);
        }
    }

    /// Eight plans, each with one and with two threads; engines, instruction sets and checked mode take turns so that every
    /// pair of a plan's half and an engine occurs.
    fn is_the_same_under_every_plan(&self) {
        let (image, crop) = (self.image(), crop(&self.image(), self.crop));
        let (whole, part) = (self.reference(&image), self.reference(&crop));
        let fast: Vec<Isa> = Isa::available().into_iter().filter(|isa| *isa != Isa::Portable).collect();
        for (row, (plan, threads)) in plans().iter().flat_map(|p| [(p, 1), (p, 2)]).enumerate() {
            let checked = row % 3 == 2;
            let (options, slow) = match row % 8 {
                3 => (engine(EngineKind::Jit, None, threads, checked), false),
                6 => (engine(EngineKind::Native, Some(Isa::Portable), threads, checked), true),
                _ if fast.is_empty() => (engine(EngineKind::Native, None, threads, checked), true),
                turn => (engine(EngineKind::Native, Some(fast[turn % fast.len()]), threads, checked), false),
            };
            let (image, expected) = if slow { (&crop, &part) } else { (&image, &whole) };
            let found = self.run(image, plan, &options);
            let difference = difference(&found, expected);
            assert!(
                difference.is_none(),
                "{} {plan:?} {options:?}: {}",
                self.name,
                difference.unwrap_or_default()
            );
        }
    }
}

fn host() -> CompileOptions {
    CompileOptions::new(Machine::builtin("host").expect("`host` is built in"))
}

fn engine(engine: EngineKind, isa: Option<Isa>, threads: usize, checked: bool) -> Options {
    Options { engine, isa, threads, checked, ..Options::default() }
}

/// The plan that the compiler chooses, four tiles that are forced on it, and three small memories.
fn plans() -> Vec<CompileOptions> {
    let tiles = [[16, 16], [7, 13], [64, 5], [1, 1000]].map(|t| CompileOptions { tile: Some(t), ..host() });
    let srams = [128 << 10, 256 << 10, 2 << 20].map(|s| CompileOptions { sram: Some(s), ..host() });
    [vec![host()], tiles.into(), srams.into()].concat()
}

/// The top left of an image.
fn crop(image: &Array, [h, w]: [u64; 2]) -> Array {
    let d = image.dims;
    let row = |c: u64, y: u64| {
        let start = ((c * d.h + y) * d.w) as usize;
        image.data[start..start + w as usize].iter().copied()
    };
    let data = (0..d.c).flat_map(|c| (0..h).flat_map(move |y| row(c, y))).collect();
    Array { dims: Dims { h, w, ..d }, data }
}

#[test]
fn animevideo_is_close_to_onnxruntime() {
    ANIMEVIDEO.is_close_to_onnxruntime();
}

#[test]
fn cunet_is_close_to_onnxruntime() {
    CUNET.is_close_to_onnxruntime();
}

#[test]
fn upconv7_is_close_to_onnxruntime() {
    UPCONV7.is_close_to_onnxruntime();
}

#[test]
fn animevideo_is_the_same_under_every_plan() {
    ANIMEVIDEO.is_the_same_under_every_plan();
}

#[test]
fn cunet_is_the_same_under_every_plan() {
    CUNET.is_the_same_under_every_plan();
}

#[test]
fn upconv7_is_the_same_under_every_plan() {
    UPCONV7.is_the_same_under_every_plan();
}

/// All examples at all levels: verified, printed and parsed back after each pass.
#[test]
fn examples_are_the_same_in_text() {
    let mut seen = 0;
    let folders = std::fs::read_dir(root().join("examples")).expect("there are examples");
    for folder in folders.flatten().filter(|f| f.path().is_dir()) {
        let files = std::fs::read_dir(folder.path()).expect("a readable folder");
        for file in files.flatten().filter(|f| f.path().extension().is_some_and(|e| e == "zlg")) {
            let model = open(&file.path());
            let sizes = Bindings::from_iter([("H".to_owned(), 48), ("W".to_owned(), 64)]);
            let graph = model.bind(&Vec::new(), &sizes).unwrap_or_else(|e| panic!("{e:?}"));
            for compile in [host(), CompileOptions { tile: Some([16, 16]), ..host() }] {
                let options = compile.for_passes();
                let pipeline = Pipeline {
                    passes: PIPELINE.iter().collect(),
                    options: &options,
                    verify_each: true,
                    after: &mut |_, _| seen += 1,
                };
                let result = pipeline.run(Module::Graph(graph.clone()));
                assert!(result.is_ok(), "{}: {:?}", file.path().display(), result.err());
            }
        }
    }
    assert!(seen >= 7 * 2 * PIPELINE.len(), "{seen}");
}
