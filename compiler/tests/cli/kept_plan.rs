//! Plans that were kept, and what is done with one that has been edited.

use serde_json::{Value, json};

use crate::folder::Folder;

const BLUR: &str = "blur.zlg --machine tiny --bind H=64,W=48";

/// The plan of `blur.zlg`, its two ops in two sections.
fn kept(folder: &Folder) -> Value {
    let graph = folder.succeeds(&format!("dump {BLUR} --stage sections --format json"));
    let graph: Value = serde_json::from_str(&graph).unwrap();
    let first = graph["graph"]["ops"][0]["name"].as_str().unwrap().to_owned();
    let text = folder
        .succeeds(&format!("dump {BLUR} --stage sections --format json --tile 16x32 --cut-after {first}"));
    folder.write("plan.json", &text);
    let plan: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["sections"].as_array().unwrap().len(), 2);
    plan
}

/// What follows from the choices left out.
fn choices_only(plan: &Value) -> Value {
    let mut plan = plan.clone();
    for section in plan["sections"].as_array_mut().unwrap() {
        section
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !["grid", "sram_bytes", "tensors"].contains(&&**key));
    }
    plan
}

#[test]
fn a_plan_comes_back_as_it_was() {
    let folder = Folder::with_fixtures();
    let plan = kept(&folder);
    for given in [plan.clone(), choices_only(&plan)] {
        folder.write("given.json", given.to_string());
        let again = folder.succeeds(&format!("dump {BLUR} --stage sections --format json --plan given.json"));
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), plan);
    }
    folder.succeeds(&format!("plan {BLUR} --plan plan.json"));
    folder.succeeds(&format!("compile {BLUR} --plan plan.json -o blur.zlp"));
}

#[test]
fn a_plan_says_how_forward_tensors_are_had() {
    let folder = Folder::with_fixtures();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/backward/small.zlg");
    let step = format!("{model} --train --machine tiny --sram 128KiB --stage sections --format json");
    for how in ["tiles", "recompute"] {
        let plan = folder.succeeds(&format!("dump {step} --tile 16x32 --cut-after b --materialize {how}"));
        assert!(plan.contains(&format!("\"a.1\": \"{how}\"")), "{plan}");
        folder.write("plan.json", plan.clone());
        assert_eq!(folder.succeeds(&format!("dump {step} --plan plan.json")), plan);
    }
}

#[test]
fn a_plan_says_whether_circular_padding_is_computed() {
    const MODEL: &str = r#"
        model m(x: f32[1, 2, H, W]) -> (y: f32[1, 2, H, W]) {
            let a = conv2d(x, out: 4, kernel: 3, pad: 1, pad_mode: "circular", name: "a") |> relu;
            return conv2d(a, out: 2, kernel: 3, pad: 1, pad_mode: "circular", name: "b");
        }
    "#;
    let folder = Folder::with_fixtures();
    folder.write("circular.zlg", MODEL);
    let model = "circular.zlg --bind H=64,W=96 --machine tiny --stage sections --format json";
    for (tiling, sections) in [("--tile 16x32 --sram 1GiB", 1), ("--untiled", 2)] {
        let plan = folder.succeeds(&format!("dump {model} {tiling}"));
        let found: Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(found["sections"].as_array().map(Vec::len), Some(sections), "{tiling}");
        for plan in [found.clone(), choices_only(&found)] {
            folder.write("plan.json", plan.to_string());
            let again = folder.succeeds(&format!("dump {model} --sram 1GiB --plan plan.json"));
            let again: Value = serde_json::from_str(&again).unwrap();
            assert_eq!((&again["graph"], &again["sections"]), (&found["graph"], &found["sections"]));
        }
    }
}

#[test]
fn choices_may_be_edited() {
    let folder = Folder::with_fixtures();
    let mut plan = choices_only(&kept(&folder));
    plan["sections"][0]["name"] = json!("first");
    plan["sections"][0]["tile"] = json!([8, 48]);
    plan["sections"][1]["overlap"] = json!("reuse");
    plan["sections"][1]["padding"] = json!("pre");
    folder.write("plan.json", plan.to_string());
    let found = folder.succeeds(&format!("plan {BLUR} --plan plan.json --json"));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["sections"][0]["name"], "first");
    assert_eq!(found["sections"][0]["grid"], json!([8, 1]));
    assert_eq!(found["sections"][1]["overlap"], "reuse");
}

#[test]
fn a_plan_may_be_written_by_hand() {
    let folder = Folder::with_fixtures();
    let plan = kept(&folder);
    folder.write("given.json", json!({ "sections": choices_only(&plan)["sections"] }).to_string());
    let again = folder.succeeds(&format!("dump {BLUR} --stage sections --format json --plan given.json"));
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), plan);
}

#[test]
fn results_are_those_of_any_plan() {
    let folder = Folder::with_fixtures();
    folder.succeeds("run blur.zlg -i photo.png -o expected.npy");
    let plan = folder.succeeds(
        "dump blur.zlg --bind H=9,W=12 --machine tiny --stage sections --format json --tile 2x5 --overlap reuse",
    );
    folder.write("plan.json", plan);
    folder.succeeds("run blur.zlg -i photo.png -o found.npy --plan plan.json");
    assert_eq!(folder.read("found.npy"), folder.read("expected.npy"));
}

/// The message after an edit.
fn refused(folder: &Folder, plan: &Value, edit: impl FnOnce(&mut Value)) -> String {
    let mut plan = plan.clone();
    edit(&mut plan);
    folder.write("plan.json", plan.to_string());
    let ended = folder.run(&format!("plan {BLUR} --plan plan.json"));
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("error[E0705]"), "{}", ended.stderr);
    ended.stderr.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_contradicts_is_refused_by_name() {
    let folder = Folder::with_fixtures();
    let plan = kept(&folder);
    let messages = [
        refused(&folder, &plan, |p| p["sections"][0]["grid"] = json!([4, 3])),
        refused(&folder, &plan, |p| p["sections"][1]["tile"] = json!([16, 16])),
        refused(&folder, &plan, |p| p["sections"][0]["sram_bytes"] = json!(1)),
        refused(&folder, &plan, |p| p["sections"][0]["tensors"]["image"]["tile"] = json!([18, 33])),
        refused(&folder, &plan, |p| p["sections"][0]["tensors"]["image"]["padding"][2] = json!(3)),
        refused(&folder, &plan, |p| p["sections"][0]["tensors"]["image"]["colour"] = json!("red")),
        refused(&folder, &plan, |p| p["sections"][0]["tensors"]["imag"] = json!({})),
        refused(&folder, &plan, |p| {
            p["sections"][0]["tensors"].as_object_mut().unwrap().shift_remove("image");
        }),
        refused(&folder, &plan, |p| p["sections"][1]["ops"] = json!([])),
        refused(&folder, &plan, |p| p["sections"][1]["ops"] = json!(["sofd"])),
        refused(&folder, &plan, |p| p["sections"].as_array_mut().unwrap().reverse()),
        refused(&folder, &plan, |p| p["sections"][0]["tile"] = json!([0, 16])),
        refused(&folder, &plan, |p| p["sections"][0]["overlap"] = json!("none")),
        refused(&folder, &plan, |p| p["sections"][0]["halo"] = json!(1)),
        refused(&folder, &plan, |p| p["graph"]["ops"][0]["attrs"]["kernel"] = json!([5, 5])),
        refused(&folder, &plan, |p| *p = json!({"sections": []})),
    ];
    expect_test::expect![[r#"
        error[E0705]: section `s0`: the plan says `grid[1]` is 3, and from its tiles follows 2
        error[E0705]: section `s1`: the plan says `grid[1]` is 2, and from its tiles follows 3
        error[E0705]: section `s0`: the plan says `sram_bytes` is 1, and from its tiles follows 22080
        error[E0705]: section `s0`, tensor `image`: the plan says `tile[1]` is 33, and from its tiles follows 34
        error[E0705]: section `s0`, tensor `image`: the plan says `padding[2]` is 3, and from its tiles follows 1
        error[E0705]: section `s0`, tensor `image`: the plan says `colour` is "red", and from its tiles follows nothing
        error[E0705]: section `s0` of the plan has a tensor `imag`, which its ops neither read nor compute
        error[E0705]: section `s0` of the plan leaves out tensor `image`
        error[E0705]: section `s1` of the plan: it has no ops
        error[E0705]: section `s1` of the plan: no op computes `sofd`
        error[E0705]: section `s1` of the plan: `soft` is computed before `a`, which it reads
        error[E0705]: section `s0` of the plan: no tile has a side of 0
        error[E0705]: the file is not a plan: unknown variant `none`, expected `recompute` or `reuse` at line 1 column 798
        error[E0705]: the file is not a plan: unknown field `halo`, expected one of `name`, `ops`, `tile`, `overlap`, `padding`, `gradient`, `colours`, `grid`, `sram_bytes`, `tensors`, `materialized` at line 1 column 2163
        error[E0705]: the plan is for another graph: of op `a`, `attrs.kernel[0]` is 5 there, and 3 here
        error[E0705]: the plan: `a` is computed in no section
    "#]].assert_eq(&(messages.join("\n") + "\n"));
}
