//! `scaling.csv`: a row for each point of each series, with the fit of its series.

use anyhow::Result;

use super::bytes;
use crate::collect::number::gb_per_s;
use crate::collect::scaling::{Fit, Point, Scaling};

const HEADER: [&str; 22] = [
    "reading",
    "series",
    "payload_bytes",
    "figure",
    "axis",
    "x",
    "runs",
    "median_gb_per_s",
    "least_gb_per_s",
    "most_gb_per_s",
    "speed_up",
    "efficiency",
    "fit",
    "fit_lambda_gb_per_s",
    "fit_sigma",
    "fit_kappa",
    "fit_knee_x",
    "fit_knee_is_measured",
    "fit_r_squared",
    "fit_worst_relative_error",
    "fit_refused",
    "differs",
];

pub fn render(scaling: &[Scaling]) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for series in scaling {
        table.extend(series.points.iter().map(|point| row(series, point)));
    }
    bytes(table)
}

fn row(series: &Scaling, point: &Point) -> Vec<String> {
    let mut cells = vec![
        series.reading.as_str().to_owned(),
        series.label.clone(),
        series.payload_bytes.to_string(),
        series.figure.to_owned(),
        series.axis.to_owned(),
        point.x.to_string(),
        point.runs.to_string(),
    ];
    cells.extend([point.gb_per_s, point.low, point.high].map(|value| gb_per_s(Some(value))));
    cells.extend([point.speed_up, point.efficiency].map(|value| format!("{value:.4}")));
    cells.extend(fit(&series.fit));
    cells.push(series.differs.join("; "));
    cells
}

fn fit(fit: &Result<Fit, String>) -> [String; 9] {
    match fit {
        Err(reason) => {
            let mut cells = [const { String::new() }; 9];
            cells[8].clone_from(reason);
            cells
        }
        Ok(fit) => [
            fit.kind.as_str().to_owned(),
            gb_per_s(Some(fit.lambda)),
            format!("{:.6e}", fit.sigma),
            format!("{:.6e}", fit.kappa),
            fit.knee.map(|knee| format!("{knee:.1}")).unwrap_or_default(),
            fit.knee.map(|_| fit.knee_is_measured.to_string()).unwrap_or_default(),
            format!("{:.4}", fit.r_squared),
            format!("{:.4}", fit.worst_error),
            String::new(),
        ],
    }
}
