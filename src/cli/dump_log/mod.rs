//! `dump-log`: what segments and indexes hold, as `kafka-dump-log` prints it (`DumpLogSegments`).
//!
//! It reads files alone, so that it works while a broker runs, and when none would start.
//!
//! Deliberately absent: message formats 0 and 1, which no segment of Kafka 4 or of Klamm has; the logs of
//! Kafka's own metadata and tiering, and its producer snapshots and transaction indexes, whose places here
//! are taken by files of Klamm's own.

mod index;
mod parser;
mod segment;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use self::index::{Disagreements, ShowIndex, dump_index, dump_time_index};
use self::parser::{Decoder, Parser};
use self::segment::{DumpError, Gaps, Show, dump};
use super::options::Options;
use super::record_json::Keeper;
use super::tool::{Help, Stop, complain};
use super::tools::Tool;

const HELP: Help = Help {
    purpose: "This tool helps to parse a log file and dump its contents to the console, useful for debugging a \
              seemingly corrupt log segment.",
    options: include_str!("../help/dump-log.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "dump-log",
    about: "Print what segments hold, from their files",
    help: HELP,
    run: run_tool,
};

/// The decoder of keys and values where none is named.
const DEFAULT_DECODER: &str = "org.apache.kafka.tools.api.StringDecoder";

/// `--max-message-size` where it is not given.
const MESSAGE_BYTES_MAX: i32 = 5 << 20;

/// The options that say what the records of a log are, with whose they are.
const KEEPERS: [(&str, Keeper); 3] = [
    ("offsets-decoder", Keeper::Groups),
    ("transaction-log-decoder", Keeper::Transactions),
    ("share-group-state-decoder", Keeper::Shares),
];

/// The options that ask for decoders of records that Klamm does not keep in this form.
const FOREIGN: [&str; 2] = ["cluster-metadata-decoder", "remote-log-metadata-decoder"];

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let options = Options::parse(HELP.options, arguments)?;
    HELP.check(arguments, &options)?;
    Help::require(&options, &["files"])?;
    let files = options.one("files")?.unwrap_or_default();
    let show = show(&options)?;
    let show_index = ShowIndex {
        sanity_only: options.has("index-sanity-check"),
        verify_only: options.has("verify-index-only"),
        message_bytes_max: options.number("max-message-size")?.unwrap_or(MESSAGE_BYTES_MAX),
    };
    let mut out = BufWriter::new(io::stdout());
    let mut said = Disagreements::default();
    let mut gaps: Vec<(String, Gaps)> = Vec::new();
    for path in files.split(',').filter(|path| !path.is_empty()) {
        let dumped = one(path, &show, show_index, &mut said, &mut out);
        match dumped.and_then(|gaps| out.flush().map(|()| gaps).map_err(DumpError::Output)) {
            Ok(found) => gaps.push((path.to_owned(), found)),
            // Nobody reads any more, which is no error of the files.
            Err(DumpError::Output(_)) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(Stop::Failed(format!("{path}: {error}"))),
        }
    }
    for line in said.lines() {
        complain(line);
    }
    for (path, mut gaps) in gaps {
        if gaps.is_empty() {
            continue;
        }
        complain(&format!("Non-consecutive offsets in {}", absolute(&path)));
        // As in Kafka's map: by the offset before, of which the last gap counts.
        gaps.sort_by_key(|(before, _)| *before);
        for (at, (before, after)) in gaps.iter().enumerate() {
            if gaps.get(at + 1).is_none_or(|(next, _)| next != before) {
                complain(&format!("  {before} is followed by {after}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(options: &Options) -> Result<Show, Stop> {
    if let Some(option) = FOREIGN.iter().find(|option| options.has(option)) {
        return Err(Stop::Failed(format!(
            "--{option} shows records that Klamm does not keep: use Kafka's own tool on Kafka's files"
        )));
    }
    let failed = |error: parser::ParseError| Stop::Failed(error.to_string());
    let decoder = |name: &str| -> Result<Decoder, Stop> {
        Decoder::of_class(options.one(name)?.unwrap_or(DEFAULT_DECODER)).map_err(failed)
    };
    let keeper = KEEPERS.iter().find(|(option, _)| options.has(option));
    let parser = match keeper {
        Some((_, keeper)) => Parser::coordinator(*keeper).map_err(failed)?,
        None => Parser::Plain(decoder("key-decoder-class")?, decoder("value-decoder-class")?),
    };
    let contents = ["print-data-log", "key-decoder-class", "value-decoder-class"];
    let contents = keeper.is_some() || contents.iter().any(|option| options.has(option));
    let bytes_max = options.number("max-bytes")?.unwrap_or(i32::MAX);
    if bytes_max < 0 {
        return Err(Stop::Failed(format!("Invalid size: {bytes_max} of --max-bytes")));
    }
    Ok(Show {
        records: contents || options.has("deep-iteration"),
        contents,
        skip_metadata: options.has("skip-record-metadata"),
        bytes_max,
        parser,
    })
}

fn one(
    path: &str,
    show: &Show,
    show_index: ShowIndex,
    said: &mut Disagreements,
    out: &mut impl Write,
) -> Result<Gaps, DumpError> {
    writeln!(out, "Dumping {path}").map_err(DumpError::Output)?;
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rfind('.').map(|at| &name[at..]) {
        Some(".log") => {
            let start = base_offset(path)?;
            writeln!(out, "Log starting offset: {start}").map_err(DumpError::Output)?;
            let file = File::open(path)?;
            let size_bytes = file.metadata()?.len();
            dump(file, path, size_bytes, show, out)
        }
        Some(".index") => dump_index(path, show_index, said, out).map(|()| Gaps::new()),
        Some(".timeindex") => dump_time_index(path, show_index, said, out).map(|()| Gaps::new()),
        _ => {
            out.flush().map_err(DumpError::Output)?;
            complain(&format!("Ignoring unknown file {path}"));
            Ok(Gaps::new())
        }
    }
}

/// The offset that a file is named after.
fn base_offset(path: &str) -> Result<i64, DumpError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digits = name.split('.').next().unwrap_or_default();
    digits
        .parse()
        .map_err(|_| DumpError::File(io::Error::other(format!("For input string: \"{digits}\""))))
}

/// `path` from the root on, as Java gives it.
fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    format!("{}/{path}", here.display())
}

#[cfg(test)]
mod tests;
