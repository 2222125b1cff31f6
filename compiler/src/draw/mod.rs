//! Pictures of the IR, to be looked at in a browser: a graph or its sections as SVG, or all that is known of them as a page.
//!
//! Of a training step both show which pass an op is part of, and what is kept from the forward pass for the backward pass.
//!
//! Both are self-contained files, the same for the same input, in light or dark as the reader's system is. Names from a
//! model are escaped wherever they appear.

mod attributes;
mod diagram;
mod instructions;
mod layered;
mod page;
mod sheet;
mod svg;
mod text;
mod tiling;
mod timeline;

use crate::driver::Report;
use crate::ir::Module;
use diagram::Diagram;

/// An SVG file: ops as boxes; of sections a cluster each, with tile sizes and halos on the edges. Programs have none.
pub fn svg(module: &Module) -> Option<String> {
    match module {
        Module::Graph(graph) => {
            let subtitle = count(graph.ops.len(), "op");
            Some(sheet::sheet(&Diagram::of_graph(graph), &graph.name, &subtitle))
        }
        Module::Sections(ir) => {
            let report = Report::of(ir);
            let diagram = Diagram::of_sections(ir, report.as_ref());
            let target = &ir.target;
            let subtitle = format!(
                "{} in {}, for {} with {} of SRAM",
                count(ir.graph.ops.len(), "op"),
                count(ir.sections.len(), "section"),
                target.machine.name,
                crate::base::units::bytes(target.sram)
            );
            Some(sheet::sheet(&diagram, &ir.graph.name, &subtitle))
        }
        Module::Program(_) => None,
    }
}

/// A page that needs nothing else: the drawing, and of sections their list, the tiling of each tensor, and memory over time.
/// Programs have none.
pub fn html(module: &Module) -> Option<String> {
    match module {
        Module::Graph(graph) => Some(page::of_graph(graph)),
        Module::Sections(ir) => Some(page::of_sections(ir)),
        Module::Program(_) => None,
    }
}

/// A number of things.
fn count(n: usize, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{plural}")
}
