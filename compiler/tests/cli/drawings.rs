//! Pictures and pages of the IR: whole, to be read, and nothing gets out of a name.

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::folder::Folder;
use crate::snapshot;

/// A name that would do something if it were not escaped.
const NAME: &str = "</title></script><script>alert('1')</script><!-- ]]>\\\" onload=\\\"x";

/// Two convolutions in four tiles of 16 x 16, as far as `allocate`.
fn pair(folder: &Folder) {
    let case = snapshot::folder("filetests/allocate/two_convolutions.zir");
    folder.write("m.zir", std::fs::read(case).unwrap());
    folder.succeeds("opt m.zir --passes tile,pad,overlap,allocate -o pair.zir");
}

/// A U-shaped network with a skip, a strided convolution and a squeeze-and-excite.
fn branches(folder: &Folder) {
    let model = "
        model branches(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
            let a = conv2d(image, out: 8, kernel: 3, pad: 1, name: \"a\") |> relu;
            let s = global_avg_pool(a) |> conv2d(out: 8, kernel: 1, name: \"s\") |> sigmoid;
            let b = conv2d(a * s, out: 8, kernel: 2, stride: 2, name: \"b\") |> upsample(scale: 2);
            return conv2d(concat(a, b, axis: 1), out: 3, kernel: 3, pad: 1, name: \"c\") + 0.5 * image;
        }";
    folder.write("branches.zlg", model);
}

fn elements<'a>(document: &'a Document<'_>, class: &str) -> Vec<Node<'a, 'a>> {
    let is = |node: &Node<'_, '_>| {
        node.attribute("class").is_some_and(|given| given.split(' ').any(|c| c == class))
    };
    document.descendants().filter(is).collect()
}

/// Left, top, right and bottom.
fn frame(node: Node<'_, '_>) -> [f64; 4] {
    let [x, y, w, h] =
        ["x", "y", "width", "height"].map(|name| node.attribute(name).unwrap_or("0").parse().unwrap());
    [x, y, x + w, y + h]
}

fn contains(outer: [f64; 4], inner: [f64; 4]) -> bool {
    outer[0] <= inner[0] && outer[1] <= inner[1] && inner[2] <= outer[2] && inner[3] <= outer[3]
}

fn apart(a: [f64; 4], b: [f64; 4]) -> bool {
    a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1]
}

fn texts(nodes: &[Node<'_, '_>]) -> Vec<String> {
    nodes.iter().map(|n| n.text().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_svg_of_sections_shows_tiles_and_halos() {
    let folder = Folder::new();
    pair(&folder);
    let svg = folder.succeeds("dump pair.zir --format svg");
    let document = Document::parse(&svg).unwrap();
    assert_eq!(texts(&elements(&document, "label")), ["20×20 · halo 4", "18×18 · halo 2", "16×16"]);
    assert_eq!(elements(&document, "section").len(), 1);
    assert_eq!(elements(&document, "load").len(), 1);
    assert_eq!(elements(&document, "store").len(), 1);
    assert_eq!(elements(&document, "edge").len(), 5);
    let notes = texts(&elements(&document, "note"));
    for note in ["tile 16×16", "grid 2×2", "pad 2"] {
        assert!(notes.iter().any(|n| n == note), "{notes:?}");
    }
}

#[test]
fn boxes_lie_in_their_section_and_do_not_touch() {
    let folder = Folder::new();
    branches(&folder);
    let options = "--stage sections --bind H=32,W=48 --machine tiny --tile 8x8";
    let svg = folder.succeeds(&format!("dump branches.zlg {options} --format svg"));
    let document = Document::parse(&svg).unwrap();
    let frames: Vec<_> = elements(&document, "frame").into_iter().map(frame).collect();
    let shapes = elements(&document, "shape");
    assert!(frames.len() > 1 && shapes.len() > 8, "{svg}");
    for (i, shape) in shapes.iter().enumerate() {
        let own = frame(*shape);
        let section = shape.parent().unwrap().attribute("data-section").map(|s| s.parse::<usize>().unwrap());
        for (s, outer) in frames.iter().enumerate() {
            assert!(if section == Some(s) { contains(*outer, own) } else { apart(*outer, own) });
        }
        assert!(shapes[..i].iter().all(|other| apart(frame(*other), own)));
    }
    let sheet = frame(elements(&document, "sheet")[0]);
    assert!(shapes.iter().all(|shape| frame(*shape)[3] < sheet[3]));
}

#[test]
fn the_svg_of_a_graph_has_a_box_an_op() {
    let folder = Folder::new();
    branches(&folder);
    for binding in ["", "--stage graph --bind H=32,W=48"] {
        let svg = folder.succeeds(&format!("dump branches.zlg --format svg {binding}"));
        let document = Document::parse(&svg).unwrap();
        let ops = folder.succeeds("dump branches.zlg --format json");
        let ops: Value = serde_json::from_str(&ops).unwrap();
        assert_eq!(elements(&document, "ops").len(), ops["ops"].as_array().unwrap().len());
        assert!(elements(&document, "section").is_empty());
    }
}

#[test]
fn names_are_only_names() {
    let folder = Folder::new();
    let graph = format!(
        "graph \"{NAME}\" {{
            input %\"{NAME}\" : f32[1, 1, 8, 8];
            %y = relu %\"{NAME}\" : f32[1, 1, 8, 8];
            output \"{NAME}\" %y : f32[1, 1, 8, 8];
        }}"
    );
    folder.write("g.zir", &graph);
    let machine = "machine: (name: small, sram: \"64KiB\", memory: \"1GiB\", bandwidth: 8e9, units: 1, \
                   lanes: 16, clock: 1e9), sram: 65536, memory: 1073741824, threads: 1";
    folder.write("s.zir", format!("sections ({machine}) {{ {graph} section s0 [%y] (tile: [4, 4]) {{}} }}"));
    folder.succeeds("opt s.zir --passes tile,pad,overlap,allocate -o t.zir");
    for file in ["g.zir", "s.zir", "t.zir"] {
        let svg = folder.succeeds(&format!("dump {file} --format svg"));
        let document = Document::parse(&svg).unwrap();
        assert!(!document.descendants().any(|n| n.has_tag_name("script") || n.attribute("onload").is_some()));
        let html = folder.succeeds(&format!("dump {file} --format html"));
        assert_eq!(html.matches("<script").count(), 2, "data and code");
        assert_eq!(html.matches("</script").count(), 2);
        assert_eq!(html.matches("</title>").count(), drawn_titles(&html) + 1);
        assert!(!html.contains("<!-- ]]>") && !html.contains("\" onload=\"x"));
    }
}

/// Explanations of boxes, which are titles too.
fn drawn_titles(html: &str) -> usize {
    html.matches("<g class=\"box ").count()
}

/// What the page is made from.
fn data(html: &str) -> Value {
    let (_, data) = html.split_once("id=\"data\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_has_tilings_and_memory() {
    let folder = Folder::new();
    pair(&folder);
    let html = folder.succeeds("dump pair.zir --format html");
    let data = data(&html);
    let tensors = data["sections"][0]["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), 3);
    assert_eq!(tensors[1]["border"], serde_json::json!([1, 1, 1, 1]));
    let steps = &tensors[1]["axes"][0]["stretches"][0];
    assert_eq!(steps[0]["computed"], serde_json::json!([-1, 17]));
    assert_eq!(steps[1]["computed"], serde_json::json!([15, 33]));
    // Input, intermediate and output, and scratch and weights above them.
    let blocks = data["memory"]["sram"]["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 4);
    let [end, used] = [&blocks[3], &data["memory"]["sram"]].map(|v| {
        v["used"].as_u64().unwrap_or_else(|| v["offset"].as_u64().unwrap() + v["bytes"].as_u64().unwrap())
    });
    assert_eq!(end, used);
}

#[test]
fn the_page_needs_nothing_else_and_is_the_same_each_time() {
    let folder = Folder::new();
    branches(&folder);
    let command = "dump branches.zlg --stage sections --bind H=64,W=64 --machine tiny --format html";
    let html = folder.succeeds(command);
    assert_eq!(html, folder.succeeds(command));
    for outside in ["src=", "href=", "url(http", "@import", "fetch("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let graph = folder.succeeds("dump branches.zlg --format html");
    assert_eq!(data(&graph)["sections"], serde_json::json!([]));
}

#[test]
fn a_page_does_not_grow_with_the_image() {
    let folder = Folder::with_fixtures();
    let page = |sizes: &str| {
        let command = format!(
            "dump blur.zlg --stage sections --bind {sizes} --machine tiny --memory 1TiB --format html"
        );
        folder.succeeds(&command).len()
    };
    let (small, large) = (page("H=256,W=256"), page("H=100000,W=100000"));
    assert!(large < small + 8192, "{small} and {large} bytes");
}

/// A training step with a cut behind `a`, which is read again on the way back.
fn step(folder: &Folder) -> &'static str {
    let model = "
        model m(x: f32[1, 1, 64, 64]) -> (y: f32[1, 1, 64, 64]) {
            let a = conv2d(x, out: 4, kernel: 3, pad: 1, name: \"a\") |> relu;
            return conv2d(a, out: 1, kernel: 3, pad: 1, name: \"b\");
        }
        train(target: f32[1, 1, 64, 64]) {
            loss mse(y, target);
            optimizer sgd(lr: 0.1);
        }";
    folder.write("m.zlg", model);
    "m.zlg --train --machine tiny --sram 128KiB --tile 16x32"
}

/// Ops of the backward pass, and pairs of an op of the forward pass and one of the backward pass that reads it.
fn passes(folder: &Folder, command: &str) -> (Vec<String>, usize) {
    let text = folder.succeeds(&format!("dump {command}"));
    let (_, backward) = text.split_once("backward;").unwrap();
    let name = |line: &str| Some(line.trim().strip_prefix('%')?.split_once(" = ")?.0.to_owned());
    let backward: Vec<_> = backward.lines().filter_map(name).collect();
    let graph: Value =
        serde_json::from_str(&folder.succeeds(&format!("dump {command} --format json"))).unwrap();
    let ops = graph["ops"].as_array().unwrap();
    let is_backward = |name: &Value| backward.iter().any(|b| b == name.as_str().unwrap());
    let is_forward = |name: &Value| ops.iter().any(|op| op["name"] == *name) && !is_backward(name);
    let reads = |op: &Value| {
        let mut inputs = op["inputs"].as_array().unwrap().clone();
        inputs.dedup();
        inputs.iter().filter(|&input| is_forward(input)).count()
    };
    let returns = ops.iter().filter(|op| is_backward(&op["name"])).map(reads).sum();
    (backward, returns)
}

/// Those of the elements that have another class too.
fn also<'a>(nodes: &[Node<'a, 'a>], class: &str) -> Vec<Node<'a, 'a>> {
    let has = |n: &&Node<'_, '_>| n.attribute("class").unwrap().split(' ').any(|c| c == class);
    nodes.iter().filter(has).copied().collect()
}

/// The first texts of elements.
fn titles(nodes: &[Node<'_, '_>]) -> Vec<String> {
    let title = |node: &Node<'_, '_>| {
        let text = node.descendants().find(|n| n.has_tag_name("text"));
        text.and_then(|n| n.text()).unwrap_or_default().to_owned()
    };
    nodes.iter().map(title).collect()
}

#[test]
fn the_svg_of_a_training_step_marks_the_backward_pass() {
    let folder = Folder::new();
    let command = step(&folder);
    let (backward, returns) = passes(&folder, command);
    assert!(backward.len() > 4 && returns > 2);
    let svg = folder.succeeds(&format!("dump {command} --format svg"));
    let document = Document::parse(&svg).unwrap();
    let marked = also(&elements(&document, "ops"), "backward");
    assert_eq!(marked.len(), backward.len());
    // In words as well as in a colour.
    let words = vec!["backward"; backward.len()];
    assert_eq!(texts(&elements(&document, "remark")), words);
    assert_eq!(also(&elements(&document, "edge"), "kept").len(), returns);
    assert!(svg.contains("backward: of the backward pass") && svg.contains("class=\"dashes\""), "no legend");
}

#[test]
fn the_svg_of_sections_marks_what_is_kept_for_the_backward_pass() {
    let folder = Folder::new();
    let command = format!("dump {} --stage sections --cut-after a --format svg", step(&folder));
    let svg = folder.succeeds(&command);
    let document = Document::parse(&svg).unwrap();
    let sections = elements(&document, "section");
    assert_eq!(sections.len(), 2);
    assert_eq!(titles(&also(&sections, "both")), ["s1"]);
    assert!(also(&sections, "backward").is_empty());
    let notes = texts(&elements(&document, "note"));
    for note in ["forward", "forward and backward", "pad 2 · kept", "kept"] {
        assert_eq!(notes.iter().filter(|n| *n == note).count(), 1, "{note} in {notes:?}");
    }
    let ports = also(&elements(&document, "port"), "kept");
    assert_eq!(titles(&ports), ["store %a.1", "load %a.1"]);
    let dashed = also(&elements(&document, "edge"), "kept");
    assert_eq!(dashed.len(), 1);
    assert_eq!(dashed[0].attribute("data-value"), ports[0].attribute("data-value"));
    let remarks = elements(&document, "remark").len();
    assert_eq!(remarks, also(&elements(&document, "ops"), "backward").len());
    assert!(remarks > 4 && svg.contains("kept: a tensor of the forward pass"), "no legend");
}

#[test]
fn a_section_of_the_backward_pass_says_it_once() {
    let folder = Folder::new();
    let command = format!("dump {} --stage sections --grad rmw --format svg", step(&folder));
    let svg = folder.succeeds(&command);
    let document = Document::parse(&svg).unwrap();
    let backward = also(&elements(&document, "section"), "backward");
    assert!(!backward.is_empty());
    let said = texts(&elements(&document, "note")).into_iter().filter(|n| n == "backward").count();
    assert_eq!(said, backward.len());
    let remarks = elements(&document, "remark");
    for section in backward {
        let inside = |n: &Node<'_, '_>| n.attribute("data-section") == section.attribute("data-section");
        let ops: Vec<_> = elements(&document, "ops").into_iter().filter(inside).collect();
        assert_eq!(also(&ops, "backward").len(), ops.len());
        assert!(!remarks.iter().any(|r| inside(&r.parent().unwrap())));
    }
}

#[test]
fn the_page_of_a_training_step_has_both_passes() {
    let folder = Folder::new();
    let command = step(&folder);
    let html = folder.succeeds(&format!("dump {command} --stage sections --cut-after a --format html"));
    let sections = &data(&html)["sections"];
    assert_eq!([&sections[0]["direction"], &sections[1]["direction"]], ["forward", "both"]);
    let kept = |section: &Value| {
        let tensors = section["tensors"].as_array().unwrap().iter().filter(|t| t["kept"] == true);
        tensors.map(|t| t["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!([kept(&sections[0]), kept(&sections[1])], [vec![], vec!["a.1".to_owned()]]);
    assert!(html.contains("</i>forward tensor kept for it</li>"));
    let graph = folder.succeeds(&format!("dump {command} --format html"));
    assert!(graph.contains("</i>forward tensor read by it</li>"));
}

#[test]
fn networks_of_one_pass_are_drawn_without_marks() {
    let folder = Folder::new();
    branches(&folder);
    for stage in ["graph", "sections"] {
        let command = format!("dump branches.zlg --stage {stage} --bind H=32,W=48 --machine tiny --format");
        let svg = folder.succeeds(&format!("{command} svg"));
        let document = Document::parse(&svg).unwrap();
        for class in ["backward", "both", "kept", "remark", "dashes"] {
            assert!(elements(&document, class).is_empty(), "{class}");
        }
        assert!(!texts(&elements(&document, "note")).iter().any(|n| n.contains("ward")));
        let html = folder.succeeds(&format!("{command} html"));
        assert!(!html.contains("backward pass</li>"));
        assert!(!folder.succeeds(&format!("{command} dot")).contains("backward"));
    }
}
