//! What a server does, as a table.

use nebula_runtime::ByteSize;

use super::{
    rates::{FunctionRates, Rates},
    screen::{Line, Size, Style},
};
use crate::{client::MetricsError, print};

/// The whole table.
pub(super) fn whole(rates: &Rates) -> String {
    totals(rates) + "\n\n" + &print::table(&rows(rates))
}

/// The line before the first numbers.
pub(super) fn waiting() -> Line {
    Line { text: "waiting for the first numbers".to_owned(), style: Style::Plain }
}

/// The lines that fit a terminal: the totals, or why there are no new ones; then a function on each line.
pub(super) fn lines(rates: &Rates, error: Option<&MetricsError>, size: Size) -> Vec<Line> {
    let first = match error {
        Some(error) => Line { text: error.to_string(), style: Style::Alarming },
        None => Line { text: totals(rates), style: Style::Plain },
    };
    let table = print::table(&rows(rates));
    let style = |index: usize| match index.checked_sub(1).and_then(|row| rates.functions.get(row)) {
        None => Style::Header,
        Some(function) if function.errors_per_second > 0.0 => Style::Alarming,
        Some(_) => Style::Plain,
    };
    let table = table.lines().enumerate().map(|(index, text)| Line { text: text.to_owned(), style: style(index) });
    let blank = Line { text: String::new(), style: Style::Plain };
    [first, blank].into_iter().chain(table).take(size.rows).map(|line| line.cut(size.columns)).collect()
}

/// One line about the whole server.
fn totals(rates: &Rates) -> String {
    let mut totals = format!(
        "{} calls/s, {} errors/s, {} running",
        number(rates.calls_per_second),
        number(rates.errors_per_second),
        rates.running
    );
    if rates.places > 0 {
        totals += &format!(" of {}, {} waiting", rates.places, rates.waiting);
    }
    totals + &format!(", {} cpu, {} memory", number(rates.cpu), bytes(rates.memory))
}

fn rows(rates: &Rates) -> Vec<[String; 8]> {
    let header = ["function", "calls/s", "errors/s", "p50", "p99", "running", "cpu", "memory"].map(str::to_owned);
    std::iter::once(header).chain(rates.functions.iter().map(row)).collect()
}

fn row(rates: &FunctionRates) -> [String; 8] {
    let name = if rates.function.is_empty() { "(no such function)" } else { &rates.function };
    [
        name.to_owned(),
        number(rates.calls_per_second),
        number(rates.errors_per_second),
        time(rates.p50),
        time(rates.p99),
        number(rates.running),
        number(rates.cpu),
        bytes(rates.memory),
    ]
}

/// A number with two or three digits, and none after the point if it is large.
fn number(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        small if small < 9.95 => format!("{small:.1}"),
        large => format!("{large:.0}"),
    }
}

fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(f64::INFINITY) => "> 30 s".to_owned(),
        Some(seconds) if seconds < 0.000_999_5 => format!("{:.0} µs", seconds * 1e6),
        Some(seconds) if seconds < 0.999_5 => format!("{} ms", number(seconds * 1e3)),
        Some(seconds) => format!("{} s", number(seconds)),
    }
}

fn bytes(bytes: u64) -> String {
    if bytes == 0 { "-".to_owned() } else { ByteSize(bytes).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, errors_per_second: f64) -> FunctionRates {
        FunctionRates {
            function: name.to_owned(),
            calls_per_second: 1234.4,
            errors_per_second,
            p50: Some(0.000_25),
            p99: Some(f64::INFINITY),
            running: 2.25,
            cpu: 0.04,
            memory: 65_536,
        }
    }

    fn rates() -> Rates {
        let functions = vec![function("shop", 0.0), function("", 3.0)];
        Rates { calls_per_second: 2468.8, running: 3, places: 256, memory: 50 << 20, functions, ..Rates::default() }
    }

    #[test]
    fn the_table_has_the_totals_and_a_line_for_each_function() {
        let expected = "\
2469 calls/s, 0 errors/s, 3 running of 256, 0 waiting, 0 cpu, 50.0 MiB memory

function            calls/s  errors/s  p50     p99     running  cpu  memory
shop                1234     0         250 µs  > 30 s  2.2      0.0  64.0 KiB
(no such function)  1234     3.0       250 µs  > 30 s  2.2      0.0  64.0 KiB
";
        assert_eq!(whole(&rates()), expected);
    }

    #[test]
    fn times_have_two_or_three_digits() {
        let cases =
            [(0.0, "0 µs"), (0.000_05, "50 µs"), (0.001, "1.0 ms"), (0.0255, "26 ms"), (1.0, "1.0 s"), (12.3, "12 s")];
        for (seconds, expected) in cases {
            assert_eq!(time(Some(seconds)), expected);
        }
        assert_eq!(time(None), "-");
    }

    #[test]
    fn a_terminal_has_as_much_of_it_as_fits_and_errors_stand_out() {
        let fitting = lines(&rates(), None, Size { rows: 4, columns: 15 });
        let shown: Vec<_> = fitting.iter().map(|line| (line.text.as_str(), line.style)).collect();
        assert_eq!(
            shown,
            [
                ("2469 calls/s, 0", Style::Plain),
                ("", Style::Plain),
                ("function       ", Style::Header),
                ("shop           ", Style::Plain),
            ]
        );
        let error = MetricsError::Unreachable { address: "unix:a".to_owned(), reason: "gone".to_owned() };
        let old = lines(&rates(), Some(&error), Size { rows: 9, columns: 200 });
        assert!(old[0].text.starts_with("failed to reach the server unix:a: gone"));
        assert_eq!((old[0].style, old[4].style), (Style::Alarming, Style::Alarming));
    }
}
