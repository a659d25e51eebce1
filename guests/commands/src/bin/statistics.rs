//! Reads a JSON array of numbers. Writes their count, extremes, mean and standard deviation as JSON.

use serde_json::{Value, json};
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    match serde_json::from_reader::<_, Vec<f64>>(io::stdin()) {
        Ok(values) if values.is_empty() => fail("there are no statistics of no numbers"),
        Ok(values) => {
            println!("{}", statistics(&values));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("expected a JSON array of numbers: {error}")),
    }
}

/// The standard deviation of a whole population, not of a sample: it divides by the count.
fn statistics(values: &[f64]) -> Value {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    json!({
        "count": values.len(),
        "minimum": values.iter().copied().fold(f64::INFINITY, f64::min),
        "maximum": values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "mean": mean,
        "standard_deviation": variance.sqrt(),
    })
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("statistics: {reason}");
    ExitCode::FAILURE
}
