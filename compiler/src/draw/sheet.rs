//! A diagram on a sheet of its own: heading, legend, style.

use super::diagram::Diagram;
use super::svg::{Drawing, draw, number};
use super::text::{escape, width};

/// Around everything.
const MARGIN: f64 = 24.0;

const LIGHT: &str = include_str!("assets/diagram.css");
const DARK: &str = include_str!("assets/diagram-dark.css");

/// The rules of a diagram's classes, for light and dark surroundings.
pub(super) fn style() -> String {
    format!("{LIGHT}@media (prefers-color-scheme: dark) {{\n{DARK}}}\n")
}

/// Words that tell what the marks of a diagram mean.
const LEGEND: [(&str, &str); 4] = [
    ("window", "reads a neighbourhood: makes halos"),
    ("map", "elementwise"),
    ("sum", "sums over space: ends its section"),
    ("other", "moves data, and others"),
];

/// The mark of the backward pass, and what a dashed edge is: for a graph, and for sections.
const PASSES: [[&str; 2]; 2] = [
    ["backward: of the backward pass", "a tensor of the forward pass that the backward pass reads"],
    [
        "backward: of the backward pass, like all of a section that is called so",
        "kept: a tensor of the forward pass that an earlier section has written for the backward pass",
    ],
];

/// What sections have besides.
const LABELS: &str = "18×18 · halo 2: size of a tensor's tiles, and pixels that neighbouring ones share";

/// A file of its own.
pub(super) fn sheet(diagram: &Diagram, heading: &str, subtitle: &str) -> String {
    let drawing = draw(diagram);
    let legend = legend(diagram);
    let texts = [(heading, 19.0), (subtitle, 12.0)];
    let widest =
        texts.iter().map(|(t, size)| width(t, *size)).fold(drawing.width.max(legend.width), f64::max);
    let top = MARGIN + legend.height;
    let [w, h] = [widest + 2.0 * MARGIN, top + drawing.height + MARGIN].map(f64::ceil).map(number);
    let [left, top, margin] = [MARGIN + (widest - drawing.width) / 2.0, top, MARGIN].map(number);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="zellige" width="{w}" height="{h}" viewBox="0 0 {w} {h}">
<title>{title}</title>
<style>
{style}</style>
<rect class="sheet" width="{w}" height="{h}"/>
<g transform="translate({margin} {margin})">
<text class="heading" y="15">{title}</text>
<text class="note" y="36">{subtitle}</text>
{legend}</g>
<g transform="translate({left} {top})">
{body}</g>
</svg>
"#,
        title = escape(heading),
        subtitle = escape(subtitle),
        style = style(),
        legend = legend.body,
        body = drawing.body,
    )
}

/// A mark of the legend, drawn at the height of its line, and what it means.
type Entry = (String, &'static str);

fn legend(diagram: &Diagram) -> Drawing {
    let (mut body, mut widest) = (String::new(), 0.0);
    let mut y = 62.0;
    for (mark, text) in entries(diagram) {
        let [top, base] = [y - 10.0, y].map(number);
        // What has no mark says itself what it is about.
        let x = if mark.is_empty() { 0.0 } else { 20.0 };
        if !mark.is_empty() {
            body.push_str(&format!("<g transform=\"translate(0 {top})\">{mark}</g>\n"));
        }
        body.push_str(&format!("<text class=\"note\" x=\"{x}\" y=\"{base}\">{text}</text>\n"));
        widest = f64::max(widest, x + width(text, 12.0));
        y += 19.0;
    }
    Drawing { body, width: widest, height: y + 6.0 }
}

/// The lines of the legend that a diagram needs.
fn entries(diagram: &Diagram) -> Vec<Entry> {
    let has_sections = !diagram.clusters.is_empty();
    let square = |class: &str| format!("<rect class=\"{class}\" width=\"12\" height=\"12\" rx=\"3\"/>");
    let mut entries: Vec<Entry> =
        LEGEND.iter().map(|(class, text)| (square(&format!("stripe {class}")), *text)).collect();
    if diagram.trains() {
        let [backward, dashed] = PASSES[usize::from(has_sections)];
        entries.push((format!("<g class=\"backward\">{}</g>", square("shape")), backward));
        entries.push(("<path class=\"dashes\" d=\"M0 6.5H14\"/>".to_owned(), dashed));
    }
    if has_sections {
        entries.push((String::new(), LABELS));
    }
    entries
}
