//! `nebula profile`.

mod calls;
mod firefox;
mod flame;
mod table;

use std::{io::Write as _, path::PathBuf, time::Duration};

use calls::{Calls, Made};
use clap::Args;
use nebula_runtime::{ByteSize, Profile};

use crate::{
    command::run::{FileOptions, Ready, builder},
    failure::Failure,
    global::Global,
    new_file::NewFile,
    print,
    target::Target,
    trust::TrustOptions,
    values::Timeout,
};

const EXAMPLES: &str = "\
Examples:
  nebula profile ./fib.wasm 35                  one call with arguments
  nebula profile resize < in.png                one call: all of stdin is the event
  nebula profile treats 10 --for 2s             a short function, called again and again
  nebula profile ./app.wasm -o slow.json        write slow.json and slow.svg
  nebula profile ./app.wasm --interval 200us -- --level 9

Output:
  A table of the functions that took the most time, and two files: a profile that
  Firefox's profiler opens (profile.json), and a flame graph for any browser
  (profile.svg), which enlarges a function that is clicked. The results of the
  calls are not written. Ctrl-C ends the calls, and the profile is written.

Samples:
  A sample is taken at the beginning of a function or of a loop, at most once for
  each interval, and only while the function itself runs: not while it waits.
  Names need a module that is not stripped; lines need debug information.";

/// Shows where a function spends its time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProfileCommand {
    /// A published function such as treats or calc:add@prod, or a file such as ./treats.wasm
    #[arg(value_name = "FUNCTION|FILE")]
    target: Target,
    /// The arguments of the event. Without them, all of stdin is the event
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// The file for Firefox's profiler
    #[arg(short, long, value_name = "FILE", default_value = "profile.json")]
    output: PathBuf,
    /// The file for the flame graph [default: the other file's name with .svg]
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Call the function again and again for this long, always with the same event [default: one call]
    #[arg(long, value_name = "DURATION")]
    r#for: Option<Timeout>,
    /// The time between two samples
    #[arg(long, value_name = "DURATION", default_value = "1ms")]
    interval: Timeout,
    /// The arguments of the program, if a FILE is a command
    #[arg(last = true, value_name = "ARGV")]
    argv: Vec<String>,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    file: FileOptions,
}

/// A profile of fewer samples says little.
const FEW: u64 = 100;

/// The shortest interval: the clock is no more exact.
const SHORTEST: Duration = Duration::from_micros(100);

impl ProfileCommand {
    /// Calls the function, and writes its profile. Returns the exit code of the first call that failed.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let files = self.files()?;
        let Self { target, args, interval, argv, trust, file, r#for, .. } = self;
        let interval = interval.0.max(SHORTEST);
        // All calls have one event: of a pure function whose results are kept, only the first would run.
        let builder = |store| builder(store, global, 1).sample_stacks(interval).result_cache(Some(ByteSize(0)));
        let ready = Ready::prepare((target, argv), file, &trust, global, builder).await?;
        let begun = files.begin()?;
        let calls = Calls::read(ready, args, r#for.map(|time| time.0))?;
        let made = calls.make().await?;
        let profile = calls.runtime.profile(&calls.function).await?;
        begun.write(&calls.function.to_string(), &profile)?;
        print::result(&table::table(&profile))?;
        print::note(summary(&profile, &made, &files));
        made.failure.map_or(Ok(0), |error| Err(error.into()))
    }

    fn files(&self) -> Result<Files, Failure> {
        let (json, svg) = (self.output.clone(), self.svg.clone());
        let svg = svg.unwrap_or_else(|| json.with_extension("svg"));
        if json == svg {
            let message = format!(
                "the profile and the flame graph would both be {}: name the flame graph with --svg",
                json.display()
            );
            return Err(Failure::Usage(message));
        }
        Ok(Files { json, svg })
    }
}

/// The files that a profile is written to.
struct Files {
    /// For Firefox's profiler.
    json: PathBuf,
    /// The flame graph.
    svg: PathBuf,
}

impl Files {
    /// Begins both files: a place that cannot be written is noticed before the calls.
    fn begin(&self) -> Result<Begun, Failure> {
        Ok(Begun { json: NewFile::create(&self.json)?, svg: NewFile::create(&self.svg)? })
    }
}

/// The files while they are written.
struct Begun {
    json: NewFile,
    svg: NewFile,
}

impl Begun {
    fn write(self, name: &str, profile: &Profile) -> Result<(), Failure> {
        let document = serde_json::to_vec(&firefox::document(name, profile));
        finish(self.json, &document.map_err(|error| Failure::Standard(error.into()))?)?;
        finish(self.svg, flame::svg(name, profile).as_bytes())
    }
}

fn finish(mut file: NewFile, content: &[u8]) -> Result<(), Failure> {
    file.write(|file| file.write_all(content))?;
    file.finish()
}

/// What the profile is made of, where it is, and what to do with it.
fn summary(profile: &Profile, made: &Made, Files { json, svg }: &Files) -> String {
    let samples = profile.samples.len() as u64;
    let mut summary = format!(
        "{} of {} in {:.3} s\n{}: open it in Firefox's profiler\n{}: a flame graph, open it in a browser",
        print::count(samples, "sample"),
        print::count(made.calls, "call"),
        made.elapsed.as_secs_f64(),
        json.display(),
        svg.display()
    );
    if samples < FEW {
        summary += "\nfew samples say little: call the function again and again (--for 5s), give it more to do, or take \
                    more samples (--interval 100us)";
    }
    if profile.lost > 0 {
        summary += &format!("\n{} were too many, and are left out", print::count(profile.lost, "sample"));
    }
    summary
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    /// The two files that a command line names.
    fn files(line: &str) -> Result<(PathBuf, PathBuf), String> {
        let arguments = ["nebula", "profile", "f.wasm"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.command {
            Command::Profile(profile) => {
                profile.files().map(|files| (files.json, files.svg)).map_err(|f| f.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_flame_graph_is_beside_the_profile_unless_it_has_a_name_of_its_own() {
        let cases = [
            ("10", "profile.json", "profile.svg"),
            ("-o out/slow.json", "out/slow.json", "out/slow.svg"),
            ("-o slow", "slow", "slow.svg"),
            ("-o a.json --svg b.svg -5", "a.json", "b.svg"),
            ("--svg b.svg", "profile.json", "b.svg"),
        ];
        for (line, json, svg) in cases {
            assert_eq!(files(line), Ok((json.into(), svg.into())), "{line}");
        }
        assert!(files("-o slow.svg").unwrap_err().contains("name the flame graph with --svg"));
    }
}
