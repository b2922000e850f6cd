//! How are panels drawn, as SVG?

use podid_monitor::dashboard::{Panel, Row, Shape, Unit};

use super::{Line, Span};

const WIDTH: f64 = 1200.0;
/// Space between panels.
const GAP: f64 = 10.0;
const COLOURS: [&str; 8] =
    ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf", "#7f7f7f"];

/// A row, and what its panels show.
pub(super) type Drawn<'a> = (&'a Row, Vec<(&'a Panel, Vec<Line>)>);

/// Where a panel is.
#[derive(Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The whole dashboard.
pub(super) fn picture(rows: &[Drawn<'_>], span: Span) -> String {
    let (mut parts, mut y) = (Vec::new(), GAP);
    for (row, panels) in rows {
        parts.push(text(GAP, y + 16.0, 15, "bold", "#222", row.title));
        y += 26.0;
        let (mut x, mut tallest) = (GAP, 0.0_f64);
        for (panel, lines) in panels {
            let (columns, height) = match panel.shape {
                Shape::Lines => (3.0, 236.0),
                Shape::Number => (6.0, 84.0),
            };
            let width = (WIDTH - GAP * (columns + 1.0)) / columns;
            if x + width > WIDTH {
                (x, y, tallest) = (GAP, y + tallest + GAP, 0.0);
            }
            let place = Place { x, y, width, height };
            parts.push(frame(place, panel.title));
            parts.push(match panel.shape {
                Shape::Lines => lines_of(place, panel.unit, lines, span),
                Shape::Number => number(place, panel.unit, lines),
            });
            x += width + GAP;
            tallest = tallest.max(height);
        }
        y += tallest + GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#f4f5f5\"/>\n{}\n</svg>\n",
        parts.join("\n")
    )
}

fn frame(place: Place, title: &str) -> String {
    let Place { x, y, width, height } = place;
    let shape = format!(
        "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"3\" fill=\"#fff\" stroke=\"#d8d9da\"/>"
    );
    shape + "\n" + &text(x + 8.0, y + 17.0, 12, "bold", "#333", title)
}

fn number(place: Place, unit: Unit, lines: &[Line]) -> String {
    let last = lines.first().and_then(|line| line.points.last());
    let shown = last.map_or_else(|| "–".to_owned(), |(_, value)| written(*value, unit));
    text(place.x + 12.0, place.y + 60.0, 30, "normal", "#1f77b4", &shown)
}

fn lines_of(place: Place, unit: Unit, lines: &[Line], span: Span) -> String {
    let inner = Place {
        x: place.x + 54.0,
        y: place.y + 28.0,
        width: place.width - 66.0,
        height: place.height - 92.0,
    };
    let largest = lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max);
    let top = round_up(largest);
    let mut parts = Vec::new();
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let y = inner.y + inner.height * (1.0 - part);
        parts.push(format!(
            "<line x1=\"{:.0}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e7e7e7\"/>",
            inner.x,
            inner.x + inner.width
        ));
        parts.push(text_end(inner.x - 5.0, y + 3.5, 10, &written(top * part, unit)));
    }
    let minutes = span.seconds / 60.0;
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let x = inner.x + inner.width * part;
        let label = format!("{:.0} min", minutes * part);
        parts.push(format!(
            "<text x=\"{x:.0}\" y=\"{:.0}\" font-size=\"10\" fill=\"#777\" text-anchor=\"middle\">{label}</text>",
            inner.y + inner.height + 14.0
        ));
    }
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        // A line is broken where there was no value.
        let (mut path, mut before) = (Vec::new(), None);
        for (at, value) in &line.points {
            let (x, y) =
                (inner.x + inner.width * at / span.seconds, inner.y + inner.height * (1.0 - value / top));
            let near = before.is_some_and(|before| at - before < span.seconds / 50.0);
            path.push(format!("{}{x:.1} {y:.1}", if near { "L" } else { "M" }));
            before = Some(*at);
        }
        let path = path.concat();
        parts.push(format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"));
    }
    parts.push(legend(place, lines));
    parts.join("\n")
}

fn legend(place: Place, lines: &[Line]) -> String {
    let (mut x, mut y) = (place.x + 12.0, place.y + place.height - 36.0);
    let mut parts = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let width = 20.0 + 6.0 * f64::from(u32::try_from(line.name.chars().count()).unwrap_or(u32::MAX));
        if x + width > place.x + place.width && x > place.x + 12.0 {
            (x, y) = (place.x + 12.0, y + 14.0);
        }
        if y > place.y + place.height - 4.0 {
            break;
        }
        let colour = COLOURS[index % COLOURS.len()];
        parts.push(format!(
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"10\" height=\"3\" fill=\"{colour}\"/>",
            y - 5.0
        ));
        parts.push(text(x + 14.0, y, 10, "normal", "#444", &line.name));
        x += width + 6.0;
    }
    parts.join("\n")
}

fn text(x: f64, y: f64, size: u8, weight: &str, colour: &str, said: &str) -> String {
    let said = said.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"{size}\" font-weight=\"{weight}\" fill=\"{colour}\">{said}</text>"
    )
}

fn text_end(x: f64, y: f64, size: u8, said: &str) -> String {
    format!(
        "<text x=\"{x:.0}\" y=\"{y:.0}\" font-size=\"{size}\" fill=\"#777\" text-anchor=\"end\">{said}</text>"
    )
}

/// The next of 1, 2, 5, 10, 20, …
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|top| *top >= value).unwrap_or(value)
}

fn written(value: f64, unit: Unit) -> String {
    let short = |value: f64| match value.abs() {
        small if small >= 100.0 || small.fract() == 0.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match unit {
        Unit::Count => short(value),
        Unit::Rate => format!("{}/s", short(value)),
        Unit::Seconds if value >= 7200.0 => format!("{} h", short(value / 3600.0)),
        Unit::Seconds if value >= 120.0 => format!("{} min", short(value / 60.0)),
        Unit::Seconds if value > 0.0 && value < 1.0 => format!("{} ms", short(value * 1000.0)),
        Unit::Seconds => format!("{} s", short(value)),
        Unit::Part => format!("{} %", short(value * 100.0)),
        Unit::Bytes => format!("{} MB", short(value / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number_above_all_values() {
        let tops: Vec<String> =
            [0.0, 0.03, 0.7, 3.0, 42.0, 500.0].map(|value| round_up(value).to_string()).into();
        assert_eq!(tops, ["1", "0.05", "1", "5", "50", "500"]);
    }

    #[test]
    fn values_are_written_in_their_unit() {
        let cases = [
            (0.0, Unit::Seconds, "0 s"),
            (0.0125, Unit::Seconds, "12.5 ms"),
            (300.0, Unit::Seconds, "5 min"),
            (86_400.0, Unit::Seconds, "24 h"),
            (0.985, Unit::Part, "98.5 %"),
            (12_000_000.0, Unit::Bytes, "12 MB"),
            (12.34, Unit::Rate, "12.3/s"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(written(value, unit), text);
        }
    }
}
