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
