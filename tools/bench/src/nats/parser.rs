//! What a NATS server sends: lines that end with CRLF, and messages whose line tells the size of what follows.
//!
//! ```text
//! INFO {json}␍␊                                          +OK␍␊
//! MSG subject sid [reply] size␍␊payload␍␊                -ERR 'words'␍␊
//! HMSG subject sid [reply] header-size size␍␊            PING␍␊
//!   NATS/1.0[ status[ words]]␍␊name: value␍␊…␍␊          PONG␍␊
//!   payload␍␊
//! ```

use anyhow::{Context, Result, bail, ensure};

/// The longest line that is taken; an INFO of a large cluster is a few KiB.
const LINE_BYTES_MAX: usize = 1 << 20;
/// The largest message that is taken: the most that a server can be configured to (`max_payload`).
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// One thing that a server has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// What the server is, as JSON.
    Info(&'a [u8]),
    /// A message for a subscription.
    Message(Message<'a>),
    /// It wants a PONG.
    Ping,
    /// The answer to a PING.
    Pong,
    /// A line was taken (only in verbose mode).
    Ok,
    /// It refuses something, and mostly closes the connection after that.
    Refused(&'a str),
}

/// A message for a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it was published to.
    pub subject: &'a str,
    /// The number that the subscription was made with.
    pub sid: u64,
    /// Where an answer goes.
    pub reply: Option<&'a str>,
    /// The header block, empty where there is none.
    pub headers: &'a [u8],
    /// The rest.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The status of a message that the server itself wrote: 100 is about flow, 503 is nobody there.
    pub fn status(&self) -> Option<u16> {
        let line = self.headers.split(|byte| *byte == b'\r').next()?;
        let line = std::str::from_utf8(line).ok()?;
        line.strip_prefix("NATS/1.0 ")?.split(' ').next()?.parse().ok()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let text = std::str::from_utf8(self.headers).ok()?;
        let lines = text.split("\r\n").skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(':'));
        pairs.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The first operation of `bytes` and its length; `None` where it is not complete yet.
pub fn next(bytes: &[u8]) -> Result<Option<(Operation<'_>, usize)>> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        ensure!(bytes.len() <= LINE_BYTES_MAX, "a line without end");
        return Ok(None);
    };
    let line = bytes[..end].strip_suffix(b"\r").context("a line without CR")?;
    let line = std::str::from_utf8(line).context("a line that is no text")?;
    let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let after = end + 1;
    let operation = match word.to_ascii_uppercase().as_str() {
        "MSG" => return message(&bytes[after..], rest, false, after),
        "HMSG" => return message(&bytes[after..], rest, true, after),
        "INFO" => Operation::Info(rest.trim().as_bytes()),
        "PING" => Operation::Ping,
        "PONG" => Operation::Pong,
        "+OK" => Operation::Ok,
        "-ERR" => Operation::Refused(rest.trim().trim_matches('\'')),
        _ => bail!("bytes that are not of the NATS protocol"),
    };
    Ok(Some((operation, after)))
}

fn message<'a>(
    body: &'a [u8],
    arguments: &'a str,
    has_headers: bool,
    after: usize,
) -> Result<Option<(Operation<'a>, usize)>> {
    let words: Vec<&str> = arguments.split_ascii_whitespace().collect();
    let sizes = if has_headers { 2 } else { 1 };
    ensure!(
        (2 + sizes..=3 + sizes).contains(&words.len()),
        "a message line of {} words",
        words.len()
    );
    let size = |word: &str| word.parse::<usize>().context("a size that is no number");
    let total = size(words[words.len() - 1])?;
    let headers = if has_headers { size(words[words.len() - 2])? } else { 0 };
    ensure!(headers <= total, "more header than message");
    ensure!(total <= MESSAGE_BYTES_MAX, "a message of {total} bytes");
    let Some(content) = body.get(..total + 2) else { return Ok(None) };
    ensure!(content.ends_with(b"\r\n"), "a message that does not end where it should");
    let message = Message {
        subject: words[0],
        sid: words[1].parse().context("a subscription that is no number")?,
        reply: (words.len() > 2 + sizes).then(|| words[2]),
        headers: &content[..headers],
        payload: &content[headers..total],
    };
    Ok(Some((Operation::Message(message), after + total + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(reply: Option<&'a str>, headers: &'a str, payload: &'a str) -> Operation<'a> {
        let (headers, payload) = (headers.as_bytes(), payload.as_bytes());
        Operation::Message(Message { subject: "a.b", sid: 7, reply, headers, payload })
    }

    /// The text is understood, with something behind it as well, and no part of it is.
    fn check(text: &str, expected: Operation<'_>) {
        for cut in 0..text.len() {
            assert_eq!(next(&text.as_bytes()[..cut]).unwrap(), None, "{text:?} cut at {cut}");
        }
        let more = format!("{text}PING\r\n");
        for bytes in [text, &more] {
            assert_eq!(next(bytes.as_bytes()).unwrap(), Some((expected.clone(), text.len())));
        }
    }

    #[test]
    fn operations_are_read_whole_or_not_at_all() {
        check("PING\r\n", Operation::Ping);
        check("pong\r\n", Operation::Pong);
        check("+OK\r\n", Operation::Ok);
        check("INFO {\"a\":1} \r\n", Operation::Info(b"{\"a\":1}"));
        check("-ERR 'Stale Connection'\r\n", Operation::Refused("Stale Connection"));
        check("MSG a.b 7 5\r\nhello\r\n", message(None, "", "hello"));
        check("MSG a.b 7 x.y 0\r\n\r\n", message(Some("x.y"), "", ""));
        check("MSG a.b 7 4\r\n\r\n\r\n\r\n", message(None, "", "\r\n\r\n"));
        check(
            "HMSG a.b 7 x 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
            message(Some("x"), "NATS/1.0\r\n\r\n", "hi"),
        );
        check("HMSG a.b 7 12 12\r\nNATS/1.0\r\n\r\n\r\n", message(None, "NATS/1.0\r\n\r\n", ""));
    }

    #[test]
    fn what_is_not_nats_is_refused() {
        for text in [
            "HTTP/1.1 200\r\n",
            "PING\n",
            "MSG a 1\r\n",
            "MSG a 1 b c 2\r\nhi\r\n",
            "MSG a 1 -2\r\nhi\r\n",
            "MSG a x 2\r\nhi\r\n",
            "MSG a 1 2\r\nhiho\r\n",
            "MSG a 1 99999999999\r\n",
            "HMSG a 1 5 2\r\nhi\r\n",
        ] {
            assert!(next(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(next(&[b'x'; LINE_BYTES_MAX + 1]).is_err());
        assert!(next(b"\xff\xfe\r\n").is_err());
    }

    #[test]
    fn headers_tell_a_status_and_values() {
        let headers = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 5\r\n\r\n";
        let with = |headers| Message { subject: "a", sid: 1, reply: None, headers, payload: b"" };
        let found = with(headers);
        assert_eq!(found.status(), Some(100));
        assert_eq!(found.header("nats-last-consumer"), Some("5"));
        assert_eq!(found.header("other"), None);
        assert_eq!(with(b"NATS/1.0 503\r\n\r\n").status(), Some(503));
        assert_eq!(with(b"NATS/1.0\r\na: b\r\n\r\n").status(), None);
        assert_eq!(with(b"").status(), None);
    }
}
