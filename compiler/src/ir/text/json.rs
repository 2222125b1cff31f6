//! JSON of the three levels: names instead of ids, the same numbers as in the text.

use serde_json::{Map, Value as Json, json};

use crate::base::ValueId;
use crate::ir::{Def, Device, Direction, Graph, Module, Section, Sections};

/// The JSON of a module; the graph of a program is a text, and the values of its weights are left out.
pub fn to_json(module: &Module) -> Json {
    match module {
        Module::Graph(graph) => graph_to_json(graph),
        Module::Sections(ir) => sections_to_json(ir),
        Module::Program(program) => plain(program),
    }
}

/// What serialises without fail.
fn plain(data: &impl serde::Serialize) -> Json {
    serde_json::to_value(data).unwrap_or(Json::Null)
}

fn name(graph: &Graph, value: ValueId) -> &str {
    graph.values.get(value).map_or("?", |v| &v.name)
}

/// The JSON of a graph: parameters, inputs, constants, ops and outputs, each in order.
pub fn graph_to_json(graph: &Graph) -> Json {
    let typed =
        |value: ValueId| json!({"name": name(graph, value), "type": graph.values[value].ty.to_string()});
    let params = graph.params.iter().map(|(_, p)| match &p.derived {
        None => json!({"name": p.name, "dims": p.dims}),
        Some(derived) => {
            let sources: Vec<_> =
                derived.sources.iter().filter_map(|&s| Some(&graph.params.get(s)?.name)).collect();
            json!({"name": p.name, "dims": p.dims, "formula": derived.formula, "sources": sources})
        }
    });
    let constants = graph.values.iter().filter_map(|(id, value)| match &value.def {
        Def::Constant(data) => {
            let mut constant = typed(id);
            constant["data"] = data.iter().map(|&v| number(v)).collect();
            Some(constant)
        }
        Def::Input | Def::Op(_) => None,
    });
    let ops = graph.ops.iter().map(|(_, node)| {
        let mut op = json!({
            "name": name(graph, node.output),
            "op": node.op.name(),
            "inputs": node.inputs.iter().map(|&v| name(graph, v)).collect::<Vec<_>>(),
            "params": node.params.iter().map(|&p| graph.params[p].name.as_str()).collect::<Vec<_>>(),
            "attrs": node.op.attrs(),
            "type": graph.values[node.output].ty.to_string(),
        });
        if node.direction == Direction::Backward {
            op["direction"] = plain(&node.direction);
        }
        op
    });
    let outputs = graph
        .outputs
        .iter()
        .map(|o| json!({"name": o.name, "value": name(graph, o.value), "type": o.ty.to_string()}));
    let exact = graph.exact.iter().map(|e| json!({"dividend": plain(&e.dividend), "divisor": e.divisor}));
    json!({
        "name": graph.name,
        "weights": graph.weights,
        "params": params.collect::<Json>(),
        "inputs": graph.inputs.iter().map(|&v| typed(v)).collect::<Json>(),
        "constants": constants.collect::<Json>(),
        "ops": ops.collect::<Json>(),
        "outputs": outputs.collect::<Json>(),
        "exact": exact.collect::<Json>(),
    })
}

/// A number, or the name of one that JSON has none for.
fn number(value: f32) -> Json {
    serde_json::Number::from_f64(value.into()).map_or_else(|| Json::String(value.to_string()), Json::Number)
}

/// The graph metadata: for each section how each of its tensors is tiled, padded and stored.
pub fn sections_to_json(ir: &Sections) -> Json {
    let sections = ir.sections.iter().map(|s| section_to_json(&ir.graph, s));
    json!({
        "graph": graph_to_json(&ir.graph),
        "target": plain(&ir.target),
        "sections": sections.collect::<Json>(),
        "device": ir.device.as_ref().map(|d| device_to_json(ir, d)),
    })
}

fn section_to_json(graph: &Graph, section: &Section) -> Json {
    let ops =
        section.ops.iter().filter_map(|&op| graph.ops.get(op)).map(|n| Json::from(name(graph, n.output)));
    let tensors = section.tensors.iter().map(|(&v, tiling)| (name(graph, v).to_owned(), plain(tiling)));
    let materialized = section.materialized.iter().map(|(&v, how)| (name(graph, v).to_owned(), plain(how)));
    json!({
        "name": section.name,
        "ops": ops.collect::<Json>(),
        "tile": section.tile,
        "overlap": section.overlap,
        "padding": section.padding,
        "gradient": section.gradient,
        "colours": section.colours,
        "grid": section.grid,
        "sram_bytes": section.sram_bytes,
        "tensors": tensors.collect::<Map<_, _>>(),
        "materialized": materialized.collect::<Map<_, _>>(),
    })
}

fn device_to_json(ir: &Sections, device: &Device) -> Json {
    let composites = device.composites.iter().map(|(value, composite)| {
        let name = name(&ir.graph, *value);
        let section = composite.blocks.and_then(|blocks| ir.sections.get(blocks.section as usize));
        let key = section.map_or_else(|| name.to_owned(), |section| format!("{name} in {}", section.name));
        (key, plain(composite))
    });
    json!({
        "composites": composites.collect::<Map<_, _>>(),
        "weight_bytes": device.weight_bytes,
        "accumulator_bytes": device.accumulator_bytes,
        "arena_bytes": device.arena_bytes,
        "border_bytes": device.border_bytes,
    })
}
