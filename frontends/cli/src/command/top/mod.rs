//! `nebula top`.

mod histogram;
mod rates;
mod scrape;
mod screen;
mod table;

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use clap::Args;
use http::StatusCode;
use rates::Rates;
use scrape::Scrape;
use screen::{Ends, Screen};
use tokio::time::sleep;

use crate::{
    client::{MetricsAddress, MetricsClient, MetricsError},
    failure::Failure,
    print,
    values::Timeout,
};

const EXAMPLES: &str = "\
Examples:
  nebula top                                    the server on this machine
  nebula top http://10.0.0.5:8080               another one
  nebula top unix:/run/nebula.sock              one that listens on a Unix socket
  nebula top --once                             one table, of the next second
  nebula top --json | jq '.functions[0]'        the same for programs

Columns:
  calls/s, errors/s  calls that ended; an error is every outcome but ok, and but
                     cancelled, which is a caller that left
  p50, p99           half, and 99 of 100, of the calls took at most this long:
                     estimated from the buckets of the metrics
  running            calls that ran at the same time, on average
  cpu                threads that the function kept busy, on average
  memory             the most memory of one call so far

The numbers come from /metrics of the server, which is read at each interval.
q or Ctrl-C ends the table. If stdout is no terminal, one table is printed.";

/// Shows what a running server does: calls, errors, times and memory of each function
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Top {
    /// The address of the server: http://HOST:PORT, https://HOST, HOST:PORT or unix:PATH
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080")]
    address: MetricsAddress,
    /// The time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    interval: Timeout,
    /// Print one table, and end
    #[arg(long)]
    once: bool,
    /// Print one JSON object, and end
    #[arg(long)]
    json: bool,
}

impl Top {
    /// Shows the server until it is ended.
    pub(crate) async fn execute(self) -> Result<u8, Failure> {
        let (server, interval) = (MetricsClient::new(self.address)?, self.interval.0);
        let first = scrape(&server).await?;
        if self.once || self.json || !io::stdout().is_terminal() {
            sleep(interval).await;
            let rates = Rates::between(&first, &scrape(&server).await?);
            let printed = if self.json { print::json(&rates) } else { print::result(&table::whole(&rates)) };
            return printed.map(|()| 0);
        }
        let mut ends = Ends::start()?;
        let screen = Screen::open()?;
        tokio::select! {
            () = ends.wait() => Ok(0),
            written = watch(&server, first, interval, &screen) => written.map(|()| 0),
        }
    }
}

/// Shows the server for ever. While it does not answer, the last table stays.
async fn watch(server: &MetricsClient, first: Scrape, interval: Duration, screen: &Screen) -> Result<(), Failure> {
    let (mut before, mut rates) = (first, None);
    screen.draw(&[table::waiting()])?;
    loop {
        sleep(interval).await;
        let size = screen.size();
        let lines = match scrape(server).await {
            Ok(now) => {
                let shown = rates.insert(Rates::between(&before, &now));
                before = now;
                table::lines(shown, None, size)
            }
            Err(error) => table::lines(rates.get_or_insert_default(), Some(&error), size),
        };
        if !screen.draw(&lines)? {
            return Ok(());
        }
    }
}

async fn scrape(server: &MetricsClient) -> Result<Scrape, MetricsError> {
    Scrape::of(&server.read().await?).ok_or_else(|| server.not_nebula(StatusCode::OK))
}
