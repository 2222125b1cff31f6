//! Training sections, from their text to the same bits of loss and gradients under every plan.

use fastrand::Rng;
use zellige_compiler::base::Bindings;
use zellige_compiler::front::{LOSS, Training, bind, lower_training};
use zellige_compiler::ir::Graph;
use zellige_compiler::passes::{Wanted, differentiate};
use zellige_grammar::parse_model;
use zellige_runtime::io::Array;
use zellige_runtime::program::Dims;
use zellige_tests::parameters;
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, Arrays, describe};

/// Plans of a training.
const PLANS: usize = 16;
/// Classes of the target.
const CLASSES: usize = 5;

/// All losses, of a network with a skip and with statistics.
const TEXT: &str = include_str!("../data/training/segment.zlg");

#[test]
fn losses_and_gradients_are_the_same_under_every_plan() {
    let graph = gradients(&bound(&training(TEXT), [2, 3, 43, 37]));
    let inputs = inputs(&graph);
    let mut rng = Rng::with_seed(11);
    let untiled = outputs(&graph, &plans::reference(), &inputs);
    assert!(untiled.iter().all(|(_, array)| array.data.iter().all(|v| v.is_finite())));
    assert!(untiled.iter().all(|(_, array)| array.data.iter().any(|&v| v != 0.0)));
    assert_eq!(untiled[0].0, LOSS);
    assert_eq!(untiled.len(), 1 + 2 * 5, "a weight and a bias of each op, and the loss");
    let canonical = run::canonical(&graph).expect("it is canonical");
    for _ in 0..PLANS {
        let plan = plans::plan(&canonical, &mut rng);
        if let Some(difference) = run::difference(&outputs(&graph, &plan, &inputs), &untiled) {
            panic!("{difference}\n    {plan}");
        }
    }
}

#[test]
fn the_loss_is_the_sum_of_its_terms() {
    let whole = bound(&training(TEXT), [1, 3, 20, 17]);
    let inputs = inputs(&whole);
    let value = |graph: &Graph| {
        let found = outputs(graph, &plans::reference(), &inputs);
        let (_, loss) = found.iter().find(|(name, _)| name == LOSS).expect("it is an output");
        f64::from(loss.data[0])
    };
    let statements = TEXT.lines().filter(|line| line.trim_start().starts_with("loss"));
    let terms = statements.clone().map(|kept| {
        let others = |line: &&str| !line.trim_start().starts_with("loss") || *line == kept;
        let text: Vec<&str> = TEXT.lines().filter(others).collect();
        value(&bound(&training(&text.join("\n")), [1, 3, 20, 17]))
    });
    let (sum, whole) = (terms.sum::<f64>(), value(&whole));
    assert_eq!(statements.count(), 5);
    assert!((whole - sum).abs() < 1e-5 * sum, "{whole}, {sum}");
}

/// Padded with the image's own other side, so that copies of an image side by side see what the image sees.
const CIRCULAR: &str = r#"
    model m(image: f32[1, 3, H, W]) -> (out: f32[1, 2, H, W]) {
        let a = conv2d(image, out: 8, kernel: 3, pad: 1, pad_mode: "circular", name: "a") |> silu;
        let b = conv2d(a, out: 4, kernel: 5, pad: 2, pad_mode: "circular", name: "b") |> relu;
        return conv2d(b, out: 2, kernel: 1, name: "c");
    }
    train(target: f32[1, 2, H, W]) { loss mse(out, target, reduction: "sum"); }
"#;

#[test]
fn gradients_of_copies_are_as_many_times_those_of_one() {
    const COPIES: u64 = 4;
    // Whole grains, so that those of a copy are those of the image.
    let (h, w) = (24, 64);
    let graph = |copies: u64| gradients(&bound(&training(CIRCULAR), [1, 3, copies * h, copies * w]));
    let one = inputs(&graph(1));
    let copied = |(name, array): &(String, Array)| {
        let Dims { c, h, w, .. } = array.dims;
        let dims = Dims { n: 1, c, h: COPIES * h, w: COPIES * w };
        let row = |row: &[f32]| row.repeat(COPIES as usize);
        let plane = |plane: &[f32]| {
            let rows: Vec<f32> = plane.chunks(w as usize).flat_map(row).collect();
            rows.repeat(COPIES as usize)
        };
        let data = array.data.chunks((h * w) as usize).flat_map(plane).collect();
        (name.clone(), Array { dims, data })
    };
    let many: Arrays = one.iter().map(copied).collect();
    let of_one = outputs(&graph(1), &plans::reference(), &one);
    let canonical = run::canonical(&graph(COPIES)).expect("it is canonical");
    let plan = plans::plan(&canonical, &mut Rng::with_seed(3));
    let of_many = outputs(&graph(COPIES), &plan, &many);
    assert_eq!(of_one.len(), 7);
    for ((name, one), (_, many)) in of_one.iter().zip(&of_many) {
        let times: Vec<f32> = one.data.iter().map(|v| v * (COPIES * COPIES) as f32).collect();
        assert_eq!(times, many.data, "{name}");
    }
}

#[test]
fn a_target_that_is_no_class_shows() {
    let graph = bound(&training(TEXT), [1, 3, 20, 17]);
    let mut inputs = inputs(&graph);
    let (_, classes) = inputs.iter_mut().find(|(name, _)| name == "classes").expect("it is an input");
    classes.data[7] = CLASSES as f32;
    let found = outputs(&graph, &plans::reference(), &inputs);
    let (_, loss) = found.iter().find(|(name, _)| name == LOSS).expect("it is an output");
    assert!(loss.data[0].is_nan());
}

fn training(text: &str) -> Training {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{}", describe(&problems));
    let (training, problems) = lower_training(&file.expect("it is a file"));
    training.unwrap_or_else(|| panic!("{}", describe(&problems)))
}

fn bound(training: &Training, image: [u64; 4]) -> Graph {
    let given = [("image".to_owned(), image)];
    let (graph, _) = bind(&training.graph, &given, &Bindings::default()).expect("it takes the size");
    graph
}

fn gradients(graph: &Graph) -> Graph {
    let graph = run::expanded(graph).unwrap_or_else(|d| panic!("{}", describe(&d)));
    let loss = graph.outputs.iter().find(|output| output.name == LOSS).expect("it is an output").value;
    let wanted = Wanted { params: graph.params.ids().collect(), inputs: Vec::new() };
    differentiate(&graph, loss, &wanted).unwrap_or_else(|d| panic!("{}", describe(&d)))
}

fn inputs(graph: &Graph) -> Arrays {
    let mut inputs = parameters::inputs(graph, 5);
    for (_, classes) in inputs.iter_mut().filter(|(name, _)| name == "classes") {
        classes.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i * i % 7 % CLASSES) as f32);
    }
    inputs
}

fn outputs(graph: &Graph, plan: &Plan, inputs: &Arrays) -> Arrays {
    let program =
        run::compile(graph, &plan.compile).unwrap_or_else(|d| panic!("{}\n    {plan}", describe(&d)));
    let run = run::run(program, &plan.run, inputs);
    run.map(|(outputs, _)| outputs).unwrap_or_else(|e| panic!("{e}\n    {plan}"))
}
