//! What the command does when all is well.

use serde_json::Value;
use zellige_runtime::io::{self, ReadOptions};
use zellige_runtime::machine::parse_size;

use crate::folder::Folder;

const TINY: &str = "--machine tiny";
const SIZES: &str = "--bind H=9,W=12";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn run_writes_what_was_computed() {
    let folder = Folder::with_fixtures();
    assert_eq!(folder.succeeds("run blur.zlg -i photo.png -o out.png"), "");
    folder.succeeds("run blur.zlg -i image=photo.png -o soft=out.npy --tile 3x5 --threads 2 --engine jit");
    let [image, array] =
        ["out.png", "out.npy"].map(|n| io::read(&folder.path(n), &ReadOptions::default()).unwrap());
    assert_eq!(image.dims, array.dims);
    // The image has the array's values to half a step.
    assert!(image.data.iter().zip(&array.data).all(|(a, b)| (a - b).abs() <= 0.5 / 255.0 + 1e-6));
}

#[test]
fn runs_give_the_same_bits_whatever_the_plan() {
    let folder = Folder::with_fixtures();
    folder.succeeds("run conv.zlg -i photo.png -o expected.npy --untiled --engine jit");
    let programs = [
        "compile conv.zlg -o other.zlp --bind H=9,W=12 --cut-after body",
        "compile conv.zlg -o s.zir --emit sections --bind H=9,W=12 --tile 2x12",
        "compile conv.zlg -o p.zir --emit program --bind H=9,W=12 --tile 9x2",
        "compile s.zir -o s.zlp --weights conv.safetensors",
        "compile p.zir -o p.zlp --weights conv.safetensors",
    ];
    programs.iter().for_each(|command| {
        folder.succeeds(command);
    });
    for what in [
        "conv.zlg --tile 4x4",
        "conv.zlp",
        "beside.zlp",
        "other.zlp",
        "s.zlp",
        "p.zlp",
        "conv.zlg --isa portable",
    ] {
        folder.succeeds(&format!("run {what} -i photo.png -o found.npy --threads 2"));
        assert_eq!(folder.read("found.npy"), folder.read("expected.npy"), "{what}");
    }
}

#[test]
fn an_output_replaces_what_was_there() {
    let folder = Folder::with_fixtures();
    folder.write("out.npy", "before");
    let before = folder.contents();
    folder.succeeds("run blur.zlg -i photo.png -o out.npy");
    assert_ne!(folder.read("out.npy"), b"before");
    assert_eq!(folder.contents(), before);
    // An input may be its own output.
    folder.succeeds("run blur.zlg -i photo.png -o photo.png");
}

#[test]
fn several_inputs_and_outputs_go_by_name() {
    let folder = Folder::with_fixtures();
    folder.succeeds("run two.zlg -i right=x.npy -i left=photo.png -o product=p.npy -o sum=s.npy");
    let read = |name: &str| io::read(&folder.path(name), &ReadOptions::default()).unwrap().data;
    let (left, right) = (read("photo.png"), read("x.npy"));
    for (i, (sum, product)) in read("s.npy").into_iter().zip(read("p.npy")).enumerate() {
        assert_eq!((sum, product), (left[i] + right[i], left[i] * right[i]));
    }
}

#[test]
fn a_grey_input_takes_any_image() {
    let folder = Folder::with_fixtures();
    folder
        .write("m.zlg", "model m(image: f32[1, 1, H, W]) -> (out: f32[1, 1, H, W]) { return relu(image); }");
    for image in ["grey.png", "photo.png"] {
        folder.succeeds(&format!("run m.zlg -i {image} -o out.png"));
    }
}

#[test]
fn stats_put_planned_and_measured_side_by_side() {
    let folder = Folder::with_fixtures();
    let stats = json(&folder.succeeds("run blur.zlg -i photo.png -o out.png --tile 4x4 --stats -"));
    for key in [
        "compile_ms",
        "load_ms",
        "run_ms",
        "runs_ms",
        "flops",
        "recompute_ratio",
        "planned_sram_bytes",
        "peak_sram_bytes",
        "planned_device_bytes",
        "peak_device_bytes",
        "peak_rss_bytes",
        "sections",
    ] {
        assert!(!stats[key].is_null(), "{key}: {stats:#}");
    }
    assert!(stats["peak_sram_bytes"].as_u64() <= stats["planned_sram_bytes"].as_u64());
    assert!(stats["peak_device_bytes"].as_u64() <= stats["planned_device_bytes"].as_u64());
    for section in stats["sections"].as_array().unwrap() {
        assert_eq!((&section["tile"], &section["grid"]), (&[4, 4].into(), &[3, 3].into()));
    }
    folder.succeeds("run blur.zlp -i photo.png -o out.png --stats s.json");
    assert_eq!(json(&String::from_utf8(folder.read("s.json")).unwrap())["compile_ms"], 0.0);
}

#[test]
fn compile_stops_where_it_is_told() {
    let folder = Folder::with_fixtures();
    let compile = |options: &str| folder.succeeds(&format!("compile blur.zlg {SIZES} {TINY} -o - {options}"));
    assert!(compile("--emit graph").starts_with("graph blur {"));
    assert!(compile("--emit sections").starts_with("sections ("));
    assert!(compile("--emit program").starts_with("program blur ("));
    assert_eq!(compile("--stop-after allocate"), compile("--emit sections"));
    assert_eq!(compile("--stop-after lower"), compile("--emit program"));
    let cut = compile("--stop-after section-cut");
    assert!(cut.contains("section s0 [") && !cut.contains("padding"));
    assert_eq!(compile("--verify-each --emit program"), compile("--emit program"));
}

#[test]
fn a_program_goes_to_standard_output_as_it_goes_to_a_file() {
    let folder = Folder::with_fixtures();
    let output =
        folder.command(&format!("compile blur.zlg {SIZES} {TINY} --tile 4x8 -o -")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), folder.read("blur.zlp")));
}

#[test]
fn dump_after_shows_passes_on_standard_error() {
    let folder = Folder::with_fixtures();
    let run = |options: &str| folder.run(&format!("compile blur.zlg {SIZES} {TINY} -o blur.zlp {options}"));
    let all = run("--dump-after all");
    assert_eq!((all.status, all.stdout.as_str()), (Some(0), ""));
    let heads: Vec<_> = all.stderr.lines().filter_map(|l| l.strip_prefix("// after ")).collect();
    assert_eq!(
        heads,
        [
            "canonicalize",
            "fold-batch-norm",
            "continue-circularly",
            "recompute",
            "section-cut",
            "tile",
            "pad",
            "overlap",
            "materialize",
            "allocate",
            "lower"
        ]
    );
    let some = run("--dump-after pad --dump-after tile").stderr;
    assert_eq!(some.matches("// after").count(), 2);
    assert!(all.stderr.contains(&some[some.find("// after pad").unwrap()..]));
}

#[test]
fn what_dump_prints_parses_back() {
    let folder = Folder::with_fixtures();
    for stage in ["graph", "sections", "program"] {
        let text = folder.succeeds(&format!("dump conv.zlg --stage {stage} {SIZES} {TINY} --tile 4x8"));
        folder.write("d.zir", &text);
        assert_eq!(folder.succeeds("dump d.zir"), text);
        folder.succeeds("dump d.zir -o e.zir");
        assert_eq!(folder.read("e.zir"), text.as_bytes());
        json(&folder.succeeds("dump d.zir --format json"));
        if stage != "program" {
            assert!(folder.succeeds("dump d.zir --format dot").starts_with("digraph"));
        }
    }
    // The graph of what is further down, and the sections' program.
    folder.succeeds(&format!("dump conv.zlg --stage sections {SIZES} {TINY} --tile 4x8 -o s.zir"));
    let program = folder.succeeds("dump s.zir --stage program");
    assert!(program.starts_with("program conv ("));
    assert_eq!(folder.succeeds("dump s.zir --stage graph"), folder.succeeds("dump conv.zlp --stage graph"));
    assert_eq!(folder.succeeds("dump conv.zlp").lines().count(), program.lines().count());
    // Sizes may stay open at the graph.
    assert!(folder.succeeds("dump conv.zlg").contains("f32[1, 3, H, W]"));
}

#[test]
fn plan_says_what_would_happen() {
    let folder = Folder::with_fixtures();
    let text = folder.succeeds(&format!("plan blur.zlg --bind H=64,W=48 {TINY} --tile 16x48 --sram 40KiB"));
    expect_test::expect![[r#"
        machine tiny: 1 worker with 40 KiB of SRAM each, 1 GiB of memory
        section s0: 2 ops, 4 tiles of 16x48 (4 x 1), 34.3 KiB of SRAM
            reads  image: f32[1, 3, 64, 48] in tiles of 20x52, overlap 4x0, padding top 2, left 2, bottom 2, right 2
            writes soft: f32[1, 3, 64, 48] in tiles of 16x48
            modelled: 174 kFLOP (recompute ratio 1.047, along y 1.047, along x 1.000), 78.8 KiB to and from memory, 0.0784 ms
            time: the larger of compute 0.0570 ms + overhead 0.0214 ms, and traffic 0.0101 ms
            next best: nothing else fits or is allowed
        receptive field: 5 x 5 pixels
        total: 1 section, 4 tiles
        work: 166 kFLOP without halos, recompute ratio 1.047
        --sram: 35136 bytes a worker are used; the smallest that would do: 30784
        --memory: 73728 bytes are used, 73728 of them for inputs and outputs; the smallest that would do: 1
    "#]].assert_eq(&text);
    let plan = json(&folder.succeeds(&format!("plan blur.zlg --bind H=64,W=48 {TINY} --tile 16x48 --json")));
    assert_eq!(plan["sections"][0]["tile"], Value::from([16, 48]));
}

#[test]
fn the_smallest_budgets_do() {
    let folder = Folder::with_fixtures();
    for model in ["blur", "conv", "two", "halves"] {
        let command = format!("plan {model}.zlg --bind H=64,W=64 {TINY}");
        let plan = json(&folder.succeeds(&format!("{command} --json")));
        let number = |key: &str| plan[key].as_u64().unwrap();
        let (sram, memory) = (number("smallest_sram_bytes"), number("smallest_memory_bytes"));
        folder.succeeds(&format!("{command} --sram {sram}"));
        folder.succeeds(&format!("{command} --memory {memory}"));
        // One byte less does not do, and the message says what does.
        for (option, smallest) in [("--sram", sram), ("--memory", memory)] {
            if smallest == 1 {
                // Nothing has to be in memory.
                folder.fails(&format!("{command} {option} 0"));
                continue;
            }
            let said = folder.fails(&format!("{command} {option} {}", smallest - 1));
            assert_eq!(suggested(&said, option), smallest, "{said}");
        }
    }
}

#[test]
fn the_smallest_sram_for_a_tile_does() {
    let folder = Folder::with_fixtures();
    let command = format!("plan blur.zlg --bind H=64,W=64 {TINY} --tile 32x32");
    let smallest = suggested(&folder.fails(&format!("{command} --sram 1KiB")), "--sram");
    folder.succeeds(&format!("{command} --sram {smallest}"));
}

/// The size that a message suggests for an option.
fn suggested(message: &str, option: &str) -> u64 {
    let (_, rest) = message.split_once(&format!("the smallest that would do is `{option} ")).unwrap();
    parse_size(rest.split('`').next().unwrap()).unwrap()
}

#[test]
fn verify_finds_tiled_and_untiled_identical() {
    let folder = Folder::with_fixtures();
    let said = folder.succeeds(&format!("verify blur.zlg -i photo.png {TINY} --tile 4x12 --cut-after a"));
    assert_eq!(said, "identical: 324 values in 1 output (6 tiles in 2 sections)\n");
    let said = folder.succeeds(&format!("verify two.zlg -i left=x.npy -i right=x.npy {TINY} --untiled"));
    assert_eq!(said, "identical: 648 values in 2 outputs (1 tile in 1 section)\n");
}

#[test]
fn check_proves_models_ir_and_programs() {
    let folder = Folder::with_fixtures();
    folder.succeeds(&format!("compile conv.zlg -o s.zir --emit sections {SIZES} {TINY} --tile 2x12"));
    folder.succeeds(&format!("compile conv.zlg -o p.zir --emit program {SIZES} {TINY} --tile 9x2"));
    for what in [
        &format!("conv.zlg {SIZES} --tile 4x4"),
        "conv.zlp",
        "beside.zlp",
        "s.zir",
        "p.zir",
        "conv.zlp --threads 2",
    ] {
        let said = folder.succeeds(&format!("check {what}"));
        assert!(
            said.starts_with("proved: `conv` computes its graph: 1 output written exactly once"),
            "{said}"
        );
    }
}

#[test]
fn check_refutes_what_is_not_the_graph() {
    let folder = Folder::with_fixtures();
    folder.succeeds(&format!("compile blur.zlg -o p.zir --emit program {SIZES} {TINY} --tile 9x6"));
    let text = String::from_utf8(folder.read("p.zir")).unwrap();
    let changed = text.replacen("margin: [1, 1, 1, 1]", "margin: [0, 0, 0, 0]", 1);
    assert_ne!(changed, text);
    folder.write("p.zir", changed);
    let ended = folder.run("check p.zir");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error[E0904]: `blur` is not proved to compute its graph"), "{ended:?}");
}

#[test]
fn bench_times_models_and_programs() {
    let folder = Folder::with_fixtures();
    let said = folder.succeeds(&format!("bench blur.zlg {SIZES} {TINY} --repeat 2 --json"));
    assert_eq!(json(said.lines().last().unwrap())["runs_ms"].as_array().unwrap().len(), 2);
    let said = folder.succeeds(&format!("bench blur.zlg {SIZES} {TINY} --repeat 1"));
    assert!(said.contains(" ms, ") && said.contains("GFLOP/s"), "{said}");
    assert!(folder.succeeds("bench blur.zlp --repeat 1").ends_with(" ms\n"));
}

#[test]
fn explain_knows_every_code() {
    let folder = Folder::new();
    let list = folder.succeeds("explain");
    assert!(list.contains("E0103  unclosed bracket\n"));
    assert!(folder.succeeds("explain e0103").starts_with("# E0103: unclosed bracket\n"));
}

#[test]
fn messages_are_json_where_that_is_wanted() {
    let folder = Folder::with_fixtures();
    folder.write(
        "m.zlg",
        "model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {\n    return rleu(image) + y;\n}\n",
    );
    let objects: Vec<_> = folder.fails("dump m.zlg --message-format json").lines().map(json).collect();
    let codes: Vec<_> = objects.iter().map(|o| o["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E0201", "E0203"]);
    assert_eq!((&objects[0]["file"], &objects[0]["labels"][0]["line"]), (&"m.zlg".into(), &2.into()));
    // Mistakes in the options themselves too.
    for command in ["--message-format json run", "run --message-format=json"] {
        assert_eq!(json(&folder.fails(command))["code"], "E0007");
    }
}

#[test]
fn warnings_are_shown_and_do_not_fail() {
    let folder = Folder::with_fixtures();
    folder.write(
        "m.zlg",
        "model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {\n    let spare = sigmoid(image);\n    return relu(image);\n}\n",
    );
    let ended = folder.run("run m.zlg -i photo.png -o out.png");
    assert_eq!(ended.status, Some(0));
    assert!(ended.stderr.starts_with("warning[E0219]: the value `spare` is never used"), "{}", ended.stderr);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = Folder::new();
    assert!(folder.succeeds("--version").starts_with("zellige "));
    for command in ["run", "compile", "plan", "dump", "opt", "verify", "check", "bench", "explain"] {
        assert!(folder.succeeds(&format!("{command} --help")).contains("Usage: zellige"));
    }
    let ended = folder.run("");
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("Usage: zellige"));
}

#[test]
fn plans_of_a_training_step_say_what_is_kept_for_the_backward_pass() {
    let folder = Folder::with_fixtures();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/backward/small.zlg");
    folder.write("small.zlg", std::fs::read(model).unwrap());
    let command = format!("plan small.zlg --train {TINY} --sram 128KiB --tile 16x32 --cut-after a --json");
    let plan = json(&folder.succeeds(&command));
    let sections = &plan["sections"];
    assert_eq!([&sections[0]["direction"], &sections[1]["direction"]], ["forward", "both"]);
    let kept = |section: &Value| {
        let inputs = section["inputs"].as_array().unwrap().iter().filter(|t| !t["materialized"].is_null());
        inputs.map(|t| t["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&sections[0]), Vec::<Value>::new());
    assert_eq!(kept(&sections[1]), ["a.1"]);
    let plain = json(&folder.succeeds(&format!("plan blur.zlg --bind H=64,W=48 {TINY} --json")));
    assert_eq!(plain["sections"][0].get("direction"), None);
}
