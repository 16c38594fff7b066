//! The last events, in the form of the wire.

use std::collections::VecDeque;
use std::sync::Arc;

/// The largest numbers of lines of events and of actions.
const EVENTS: usize = 1000;
const ACTIONS: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Log(VecDeque<Line>);

#[derive(Debug)]
struct Line {
    path: Option<Arc<str>>,
    json: Arc<str>,
    is_action: bool,
}

impl Log {
    pub(crate) fn push_event(&mut self, path: Option<Arc<str>>, json: Arc<str>) {
        self.push(Line { path, json, is_action: false }, EVENTS);
    }

    pub(crate) fn push_action(&mut self, path: &str, json: Arc<str>) {
        self.push(Line { path: Some(path.into()), json, is_action: true }, ACTIONS);
    }

    fn push(&mut self, line: Line, most: usize) {
        let alike = |other: &Line| other.is_action == line.is_action;
        if self.0.len() >= most && self.0.iter().filter(|other| alike(other)).count() >= most {
            if let Some(oldest) = self.0.iter().position(alike) {
                self.0.remove(oldest);
            }
        }
        self.0.push_back(line);
    }

    /// Removes the events, whose sequence ends with the pump. Actions stay.
    pub(crate) fn forget_events(&mut self) {
        self.0.retain(|line| line.is_action);
        self.0.shrink_to_fit();
    }

    /// Returns the last lines, of everything or of one path, the oldest first.
    pub(crate) fn last(&self, path: Option<&str>, most: usize) -> Vec<Arc<str>> {
        let is_asked = |line: &&Line| path.is_none_or(|path| line.path.as_deref() == Some(path));
        let newest = self.0.iter().rev().filter(is_asked).take(most);
        let mut lines: Vec<_> = newest.map(|line| Arc::clone(&line.json)).collect();
        lines.reverse();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_and_actions_outlive_the_events() {
        let mut log = Log::default();
        log.push_action("a", "restart".into());
        for number in 0..EVENTS + 5 {
            let path = if number % 2 == 0 { "a" } else { "b" };
            log.push_event(Some(path.into()), number.to_string().as_str().into());
        }
        assert_eq!(log.last(None, usize::MAX).len(), EVENTS + 1);
        assert_eq!(log.last(Some("b"), 2), ["1001".into(), "1003".into()]);
        log.forget_events();
        assert_eq!(log.last(None, usize::MAX), ["restart".into()]);
    }
}
