//! A plan that was kept: taken instead of the planner's, and held against what the passes derive.
//!
//! The file is the graph metadata, as `dump --stage sections --format json` writes it. Names, ops, target tiles, overlap strategies,
//! padding, gradients and materialized tensors of its sections are obeyed. All else that it says of a section follows from those: the passes derive it again, and
//! what differs is refused. Target and device memory are the run's own and are not looked at.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value as Json;
use zellige_grammar::{Code, Diagnostic, suggest};

use super::repeated::with_repeats;
use crate::base::{OpId, ValueId};
use crate::ir::text::{graph_to_json, sections_to_json};
use crate::ir::{Gradient, Graph, Materialize, Overlap, Padding, Section, Sections, Target, verify};

/// Largest side of a tile that means something.
const LARGEST_TILE: u64 = i64::MAX as u64;

/// A plan from a file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct KeptPlan {
    /// Left out of what is written by hand: then any graph that has the ops will do.
    #[serde(default)]
    graph: Option<Json>,
    sections: Vec<KeptSection>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSection {
    name: String,
    ops: Vec<String>,
    tile: [u64; 2],
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    padding: Padding,
    #[serde(default)]
    gradient: Gradient,
    #[serde(default)]
    colours: Json,
    #[serde(default)]
    grid: Json,
    #[serde(default)]
    sram_bytes: Json,
    #[serde(default)]
    tensors: IndexMap<String, Json>,
    #[serde(default)]
    materialized: IndexMap<String, Materialize>,
}

/// Where two pieces of JSON differ, and what is there.
struct Difference {
    path: String,
    kept: Json,
    derived: Json,
}

impl KeptPlan {
    /// From the text of a file.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        serde_json::from_str(text).map_err(|e| refusal(format!("the file is not a plan: {e}")))
    }

    /// Whether it is of a graph, by the names of the ops.
    pub(super) fn is_of(&self, graph: &Graph) -> bool {
        let planned = |op: &str| self.sections.iter().flat_map(|s| &s.ops).any(|name| name == op);
        match self.kept_ops() {
            Some(ops) => with_repeats(graph, ops).is_some(),
            None => graph.ops.iter().all(|(_, node)| planned(&graph.values[node.output].name)),
        }
    }

    /// The sections of the plan, with nothing derived yet.
    pub(super) fn cut(&self, graph: Graph, target: Target) -> Result<Sections, Vec<Diagnostic>> {
        let graph = self.kept_ops().and_then(|ops| with_repeats(&graph, ops)).unwrap_or(graph);
        self.check_graph(&graph).map_err(|d| vec![d])?;
        let sections = self.sections.iter().map(|s| s.section(&graph)).collect::<Result<_, _>>();
        let sections = sections.map_err(|d| vec![d])?;
        let ir = Sections { graph, target, sections, device: None };
        let problems: Vec<Diagnostic> = verify::sections_violations(&ir)
            .iter()
            .map(|v| match &v.section {
                Some(name) => refusal(format!("section `{name}` of the plan: {}", v.error)),
                None => refusal(format!("the plan: {}", v.error)),
            })
            .collect();
        if problems.is_empty() { Ok(ir) } else { Err(problems) }
    }

    /// The ops of its graph.
    fn kept_ops(&self) -> Option<&[Json]> {
        Some(list(&self.graph.as_ref()?["ops"]))
    }

    /// Whether it was made for this graph with these sizes.
    fn check_graph(&self, graph: &Graph) -> Result<(), Diagnostic> {
        let Some(kept) = &self.graph else { return Ok(()) };
        let here = graph_to_json(graph);
        for part in ["inputs", "params", "constants", "ops", "outputs", "exact"] {
            let (kept, found) = (list(&kept[part]), list(&here[part]));
            for (a, b) in kept.iter().zip(found) {
                if let Some(d) = difference(a, b, "", true) {
                    return Err(another_graph(part, a, &d));
                }
            }
            if kept.len() != found.len() {
                let message = format!(
                    "the plan is for another graph: it has {} {part}, and this one {}",
                    kept.len(),
                    found.len()
                );
                return Err(refusal(message));
            }
        }
        Ok(())
    }

    /// Whether what the passes have derived so far is what the file says.
    pub fn check(&self, ir: &Sections) -> Result<(), Vec<Diagnostic>> {
        let derived = sections_to_json(ir);
        let settled = ir.device.is_some();
        let each = self.sections.iter().zip(list(&derived["sections"]));
        let problems: Vec<_> = each.filter_map(|(kept, found)| kept.contradiction(found, settled)).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl KeptSection {
    fn section(&self, graph: &Graph) -> Result<Section, Diagnostic> {
        let name = &self.name;
        let find = |op: &String| {
            let found = graph.ops.iter().find(|(_, node)| graph.values[node.output].name == *op);
            found.map(|(id, _)| id).ok_or_else(|| {
                let known = graph.ops.iter().map(|(_, n)| graph.values[n.output].name.as_str());
                refusal(format!("section `{name}` of the plan: no op computes `{op}`"))
                    .maybe_hint(suggest::did_you_mean(op, known))
            })
        };
        let ops = self.ops.iter().map(find).collect::<Result<Vec<OpId>, _>>()?;
        if let Some(side) = self.tile.iter().find(|side| !(1..=LARGEST_TILE).contains(*side)) {
            return Err(refusal(format!("section `{name}` of the plan: no tile has a side of {side}")));
        }
        Ok(Section {
            name: name.clone(),
            ops,
            tile: Some(self.tile),
            overlap: Some(self.overlap),
            padding: self.padding,
            gradient: self.gradient,
            colours: None,
            grid: None,
            tensors: IndexMap::new(),
            materialized: self.materialized(graph)?,
            sram_bytes: None,
        })
    }

    /// How it has tensors of the forward pass, by their names.
    fn materialized(&self, graph: &Graph) -> Result<IndexMap<ValueId, Materialize>, Diagnostic> {
        let find = |(tensor, &how): (&String, &Materialize)| {
            let found = graph.values.iter().find(|(_, value)| value.name == *tensor);
            let name = &self.name;
            found.map(|(id, _)| (id, how)).ok_or_else(|| {
                let known = graph.values.iter().map(|(_, value)| value.name.as_str());
                refusal(format!("section `{name}` of the plan: there is no tensor `{tensor}` to materialize"))
                    .maybe_hint(suggest::did_you_mean(tensor, known))
            })
        };
        self.materialized.iter().map(find).collect()
    }

    /// The first thing that is said otherwise than it is derived; `settled` where no pass is to come.
    fn contradiction(&self, found: &Json, settled: bool) -> Option<Diagnostic> {
        let name = &self.name;
        let own = [("colours", &self.colours), ("grid", &self.grid), ("sram_bytes", &self.sram_bytes)];
        let own = own.into_iter().find_map(|(key, kept)| difference(kept, &found[key], key, settled));
        if let Some(d) = own {
            return Some(d.refusal(&format!("section `{name}`")));
        }
        let derived = found["tensors"].as_object().filter(|tensors| !tensors.is_empty())?;
        for (tensor, kept) in &self.tensors {
            let Some(found) = derived.get(tensor) else {
                return Some(refusal(format!(
                    "section `{name}` of the plan has a tensor `{tensor}`, which its ops neither read nor compute"
                )));
            };
            if let Some(d) = difference(kept, found, "", settled) {
                return Some(d.refusal(&format!("section `{name}`, tensor `{tensor}`")));
            }
        }
        let left_out = derived.keys().find(|t| !self.tensors.is_empty() && !self.tensors.contains_key(*t))?;
        Some(refusal(format!("section `{name}` of the plan leaves out tensor `{left_out}`")))
    }
}

impl Difference {
    fn refusal(&self, place: &str) -> Diagnostic {
        let Self { path, kept, derived } = self;
        let derived = if derived.is_null() { "nothing".to_owned() } else { derived.to_string() };
        let message =
            format!("{place}: the plan says `{path}` is {kept}, and from its tiles follows {derived}");
        refusal(message).hint(
            "change names, ops, tiles, overlap strategies, padding and gradients of sections only, and leave out what follows from them",
        )
    }
}

fn refusal(message: String) -> Diagnostic {
    Diagnostic::error(Code::E0705, message)
}

fn another_graph(part: &str, kept: &Json, d: &Difference) -> Diagnostic {
    let what = part.trim_end_matches('s');
    let of = kept["name"].as_str().map_or(String::new(), |name| format!(" `{name}`"));
    let Difference { path, kept, derived } = d;
    let at = if path.is_empty() { "it" } else { path };
    let message =
        format!("the plan is for another graph: of {what}{of}, `{at}` is {kept} there, and {derived} here");
    let hint = (path == "type").then_some("a plan is for the sizes that it was made for");
    refusal(message).maybe_hint(hint.map(str::to_owned))
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

/// The first difference. What is null in the file is not said; what is null here is not decided, unless everything is.
fn difference(kept: &Json, derived: &Json, path: &str, settled: bool) -> Option<Difference> {
    let differ = || Some(Difference { path: path.to_owned(), kept: kept.clone(), derived: derived.clone() });
    match (kept, derived) {
        (Json::Null, _) => None,
        (_, Json::Null) if !settled => None,
        (Json::Object(kept), Json::Object(derived)) => kept.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let found = derived.get(key);
            // A key that does not exist is never decided.
            difference(value, found.unwrap_or(&Json::Null), &path, settled || found.is_none())
        }),
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (a, b))| difference(a, b, &format!("{path}[{i}]"), settled))
        }
        // Floats of the IR are f32, and reading decimals may miss by an ulp of f64.
        (Json::Number(a), Json::Number(b)) if a.is_f64() || b.is_f64() => {
            let same = a.as_f64().map(|v| v as f32) == b.as_f64().map(|v| v as f32);
            if same { None } else { differ() }
        }
        _ if kept == derived => None,
        _ => differ(),
    }
}
