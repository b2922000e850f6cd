//! What is on the dashboard, and how does Grafana read it?
//!
//! One dashboard for all of podid, top to bottom: is it well, what do pods get, what hinders them, what does Azure do.

mod rows;

use serde_json::{Value, json};

pub use rows::ROWS;

/// Panels that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its heading.
    pub title: &'static str,
    /// Its panels, side by side as long as there is room.
    pub panels: &'static [Panel],
}

/// One picture.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    /// Its heading.
    pub title: &'static str,
    /// What it shows, and what is good.
    pub about: &'static str,
    /// How it is drawn.
    pub shape: Shape,
    /// Of the values.
    pub unit: Unit,
    /// PromQL, and what a line is called; labels as `{{label}}`.
    pub queries: &'static [(&'static str, &'static str)],
}

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Lines over time.
    Lines,
    /// One number, the last one.
    Number,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// Per second.
    Rate,
    /// Seconds.
    Seconds,
    /// Between 0 and 1.
    Part,
    /// Bytes.
    Bytes,
}

/// Grafana divides the width in so many.
const WIDTH: usize = 24;

// === impl Shape ===

impl Shape {
    fn grafana(self) -> (&'static str, usize, usize) {
        match self {
            Self::Lines => ("timeseries", 8, 8),
            Self::Number => ("stat", 4, 4),
        }
    }
}

// === impl Unit ===

impl Unit {
    fn grafana(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::Rate => "reqps",
            Self::Seconds => "s",
            Self::Part => "percentunit",
            Self::Bytes => "bytes",
        }
    }
}

/// The dashboard, as it is imported.
pub(crate) fn json() -> Value {
    let (mut panels, mut y) = (Vec::new(), 0);
    for row in ROWS {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
        }));
        y += 1;
        let (mut x, mut tallest) = (0, 0);
        for panel in row.panels {
            let (_, width, height) = panel.shape.grafana();
            if x + width > WIDTH {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            panels.push(panel.json(panels.len() + 1, x, y));
            x += width;
            tallest = tallest.max(height);
        }
        y += tallest;
    }
    json!({
        "uid": "podid",
        "title": "podid",
        "description": "Pod-managed identity: agents, controller and what pods get",
        "tags": ["podid"],
        "schemaVersion": 39,
        "editable": true,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
            "current": {}, "hide": 0,
        }]},
        "annotations": {"list": []},
        "panels": panels,
    })
}

// === impl Panel ===

impl Panel {
    fn json(&self, id: usize, x: usize, y: usize) -> Value {
        let source = json!({"type": "prometheus", "uid": "${datasource}"});
        let (kind, width, height) = self.shape.grafana();
        let target = |(index, (expression, legend)): (usize, &(&str, &str))| {
            let name = char::from(b'A' + u8::try_from(index).unwrap_or_default());
            json!({
                "refId": name.to_string(), "expr": expression, "legendFormat": legend, "datasource": source,
                "instant": self.shape == Shape::Number, "range": self.shape == Shape::Lines,
            })
        };
        let targets: Vec<Value> = self.queries.iter().enumerate().map(target).collect();
        let options = match self.shape {
            Shape::Lines => json!({
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
            Shape::Number => json!({
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
                "colorMode": "none", "graphMode": "none", "textMode": "auto",
            }),
        };
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.about,
            "datasource": source,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": self.unit.grafana(), "min": 0}, "overrides": []},
            "options": options,
            "targets": targets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_lie_beside_and_below_each_other_and_none_over_another() {
        let dashboard = json();
        let places: Vec<[u64; 4]> = dashboard["panels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|panel| ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap()))
            .collect();
        for (index, [x, y, w, h]) in places.iter().enumerate() {
            assert!(x + w <= 24, "panel {index} is wider than the dashboard");
            for [other_x, other_y, other_w, other_h] in &places[index + 1..] {
                let beside = x + w <= *other_x || other_x + other_w <= *x;
                let below = y + h <= *other_y || other_y + other_h <= *y;
                assert!(beside || below, "panel {index} is over another");
            }
        }
    }

    #[test]
    fn every_panel_says_what_is_good_and_has_few_queries() {
        for panel in ROWS.iter().flat_map(|row| row.panels) {
            assert!(panel.about.ends_with('.') && !panel.title.is_empty(), "{}", panel.title);
            assert!((1..=4).contains(&panel.queries.len()), "{}", panel.title);
        }
    }
}
