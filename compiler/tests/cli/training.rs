//! `grad` and `train`: the same bits under every plan, and after whatever ended a training.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zellige_runtime::dataset::Turn;
use zellige_runtime::io::safetensors::Safetensors;
use zellige_runtime::io::{self, Array, ReadOptions};
use zellige_runtime::program::Dims;

use crate::fixtures;
use crate::folder::Folder;

const MODEL: &str = "\
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let x = conv2d(image, out: 8, kernel: 3, pad: 1, name: \"encoder.a\") |> relu;
    let y = conv2d(x, out: 8, kernel: 3, pad: 1, name: \"encoder.b\") |> instance_norm(affine: true, name: \"norm\") |> relu;
    return image + conv2d(x + y, out: 3, kernel: 3, pad: 1, name: \"decoder\");
}

train(target: f32[1, 3, H, W]) {
    loss l1(out, target);
    optimizer adamw(lr: 1e-2);
    schedule cosine(steps: 40);
    accumulate 2;
    clip 1.0;
}
";

const TRAIN: &str = "train m.zlg --data data --steps 40 --batch 2 --crop 12x10 --augment flips,turns --seed 3 \
    --validate data --validate-every 7 --checkpoint-every 3 -o w.safetensors";

/// A folder with the model, and images of which the target is upside down.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("m.zlg", MODEL);
    for name in ["image", "target"] {
        fs::create_dir_all(folder.path("data").join(name)).unwrap();
    }
    for (i, (h, w)) in [(20, 17), (13, 31), (12, 10)].into_iter().enumerate() {
        let image = fixtures::array(1, 3, h, w);
        let target = Turn::default().then_flipped(true, false).of(image.clone());
        io::write(&folder.path(&format!("data/image/{i}.npy")), &image).unwrap();
        io::write(&folder.path(&format!("data/target/{i}.npy")), &target).unwrap();
    }
    folder
}

/// A log without the time that steps took.
fn log(folder: &Folder) -> Vec<Vec<String>> {
    let text = String::from_utf8(folder.read("w.csv")).unwrap();
    let row = |line: &str| {
        let columns = line.split(',').enumerate().filter(|(i, _)| *i != 5);
        columns.map(|(_, column)| column.to_owned()).collect()
    };
    text.lines().map(row).collect()
}

fn losses(folder: &Folder) -> Vec<f32> {
    log(folder).iter().skip(1).map(|row| row[2].parse().unwrap()).collect()
}

#[test]
fn gradients_are_the_same_under_every_plan() {
    let folder = folder();
    let inputs = "-i image=data/image/1.npy -i target=data/target/1.npy --input-gradient image=d.npy";
    let said = folder.succeeds(&format!("grad m.zlg {inputs} -o whole.safetensors --untiled --engine jit"));
    let whole = (folder.read("whole.safetensors"), folder.read("d.npy"));
    let loss = said.strip_prefix("loss ").unwrap().trim();
    assert!(loss.parse::<f32>().unwrap() > 0.0);
    for options in ["", "--tile 5x6 --threads 3", "--memory 1MiB --isa portable", "--cut-after encoder.a"] {
        let again = folder.succeeds(&format!("grad m.zlg {inputs} -o g.safetensors {options}"));
        assert_eq!(again, said, "{options}");
        assert!((folder.read("g.safetensors"), folder.read("d.npy")) == whole, "{options}");
    }

    let file = Safetensors::open(&folder.path("whole.safetensors")).unwrap();
    assert_eq!(file.metadata()["loss"], loss);
    assert_eq!(file.tensors()["encoder.b.weight"].shape, [8, 8, 3, 3]);
    assert_eq!(file.tensors().len(), 8);
    let Array { dims, data } = io::read(&folder.path("d.npy"), &ReadOptions::default()).unwrap();
    assert_eq!([dims.n, dims.c, dims.h, dims.w], [1, 3, 13, 31]);
    assert!(data.iter().any(|v| *v != 0.0) && data.iter().all(|v| v.is_finite()));
}

#[test]
fn a_gradient_that_would_have_the_name_of_a_parameter_is_refused() {
    let folder = folder();
    folder.write("m.zlg", MODEL.replace("image", "weight").replace("decoder", "d"));
    let inputs = "-i weight=data/image/1.npy -i target=data/target/1.npy --input-gradient weight=d.npy";
    let said = folder.fails(&format!("grad m.zlg {inputs} -o g.safetensors"));
    assert!(said.contains("E0507") && said.contains("the name of parameter `d.weight`"), "{said}");
    let others = "-i weight=data/image/1.npy -i target=data/target/1.npy --input-gradient target=d.npy";
    folder.succeeds(&format!("grad m.zlg {others} -o g.safetensors"));
}

/// Circular padding reads whole tensors of the forward pass, which are stored for that in any case: so wide a rim is not computed.
#[test]
fn what_is_stored_in_any_case_is_computed_again_where_that_is_faster_than_to_load_it_from_a_file() {
    let folder = Folder::new();
    let conv = |x: &str, out: u32, name: &str| {
        let window = "kernel: 3, dilation: 8, pad: 8, pad_mode: \"circular\"";
        format!("conv2d({x}, out: {out}, {window}, name: \"{name}\")")
    };
    let [a, b, c] = [conv("image", 16, "a"), conv("x", 16, "b"), conv("x", 3, "c")];
    let model = format!(
        "model m(image: f32[1, 3, H, W]) -> (y: f32[1, 3, H, W]) {{ let x = {a} |> relu; x = {b} |> relu; return {c}; }}
        train(target: f32[1, 3, H, W]) {{ loss mse(y, target); optimizer sgd(lr: 0.1); }}"
    );
    folder.write("m.zlg", model);
    let options = "--machine tiny --sram 256KiB --threads 1";
    let plan = |memory: &str| {
        folder.succeeds(&format!("plan m.zlg --train --bind H=128,W=96 {options} --memory {memory}"))
    };
    let stored = |name: &str, how: &str| format!("{name} is {how}: it is stored in any case, and loading it");
    let [of_files, of_memory] = ["512KiB", "1GiB"].map(plan);
    let holds = |plan: &str, said: &str| assert!(plan.contains(said), "{said}:\n{plan}");
    holds(&of_files, &stored("x", "computed again"));
    holds(&of_files, &stored("x.1", "kept"));
    holds(&of_memory, &stored("x", "kept"));

    for name in ["image", "target"] {
        io::write(&folder.path(&format!("{name}.npy")), &fixtures::array(1, 3, 128, 96)).unwrap();
    }
    let gradients = |options: &str| {
        let inputs = "-i image=image.npy -i target=target.npy --input-gradient image=d.npy";
        let said = folder.succeeds(&format!("grad m.zlg {inputs} -o g.safetensors {options}"));
        (said, folder.read("g.safetensors"), folder.read("d.npy"))
    };
    assert!(gradients(&format!("{options} --memory 512KiB")) == gradients("--untiled --engine jit"));
}

#[test]
fn a_step_against_the_gradient_makes_the_loss_smaller_by_as_much() {
    let folder = folder();
    let inputs = "-i image=data/image/0.npy -i target=data/target/0.npy";
    let loss = |said: String| said.strip_prefix("loss ").unwrap().trim().parse::<f64>().unwrap();
    folder.write("m.zlg", MODEL.replace("l1(", "mse("));
    folder.succeeds("train m.zlg --data data --steps 1 -o w.safetensors --log l.csv");
    let grad = |output: &str| {
        loss(folder.succeeds(&format!("grad m.zlg {inputs} --weights w.safetensors -o {output}")))
    };
    let before = grad("g.safetensors");
    let gradients = Safetensors::open(&folder.path("g.safetensors")).unwrap();
    let weights = Safetensors::open(&folder.path("w.safetensors")).unwrap();
    let rate = 1e-3;
    let mut norm = 0.0;
    let moved: Vec<(String, Vec<u64>, Vec<f32>)> = weights
        .tensors()
        .iter()
        .map(|(name, info)| {
            let (w, g) = (weights.values(name).unwrap(), gradients.values(name).unwrap());
            norm += g.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            let moved = w.iter().zip(&g).map(|(w, g)| (f64::from(*w) - rate * f64::from(*g)) as f32);
            (name.clone(), info.shape.clone(), moved.collect())
        })
        .collect();
    let values: Vec<_> =
        moved.iter().map(|(name, shape, values)| io::safetensors::Values { name, shape, values }).collect();
    io::safetensors::write(&folder.path("w.safetensors"), &values).unwrap();
    let change = (before - grad("after.safetensors")) / (rate * norm);
    assert!((0.9..1.1).contains(&change), "{change}");
}

#[test]
fn what_is_frozen_stays() {
    let folder = folder();
    let weights = |steps: u64| {
        let command = "train m.zlg --data data --freeze encoder.* --freeze *.bias --log l.csv --curve c.svg";
        folder.succeeds(&format!("{command} --steps {steps} -o {steps}.safetensors"));
        Safetensors::open(&folder.path(&format!("{steps}.safetensors"))).unwrap()
    };
    let (one, two) = (weights(1), weights(2));
    let values = |file: &Safetensors, name: &str| file.values(name).unwrap();
    for name in one.tensors().keys() {
        let frozen = name.starts_with("encoder.") || name.ends_with(".bias");
        assert_eq!(values(&one, name) == values(&two, name), frozen, "{name}");
    }
    assert!(
        folder.fails("train m.zlg --data data --steps 1 --freeze * -o all.safetensors").contains("E0227")
    );
    assert!(
        folder
            .fails("train m.zlg --data data --steps 1 --freeze encode.* -o all.safetensors")
            .contains("E0407")
    );
}

#[test]
fn a_training_is_the_same_under_every_plan() {
    let (one, other) = (folder(), folder());
    one.succeeds(TRAIN);
    other.succeeds(&format!("{TRAIN} --tile 5x4 --threads 3 --isa portable"));
    assert!(one.read("w.safetensors") == other.read("w.safetensors"));
    assert_eq!(log(&one), log(&other));
    let losses = losses(&one);
    assert_eq!(losses.len(), 40);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[30..]) < 0.8 * mean(&losses[..10]), "{losses:?}");
    assert!(String::from_utf8(one.read("w.svg")).unwrap().starts_with("<svg"));
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Waits until the log has so many lines.
fn wait_for(log: &Path, lines: usize) {
    let start = Instant::now();
    while fs::read_to_string(log).map_or(0, |text| text.lines().count()) < lines {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[cfg(unix)]
#[test]
fn a_killed_training_goes_on_with_the_same_bits() {
    let whole = folder();
    whole.succeeds(TRAIN);
    for lines in [1, 2, 4, 5, 11, 23, 39, 41] {
        let folder = folder();
        let mut child = folder.command(TRAIN).spawn().unwrap();
        wait_for(&folder.path("w.csv"), lines);
        signal(&child, "KILL");
        child.wait().unwrap();
        folder.succeeds(&format!("{TRAIN} --resume"));
        assert!(folder.read("w.safetensors") == whole.read("w.safetensors"), "{lines}");
        assert_eq!(log(&folder), log(&whole), "{lines}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_finishes_its_step() {
    let folder = folder();
    let endless = TRAIN.replace("--steps 40", "--steps 100000000");
    let child = folder.command(&endless).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&folder.path("w.csv"), 5);
    signal(&child, "INT");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let done = log(&folder).len() - 1;
    let file = Safetensors::open(&folder.path("w.checkpoint.safetensors")).unwrap();
    assert_eq!(file.metadata()["step"], done.to_string());
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains(&format!("the checkpoint is that of step {done}; `--resume`")), "{said}");
    assert!(!folder.path("w.safetensors").exists());
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_training_is_refused() {
    let folder = folder();
    folder.succeeds(&TRAIN.replace("--steps 40", "--steps 3"));
    let checkpoint = folder.read("w.checkpoint.safetensors");
    let refused = |code: &str, why: &str| {
        let before = folder.contents();
        let said = folder.fails(&format!("{TRAIN} --resume"));
        assert!(said.contains(code) && said.contains(why), "{said}");
        assert_eq!(folder.contents(), before);
    };
    folder.write("w.checkpoint.safetensors", &checkpoint[..checkpoint.len() - 5]);
    refused("E0406", "malformed");
    let mut damaged = checkpoint.clone();
    *damaged.last_mut().unwrap() ^= 1;
    folder.write("w.checkpoint.safetensors", &damaged);
    refused("E0406", "damaged");
    folder.write("w.checkpoint.safetensors", folder.read("w.safetensors"));
    refused("E0406", "not a checkpoint");
    folder.write("w.checkpoint.safetensors", &checkpoint);
    folder.write("m.zlg", MODEL.replace("1e-2", "2e-2"));
    refused("E0406", "optimizer");
    folder.write("m.zlg", MODEL.replace("relu;", "silu;"));
    refused("E0406", "model");
    folder.write("m.zlg", MODEL);
    let said = folder.fails(TRAIN);
    assert!(said.contains("E0406") && said.contains("--resume"), "{said}");
    folder.succeeds(&format!("{TRAIN} --resume"));
}

#[test]
fn a_checkpoint_serves_as_weights() {
    let folder = folder();
    folder.succeeds("train m.zlg --data data --steps 3 -o w.safetensors");
    for weights in ["w.safetensors", "w.checkpoint.safetensors"] {
        folder.succeeds(&format!("run m.zlg --weights {weights} -i data/image/0.npy -o {weights}.npy"));
    }
    assert!(folder.read("w.safetensors.npy") == folder.read("w.checkpoint.safetensors.npy"));
    // With a seed of its own: that of crops.
    folder.succeeds(
        "train m.zlg --data data --steps 1 --weights w.checkpoint.safetensors --seed 4 --crop 5x5 -o more.safetensors",
    );
}

#[test]
fn a_training_says_what_it_has_come_to() {
    let folder = folder();
    let said = folder
        .succeeds("train m.zlg --data data --validate data --validate-every 2 --steps 3 -o w.safetensors");
    let rows = log(&folder);
    let (loss, validation) = (&rows[3][2], &rows[3][5]);
    assert_eq!(said, format!("step 3: loss {loss}, validation {validation} after step 3\n"));
}

#[test]
fn a_training_that_diverges_ends_and_leaves_its_last_checkpoint() {
    let folder = folder();
    let train = "train m.zlg --data data --steps 40 --checkpoint-every 1 -o w.safetensors";
    folder.write("m.zlg", MODEL.replace("1e-2", "1e30").replace("cosine(steps: 40)", "constant"));
    let said = folder.fails(train);
    assert!(said.contains("E0909") && said.contains("a smaller `lr`"), "{said}");
    let done = log(&folder).len() - 1;
    assert!(losses(&folder).iter().all(|loss| loss.is_finite()));
    let file = Safetensors::open(&folder.path("w.checkpoint.safetensors")).unwrap();
    assert_eq!(file.metadata()["step"], done.to_string());
    assert!(!folder.path("w.safetensors").exists() && folder.path("w.svg").exists());
    assert_eq!(folder.fails(&format!("{train} --resume")), said);
}

#[test]
fn data_that_is_not_finite_is_named() {
    let folder = folder();
    io::write(&folder.path("data/image/1.npy"), &nan(3, 13, 31)).unwrap();
    let said = folder.fails("train m.zlg --data data --steps 9 -o w.safetensors");
    let named = "`data/image/1.npy` has values that are not finite";
    assert!(said.contains("the loss is NaN in step ") && said.contains(named), "{said}");
    assert!(!said.contains("a smaller `lr`"), "{said}");
}

#[test]
fn a_step_that_drops_values_is_verified() {
    let folder = folder();
    folder.write("m.zlg", MODEL.replacen("|> relu", "|> relu |> dropout(p: 0.25)", 1));
    for options in ["--tile 5x6", "--tile 5x6 --seed 9", "--cut-after encoder.a"] {
        let inputs = "-i image=data/image/1.npy -i target=data/target/1.npy";
        let said = folder.succeeds(&format!("verify m.zlg --train {inputs} {options}"));
        assert!(said.starts_with("identical: "), "{said}");
    }
}

#[test]
fn gradients_that_are_nothing_but_rounding_do_not_count_as_different() {
    let folder = folder();
    // The norm takes the biases of the convolution before it away, so that their gradients are 0, up to rounding.
    folder.write("m.zlg", MODEL.replace("instance_norm(affine: true, ", "batch_norm("));
    let inputs = "-i image=data/image/1.npy -i target=data/target/1.npy";
    let said = folder.succeeds(&format!("verify m.zlg --train {inputs} --tile 5x6 --grad rmw"));
    assert!(said.starts_with("equal within 1e-5 of the largest: "), "{said}");
}

#[test]
fn what_is_no_class_is_named() {
    let folder = folder();
    let section = "train(target: TYPE[1, 1, H, W]) {
        loss cross_entropy(out, target, ignore_index: 255);
        optimizer sgd;
    }";
    let mask = |numbers: [u8; 3]| {
        fs::remove_dir_all(folder.path("data/target")).unwrap();
        fs::create_dir(folder.path("data/target")).unwrap();
        for (i, (h, w)) in [(20, 17), (13, 31), (12, 10)].into_iter().enumerate() {
            let dims = Dims { n: 1, c: 1, h, w };
            let number = |at: u64| f32::from(numbers[at as usize % 3]) / 255.0;
            let array = Array { dims, data: (0..h * w).map(number).collect() };
            io::write(&folder.path(&format!("data/target/{i}.png")), &array).unwrap();
        }
    };
    let train = "train m.zlg --data data --steps 2 --resume -o w.safetensors";
    let with = |element: &str| {
        let model = MODEL.split("train(").next().unwrap();
        folder.write("m.zlg", format!("{model}{}", section.replace("TYPE", element)));
    };
    mask([0, 2, 255]);
    with("f32");
    let said = folder.fails(train);
    assert!(said.contains("E0511") && said.contains("which is no class"), "{said}");
    assert!(said.contains("`target: u8[…]`") && said.contains("0 to 2, and 255 is ignored"), "{said}");
    with("u8");
    folder.succeeds(train);
    for name in ["image/0.npy", "image/1.npy", "image/2.npy", "target/0.png", "target/1.png", "target/2.png"]
    {
        let to = folder.path("good").join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(folder.path("data").join(name), to).unwrap();
    }
    mask([0, 3, 255]);
    let said = folder.fails("train m.zlg --data data --steps 2 -o u.safetensors");
    assert!(said.contains("has the value 3, which is no class"), "{said}");

    // What is found in validation ends a training after its step.
    let train =
        "train m.zlg --data good --validate data --validate-every 2 --steps 5 --resume -o v.safetensors";
    let said = folder.fails(train);
    assert!(said.contains("has the value 3, which is no class"), "{said}");
    let checkpoint = || Safetensors::open(&folder.path("v.checkpoint.safetensors")).unwrap();
    assert_eq!(checkpoint().metadata()["step"], "2");
    mask([0, 1, 255]);
    folder.succeeds(train);
    assert_eq!(checkpoint().metadata()["step"], "5");
}

fn nan(c: u64, h: u64, w: u64) -> Array {
    let mut array = fixtures::array(1, c, h, w);
    array.data[7] = f32::NAN;
    array
}

#[test]
fn data_that_the_model_does_not_take_is_named_before_the_first_step() {
    let refused = |path: &str, (c, h, w): (u64, u64, u64), options: &str, why: &[&str]| {
        let folder = folder();
        for name in ["image", "target"] {
            let from = folder.path("data").join(name).join("2.npy");
            fs::create_dir_all(folder.path("other").join(name)).unwrap();
            fs::copy(from, folder.path("other").join(name).join("2.npy")).unwrap();
        }
        io::write(&folder.path(path), &fixtures::array(1, c, h, w)).unwrap();
        let before = folder.contents();
        let said = folder.fails(&format!("train m.zlg --data data --steps 9 -o w.safetensors {options}"));
        assert!(why.iter().all(|why| said.contains(why)), "{said}");
        assert_eq!(folder.contents(), before);
    };
    let files = "in `data/image/2.npy`, `data/target/2.npy`";
    refused("data/target/2.npy", (3, 12, 11), "", &["E0508", files]);
    refused("data/target/2.npy", (3, 24, 20), "--crop 6x6", &["E0508", files]);
    refused("data/image/2.npy", (4, 12, 10), "--crop 6x6", &["E0503", "4 channels", files]);
    let apart = "`data/target/2.npy` is 12x11 and `data/image/2.npy` 12x10";
    refused("data/target/2.npy", (3, 12, 11), "--crop 6x6", &["E0511", apart]);
    let files = "in `other/image/2.npy`, `other/target/2.npy`";
    refused("other/image/2.npy", (4, 12, 10), "--validate other", &["E0503", files]);
}

#[test]
fn data_that_the_model_does_not_take_when_they_are_turned_are_named_before_the_first_step() {
    let folder = folder();
    folder.write("m.zlg", MODEL.replace("1, 3, H, W]", "1, 3, 4*H, W]"));
    for i in 0..2 {
        for name in ["image", "target"] {
            fs::remove_file(folder.path(&format!("data/{name}/{i}.npy"))).unwrap();
        }
    }
    let train = "train m.zlg --data data --steps 1 -o w.safetensors";
    let said = folder.fails(&format!("{train} --augment turns"));
    let files = "in `data/image/2.npy`, `data/target/2.npy`, turned by a quarter";
    assert!(said.contains(files), "{said}");
    folder.succeeds(&format!("{train} --augment flips"));
}

#[test]
fn a_training_with_more_steps_than_are_asked_for_is_not_gone_on_with() {
    let folder = folder();
    let train = |steps: u64| format!("train m.zlg --data data --steps {steps} -o w.safetensors --resume");
    folder.succeeds(&train(4));
    let said = folder.fails(&train(3));
    assert!(said.contains("E0406") && said.contains("that of step 4, and `--steps` is 3"), "{said}");
    folder.succeeds(&train(4));
    folder.succeeds(&train(5));
}

#[test]
fn that_the_largest_image_has_a_plan_is_said_before_the_first_step() {
    let folder = folder();
    fs::rename(folder.path("data"), folder.path("other")).unwrap();
    for name in ["image", "target"] {
        fs::create_dir_all(folder.path("data").join(name)).unwrap();
        for (i, size) in [(0, 12), (1, 12), (2, 96)] {
            let image = fixtures::array(1, 3, size, size);
            io::write(&folder.path(&format!("data/{name}/{i}.npy")), &image).unwrap();
        }
    }
    let refused = |data: &str| {
        let before = folder.contents();
        let said = folder
            .fails(&format!("train m.zlg {data} --steps 9 --sram 100KiB --tile 96x96 -o w.safetensors"));
        assert!(said.contains("E0701") && said.contains("in `data/image/2.npy`"), "{said}");
        assert_eq!(folder.contents(), before);
    };
    refused("--data data");
    refused("--data other --crop 4x4 --validate data");
}

#[test]
fn of_weights_of_another_model_only_some_are_named() {
    let folder = folder();
    folder.succeeds("train m.zlg --data data --steps 1 -o w.safetensors");
    folder.write(
        "m.zlg",
        MODEL.replace("encoder", "stage").replace("decoder", "head").replace("\"norm", "\"n"),
    );
    let said = folder.fails("train m.zlg --data data --steps 1 --weights w.safetensors -o v.safetensors");
    assert_eq!(said.matches("error[").count(), 8, "{said}");
    assert!(said.contains("8 more of its weights do not fit"), "{said}");
}
