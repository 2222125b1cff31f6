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

/// What sections have besides.
const LABELS: &str = "18×18 · halo 2: size of a tensor's tiles, and pixels that neighbouring ones share";

/// A file of its own.
pub(super) fn sheet(diagram: &Diagram, heading: &str, subtitle: &str) -> String {
    let drawing = draw(diagram);
    let legend = legend(diagram);
    let texts = [(heading, 19.0), (subtitle, 12.0), (LABELS, 12.0)];
    let widest = texts.iter().map(|(t, size)| width(t, *size)).fold(drawing.width, f64::max);
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

fn legend(diagram: &Diagram) -> Drawing {
    let mut body = String::new();
    let mut y = 62.0;
    for (class, text) in LEGEND {
        let [top, base] = [y - 10.0, y].map(number);
        body.push_str(&format!(
            "<rect class=\"stripe {class}\" y=\"{top}\" width=\"12\" height=\"12\" rx=\"3\"/>\n\
             <text class=\"note\" x=\"20\" y=\"{base}\">{text}</text>\n"
        ));
        y += 19.0;
    }
    if !diagram.clusters.is_empty() {
        body.push_str(&format!("<text class=\"note\" y=\"{}\">{LABELS}</text>\n", number(y)));
        y += 19.0;
    }
    Drawing { body, width: 0.0, height: y + 6.0 }
}
