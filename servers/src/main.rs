//! Serves SSE and WebSocket by hand: for curl, a browser, or a fleet elsewhere.
//!
//! The same lanes and publisher as in a measured run, publishing until told to stop, with a page
//! that shows both live.

mod live;
mod page;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser};
use scenarios::quantity::count;
use scenarios::{Count, Hint, Scenario, Span};

/// Exit code for a bad scenario or bad arguments.
const BAD_INPUT: u8 = 104;
/// Exit code for anything else that went wrong.
const FAILED: u8 = 107;

/// Pushes a scenario's events over SSE and WebSocket until Ctrl-C, with a page that shows both.
///
/// SIGTERM drains: nobody is accepted any more, and every stream ends in good order, a WebSocket with 1012.
#[derive(Debug, Parser)]
#[command(name = "servers", version, max_term_width = 100)]
struct Command {
    /// Where to listen. Anything but loopback can be reached by others: there is no login.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    bind: SocketAddr,
    /// A scenario by name, or the path of a .toml file.
    #[arg(long, default_value = "ticker")]
    scenario: String,
    /// Events per second.
    #[arg(short, long, value_name = "N")]
    rate: Option<String>,
    /// Any field of the scenario, such as `payload=text:1k`.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field_and_value)]
    set: Vec<(String, String)>,
    /// Serve inside TLS, with a certificate made at start that no browser knows: `curl -k`.
    #[arg(long)]
    tls: bool,
    /// A site whose pages may open the WebSocket, such as `https://example.org`. Without it only
    /// the server's own page may, and programs that send no Origin.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

/// What streams are opened on, and what is kept for those who come back.
#[derive(Clone, Debug, Args)]
struct Terms {
    /// Tell event streams after how long to come back when they are cut off: `2s`, or `1s..5s` for each a time
    /// drawn from these, so that they do not all come at once. WebSocket has no field for it.
    #[arg(long, value_name = "TIME", default_value = "none")]
    retry: Hint,
    /// End each stream in good order at this age, such as `10m`, so that clients spread over servers again.
    #[arg(long, value_name = "AGE", default_value = "0s")]
    max_age: Span,
    /// Streams of each kind, above which the answer is 503 and `Retry-After`; 0 for no bound.
    #[arg(long, value_name = "N", default_value = "0", value_parser = count)]
    most: Count,
    /// Events that are kept for those who come back, instead of `lag`; with 0 whatever they missed is a gap.
    #[arg(long, value_name = "N", value_parser = count)]
    window: Option<Count>,
    /// How long events are kept for them at most; without it as long as there is room. Nobody can poll then, nor
    /// with `--window 0`: polls are answered from what is kept.
    #[arg(long, value_name = "AGE", default_value = "0s")]
    window_age: Span,
}

fn field_and_value(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("write FIELD=VALUE, for example payload=text:1k")?;
    Ok((field.trim().to_owned(), value.trim().to_owned()))
}

fn main() -> ExitCode {
    let args = match Command::try_parse() {
        Ok(args) => args,
        Err(err) => {
            // A closed pipe is no reason to fail on the way out.
            let _ = err.print();
            return ExitCode::from(if err.use_stderr() { BAD_INPUT } else { 0 });
        }
    };
    let overrides: Vec<_> =
        args.set.into_iter().chain(args.rate.map(|rate| ("rate".to_owned(), rate))).collect();
    let (name, scenario) = match Scenario::load(&args.scenario, &overrides) {
        Ok(loaded) => loaded,
        Err(err) => return fail(&err.into(), BAD_INPUT),
    };
    let place = live::Place { bind: args.bind, origins: args.allow_origin, tls: args.tls };
    match live::run(&name, &scenario, place, &args.terms) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => fail(&err, FAILED),
    }
}

fn fail(err: &anyhow::Error, code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {err:#}");
    ExitCode::from(code)
}
