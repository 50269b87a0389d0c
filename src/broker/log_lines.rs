//! The log as lines: one an event, whatever a client or a disk has put into its values.

use std::io::{self, Write};

/// Writes each event, which comes in one piece, as one line: breaks inside of it become `\n`.
pub struct OneLine<W>(pub W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        if !line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut escaped = Vec::with_capacity(event.len() + 16);
        for &byte in line {
            match byte {
                b'\n' => escaped.extend(b"\\n"),
                b'\r' => escaped.extend(b"\\r"),
                other => escaped.push(other),
            }
        }
        escaped.extend(&event[line.len()..]);
        self.0.write_all(&escaped)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        for (event, line) in [
            ("INFO plain\n", "INFO plain\n"),
            ("WARN topic=a\nERROR forged\r\n", "WARN topic=a\\nERROR forged\\r\n"),
            ("no end", "no end"),
            ("\n", "\n"),
            ("\n\n", "\\n\n"),
        ] {
            let mut written = OneLine(Vec::new());
            written.write_all(event.as_bytes()).expect("memory takes all");
            assert_eq!(String::from_utf8_lossy(&written.0), line);
        }
    }
}
