//! A picture of the loss.

use std::fmt::Write;

use super::Row;
use super::axis::{Axis, label};

const SIZE: [f64; 2] = [760.0, 420.0];
/// Left, right, top and bottom edges of the plot.
const PLOT: [f64; 4] = [64.0, 744.0, 44.0, 378.0];
/// Points of a line at most, two for each stretch that becomes one.
const MOST_POINTS: usize = 1200;
/// Steps over which the loss is averaged, as a share of all.
const SMOOTHING: f64 = 0.02;

const LOSS: &str = "#b9c6d3";
const SMOOTH: &str = "#1f5f8b";
const VALIDATION: &str = "#c8553d";

/// Draws the loss of each step, its running mean, and the validation's. The axis of losses is logarithmic where all are positive;
/// losses that are not finite are left out.
pub fn svg(title: &str, rows: &[Row]) -> String {
    let points = |loss: fn(&Row) -> Option<f32>| -> Vec<[f64; 2]> {
        let point = |row: &Row| Some([row.step as f64, f64::from(loss(row)?)]);
        rows.iter().filter_map(point).filter(|[_, loss]| loss.is_finite()).collect()
    };
    let (losses, validation) = (points(|row| Some(row.loss)), points(|row| row.validation));
    let mut picture = Picture { body: String::new() };
    picture.text(title, [PLOT[0], 26.0], "start", " font-size=\"15\" font-weight=\"600\"");
    if losses.is_empty() && validation.is_empty() {
        picture.text("no step has a finite loss", [404.0, 210.0], "middle", "");
        return picture.finish();
    }
    let all = || losses.iter().chain(&validation);
    let range = |i: usize| {
        all().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| [low.min(p[i]), high.max(p[i])])
    };
    let logarithmic = all().all(|[_, loss]| *loss > 0.0);
    let x = Axis::new(range(0), [PLOT[0], PLOT[1]], false);
    let y = Axis::new(range(1), [PLOT[3], PLOT[2]], logarithmic);
    picture.grid(&x, &y);
    picture.line(&thinned(&losses), &x, &y, LOSS, 1.0);
    picture.line(&thinned(&smoothed(&losses)), &x, &y, SMOOTH, 2.0);
    picture.line(&thinned(&validation), &x, &y, VALIDATION, 1.5);
    let legend = [("loss", LOSS), ("running mean", SMOOTH), ("validation", VALIDATION)];
    let shown = if validation.is_empty() { 2 } else { 3 };
    for (i, (name, colour)) in legend[..shown].iter().enumerate() {
        let at = PLOT[1] - 110.0 * (shown - i) as f64;
        picture.stroke([at, 22.0], [at + 18.0, 22.0], colour, 2.0);
        picture.text(name, [at + 24.0, 26.0], "start", "");
    }
    picture.finish()
}

/// The running mean, which starts with the first value.
fn smoothed(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let keep = 1.0 - 1.0 / (points.len() as f64 * SMOOTHING).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let mean = |[step, loss]: &[f64; 2]| {
        (sum, weight) = (keep * sum + loss, keep * weight + 1.0);
        [*step, sum / weight]
    };
    points.iter().map(mean).collect()
}

/// The lowest and the highest of each stretch, in their order: a line of fewer points that looks the same.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let stretch = (2 * points.len()).div_ceil(MOST_POINTS);
    if stretch <= 2 {
        return points.to_vec();
    }
    let extremes = |points: &[[f64; 2]]| {
        let by_loss = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
        let mut ends = [points.iter().min_by(by_loss), points.iter().max_by(by_loss)];
        ends.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        ends.into_iter().flatten().copied().collect::<Vec<_>>()
    };
    points.chunks(stretch).flat_map(extremes).collect()
}

struct Picture {
    body: String,
}

// Writing to a string does not fail.
impl Picture {
    fn text(&mut self, text: &str, [x, y]: [f64; 2], anchor: &str, style: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ =
            writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{style}>{text}</text>"#);
    }

    fn stroke(&mut self, a: [f64; 2], b: [f64; 2], colour: &str, width: f64) {
        let ([x1, y1], [x2, y2]) = (a, b);
        let _ = writeln!(
            self.body,
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="{width}"/>"#
        );
    }

    fn grid(&mut self, x: &Axis, y: &Axis) {
        let [left, right, top, bottom] = PLOT;
        for value in y.ticks() {
            let at = y.place(value);
            self.stroke([left, at], [right, at], "#e6e6e6", 1.0);
            self.text(&label(value), [left - 8.0, at + 4.0], "end", "");
        }
        // Steps are whole.
        for value in x.ticks().into_iter().filter(|value| value.fract() == 0.0) {
            let at = x.place(value);
            self.stroke([at, bottom], [at, bottom + 4.0], "#888888", 1.0);
            self.text(&label(value), [at, bottom + 18.0], "middle", "");
        }
        self.stroke([left, bottom], [right, bottom], "#888888", 1.0);
        self.stroke([left, top], [left, bottom], "#888888", 1.0);
        self.text("step", [(left + right) / 2.0, bottom + 34.0], "middle", "");
    }

    fn line(&mut self, points: &[[f64; 2]], x: &Axis, y: &Axis, colour: &str, width: f64) {
        match points {
            [] => {}
            [[step, loss]] => {
                let [cx, cy] = [x.place(*step), y.place(*loss)];
                let _ = writeln!(self.body, r#"<circle cx="{cx:.1}" cy="{cy:.1}" r="2.5" fill="{colour}"/>"#);
            }
            points => {
                let place = |[step, loss]: &[f64; 2]| format!("{:.1},{:.1}", x.place(*step), y.place(*loss));
                let places: Vec<String> = points.iter().map(place).collect();
                let _ = writeln!(
                    self.body,
                    r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"/>"#,
                    places.join(" ")
                );
            }
        }
    }

    fn finish(self) -> String {
        let [width, height] = SIZE;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"#333333\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(losses: &[f32]) -> Vec<Row> {
        let row = |(i, loss): (usize, &f32)| Row {
            step: i as u64 + 1,
            epoch: 0,
            loss: *loss,
            lr: 0.1,
            gradient_norm: 1.0,
            seconds: 0.1,
            validation: (i % 3 == 2).then_some(*loss),
        };
        losses.iter().enumerate().map(row).collect()
    }

    /// Everything that is drawn lies in the picture, and no number is odd.
    fn assert_inside(picture: &str) {
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        for line in picture.lines().filter(|line| line.starts_with("<polyline")) {
            let points = line.split('"').nth(1).unwrap();
            for point in points.split(' ') {
                let (x, y) = point.split_once(',').unwrap();
                let [x, y] = [x, y].map(|n| n.parse::<f64>().unwrap());
                assert!((PLOT[0]..=PLOT[1]).contains(&x) && (PLOT[2]..=PLOT[3]).contains(&y), "{point}");
            }
        }
    }

    #[test]
    fn any_rows_have_a_picture() {
        for losses in [
            &[][..],
            &[1.0],
            &[0.0, 0.0],
            &[1.0, 0.1, 0.01, 0.001],
            &[-1.0, 1.0],
            &[f32::NAN, f32::INFINITY],
            &[f32::NAN, 2.0, 1.0],
            &[f32::MAX, 1e-45],
            &[f32::MAX, f32::MIN],
        ] {
            assert_inside(&svg("loss", &rows(losses)));
        }
    }

    #[test]
    fn long_trainings_have_short_lines() {
        let losses: Vec<f32> = (0..50_000).map(|i| 1.0 / (1.0 + i as f32) + 0.01).collect();
        let picture = svg("loss", &rows(&losses));
        assert_inside(&picture);
        assert!(picture.len() < 80_000, "{}", picture.len());
        // A single peak is not lost.
        let mut points: Vec<[f64; 2]> = (0..50_000).map(|i| [f64::from(i), 1.0]).collect();
        points[31_234][1] = 9.0;
        let thin = thinned(&points);
        assert!(thin.len() <= MOST_POINTS && thin.contains(&[31_234.0, 9.0]));
        assert!(thin.is_sorted_by(|a, b| a[0] <= b[0]));
    }

    #[test]
    fn a_title_is_text() {
        assert!(svg("a <b> & c", &rows(&[1.0])).contains("a &lt;b> &amp; c"));
    }

    #[test]
    fn a_mean_of_one_value_is_that_value() {
        let points = [[1.0, 4.0], [2.0, 4.0]];
        assert_eq!(smoothed(&points), points);
        let long: Vec<[f64; 2]> = (0..1000).map(|i| [f64::from(i), f64::from(i % 2)]).collect();
        assert!((smoothed(&long)[999][1] - 0.5).abs() < 0.05);
    }

    #[test]
    fn the_picture_of_a_short_training() {
        expect_test::expect![[r##"
            <svg xmlns="http://www.w3.org/2000/svg" width="760" height="420" viewBox="0 0 760 420" font-family="sans-serif" font-size="12" fill="#333333">
            <rect width="760" height="420" fill="#ffffff"/>
            <text x="64.0" y="26.0" text-anchor="start" font-size="15" font-weight="600">training</text>
            <line x1="64.0" y1="264.8" x2="744.0" y2="264.8" stroke="#e6e6e6" stroke-width="1"/>
            <text x="56.0" y="268.8" text-anchor="end">0.4</text>
            <line x1="64.0" y1="167.1" x2="744.0" y2="167.1" stroke="#e6e6e6" stroke-width="1"/>
            <text x="56.0" y="171.1" text-anchor="end">0.6</text>
            <line x1="64.0" y1="97.8" x2="744.0" y2="97.8" stroke="#e6e6e6" stroke-width="1"/>
            <text x="56.0" y="101.8" text-anchor="end">0.8</text>
            <line x1="64.0" y1="44.0" x2="744.0" y2="44.0" stroke="#e6e6e6" stroke-width="1"/>
            <text x="56.0" y="48.0" text-anchor="end">1</text>
            <line x1="64.0" y1="378.0" x2="64.0" y2="382.0" stroke="#888888" stroke-width="1"/>
            <text x="64.0" y="396.0" text-anchor="middle">1</text>
            <line x1="404.0" y1="378.0" x2="404.0" y2="382.0" stroke="#888888" stroke-width="1"/>
            <text x="404.0" y="396.0" text-anchor="middle">2</text>
            <line x1="744.0" y1="378.0" x2="744.0" y2="382.0" stroke="#888888" stroke-width="1"/>
            <text x="744.0" y="396.0" text-anchor="middle">3</text>
            <line x1="64.0" y1="378.0" x2="744.0" y2="378.0" stroke="#888888" stroke-width="1"/>
            <line x1="64.0" y1="44.0" x2="64.0" y2="378.0" stroke="#888888" stroke-width="1"/>
            <text x="404.0" y="412.0" text-anchor="middle">step</text>
            <polyline points="64.0,44.0 404.0,211.0 744.0,378.0" fill="none" stroke="#b9c6d3" stroke-width="1" stroke-linejoin="round"/>
            <polyline points="64.0,44.0 404.0,211.0 744.0,378.0" fill="none" stroke="#1f5f8b" stroke-width="2" stroke-linejoin="round"/>
            <circle cx="744.0" cy="378.0" r="2.5" fill="#c8553d"/>
            <line x1="414.0" y1="22.0" x2="432.0" y2="22.0" stroke="#b9c6d3" stroke-width="2"/>
            <text x="438.0" y="26.0" text-anchor="start">loss</text>
            <line x1="524.0" y1="22.0" x2="542.0" y2="22.0" stroke="#1f5f8b" stroke-width="2"/>
            <text x="548.0" y="26.0" text-anchor="start">running mean</text>
            <line x1="634.0" y1="22.0" x2="652.0" y2="22.0" stroke="#c8553d" stroke-width="2"/>
            <text x="658.0" y="26.0" text-anchor="start">validation</text>
            </svg>
        "##]].assert_eq(&svg("training", &rows(&[1.0, 0.5, 0.25])));
    }
}
