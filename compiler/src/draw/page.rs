//! A page about a graph or sections: the drawing, and for sections their list, the tiling of each tensor, and memory over time.

use serde_json::{Value as Json, json};

use super::diagram::{Diagram, both, overlap_name};
use super::svg::{draw, number};
use super::text::escape;
use super::{sheet, tiling, timeline};
use crate::base::{Id, ValueId, units};
use crate::driver::{Report, SectionReport};
use crate::ir::{Graph, Section, Sections};

const PAGE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
/// The parts of the script, in the order of their dependence.
const SCRIPT: [&str; 5] = [
    include_str!("assets/dom.js"),
    include_str!("assets/graph.js"),
    include_str!("assets/tiling.js"),
    include_str!("assets/timeline.js"),
    include_str!("assets/sections.js"),
];

/// The page of a graph.
pub(super) fn of_graph(graph: &Graph) -> String {
    let facts =
        vec![fact("ops", graph.ops.len().to_string()), fact("parameters", graph.params.len().to_string())];
    page(&Diagram::of_graph(graph), graph, &facts, &json!({"sections": []}))
}

/// The page of sections.
pub(super) fn of_sections(ir: &Sections) -> String {
    let report = Report::of(ir);
    let diagram = Diagram::of_sections(ir, report.as_ref());
    let sections = ir.sections.iter().enumerate().map(|(i, s)| {
        let report = report.as_ref().and_then(|r| r.sections.get(i));
        section(ir, s, report)
    });
    let data = json!({"sections": sections.collect::<Json>(), "memory": timeline::to_json(ir)});
    page(&diagram, &ir.graph, &facts(ir, report.as_ref()), &data)
}

/// A number and what it is.
fn fact(what: &str, value: String) -> [String; 2] {
    [what.to_owned(), value]
}

fn facts(ir: &Sections, report: Option<&Report>) -> Vec<[String; 2]> {
    let target = &ir.target;
    let machine = format!("{}, {} × {}", target.machine.name, target.threads, units::bytes(target.sram));
    let mut facts =
        vec![fact("machine, workers × SRAM", machine), fact("ops", ir.graph.ops.len().to_string())];
    facts.push(fact("sections", ir.sections.len().to_string()));
    let Some(report) = report else { return facts };
    let tiles: u64 = report.sections.iter().map(|s| s.grid[0].saturating_mul(s.grid[1])).sum();
    let seconds: f64 = report.sections.iter().map(|s| s.seconds).sum();
    let borders = if report.streamed { 0 } else { report.border_bytes };
    let field = report.receptive_field.map_or("the whole image".to_owned(), both);
    facts.extend([
        fact("tiles", tiles.to_string()),
        fact("work without halos", units::operations(report.flops)),
        fact("with halos", format!("×{:.3}", report.recompute_ratio)),
        fact("modelled time", units::time(seconds)),
        fact("receptive field", field),
        fact("SRAM a worker", units::bytes(report.sram_bytes)),
        fact("memory", units::bytes(report.device_bytes.saturating_add(borders))),
    ]);
    facts
}

fn section(ir: &Sections, section: &Section, report: Option<&SectionReport>) -> Json {
    let graph = &ir.graph;
    let materialized = ir.kept(section);
    let names: Vec<_> = section.ops.iter().map(|&op| graph.ops[op].op.name()).collect();
    let tensors = section.tensors.iter().map(|(&value, t)| {
        let of = &graph.values[value];
        let mut tensor = tiling::to_json(&of.name, &of.ty.to_string(), t);
        tensor["value"] = json!(value.index());
        tensor["kept"] = json!(materialized.contains(&value));
        tensor
    });
    json!({
        "name": section.name,
        "direction": ir.direction(section),
        "ops": names,
        "tile": section.tile.map(both),
        "grid": section.grid.map(both),
        "overlap": section.overlap.map(overlap_name),
        "sram": section.sram_bytes.map(units::bytes),
        "cost": report.map(|r| json!({
            "seconds": r.seconds,
            "time": units::time(r.seconds),
            "work": units::operations(r.flops),
            "ratio": format!("×{:.2}", r.recompute_ratio),
            "traffic": units::bytes(r.traffic as u64),
        })),
        "tensors": tensors.collect::<Json>(),
    })
}

fn page(diagram: &Diagram, graph: &Graph, facts: &[[String; 2]], data: &Json) -> String {
    let drawing = draw(diagram);
    let facts: String = facts
        .iter()
        .map(|[what, value]| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(what), escape(value)))
        .collect();
    let script = SCRIPT.concat();
    fill(PAGE, |key| match key {
        "name" => escape(&graph.name),
        "signature" => escape(&signature(graph)),
        "facts" => facts.clone(),
        "style" => format!("{}{STYLE}", sheet::style()),
        "width" => number(drawing.width),
        "height" => number(drawing.height),
        "passes" => passes(diagram),
        "graph" => drawing.body.clone(),
        "data" => embedded(data),
        "script" => script.clone(),
        _ => String::new(),
    })
}

/// What the legend of a training step has besides.
fn passes(diagram: &Diagram) -> String {
    if !diagram.trains() {
        return String::new();
    }
    let dashed = if diagram.clusters.is_empty() { "read by it" } else { "kept for it" };
    format!(
        "<li><i class=\"swatch backward\"></i>backward pass</li>\n\
         <li><i class=\"dashes\"></i>forward tensor {dashed}</li>\n"
    )
}

/// What goes in and what comes out.
fn signature(graph: &Graph) -> String {
    let input = |v: &ValueId| format!("{}: {}", graph.values[*v].name, graph.values[*v].ty);
    let inputs: Vec<_> = graph.inputs.iter().map(input).collect();
    let outputs: Vec<_> = graph.outputs.iter().map(|o| format!("{}: {}", o.name, o.ty)).collect();
    format!("({}) → ({})", inputs.join(", "), outputs.join(", "))
}

/// JSON within a `script` element, where only a `<` could end it.
fn embedded(data: &Json) -> String {
    data.to_string().replace('<', "\\u003c")
}

/// The template with each `{{key}}` replaced; what is put in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((key, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        filled.push_str(&value(key));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_once() {
        let value = |key: &str| if key == "a" { "{{b}}".to_owned() } else { "!".to_owned() };
        assert_eq!(fill("x{{a}}y{{b}}z", value), "x{{b}}y!z");
    }

    #[test]
    fn data_does_not_end_its_element() {
        assert_eq!(embedded(&json!({"a": "</script>"})), r#"{"a":"\u003c/script>"}"#);
    }
}
