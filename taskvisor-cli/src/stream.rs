//! A parser of server-sent events.

/// Parses bytes to messages.
#[derive(Debug)]
pub(crate) struct Parser {
    /// The longest message that is kept, in bytes.
    longest: usize,
    line: Vec<u8>,
    /// `true` if the last byte was a carriage return, so that a line feed now belongs to the same line break.
    after_return: bool,
    message: Message,
}

/// A message of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) event: String,
    pub(crate) data: String,
}

/// The error of a message that is too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Parser {
    pub(crate) fn new(longest: usize) -> Self {
        Self { longest, line: Vec::new(), after_return: false, message: Message::default() }
    }

    /// Reads bytes, and returns the messages that end in them.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        for &byte in bytes {
            let is_second_half = byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if is_second_half => {}
                b'\n' | b'\r' => messages.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.message.data.len() > self.longest {
                return Err(TooLong);
            }
        }
        Ok(messages)
    }

    fn end_line(&mut self) -> Option<Message> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if line.is_empty() {
            let mut message = std::mem::take(&mut self.message);
            // Each line of data has added its line break.
            message.data.pop()?;
            return Some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" => {
                self.message.data.push_str(value);
                self.message.data.push('\n');
            }
            // A comment, or a field that is not needed.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 2000\n\n: \n\nid: a-1\nevent: snapshot\ndata: {\"seq\":1}\n\nevent: bye\r\ndata:x\r\n\
                          data: y\r\n\r\ndata\rdata: ä\r\rdata: cut off";

    #[test]
    fn messages_are_read_whatever_the_parts() {
        let whole = Parser::new(100).push(STREAM.as_bytes()).unwrap();
        let message = |event: &str, data: &str| Message { event: event.to_owned(), data: data.to_owned() };
        assert_eq!(whole, [message("snapshot", "{\"seq\":1}"), message("bye", "x\ny"), message("", "\nä")]);
        for size in 1..STREAM.len() {
            let mut parser = Parser::new(100);
            let parts = STREAM.as_bytes().chunks(size).flat_map(|part| parser.push(part).unwrap());
            assert_eq!(parts.collect::<Vec<_>>(), whole, "parts of {size}");
        }
    }

    #[test]
    fn a_message_without_an_end_is_given_up() {
        let mut parser = Parser::new(100);
        assert_eq!(parser.push(&[b'x'; 60]), Ok(Vec::new()));
        assert_eq!(parser.push(&[b'x'; 60]), Err(TooLong));
        let mut parser = Parser::new(100);
        assert_eq!(parser.push("data: of many lines\n".repeat(6).as_bytes()), Ok(Vec::new()));
        assert_eq!(parser.push(b"data: and one more\n"), Err(TooLong));
    }
}
