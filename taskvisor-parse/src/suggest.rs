//! Words that were meant, for messages with `did you mean`.

/// Returns the known word that was most likely meant, if one is close enough.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::suggest::closest;
///
/// assert_eq!(closest("intervall", ["interval", "timeout"]), Some("interval"));
/// assert_eq!(closest("color", ["interval", "timeout"]), None);
/// ```
pub fn closest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    closest_of(written, &known.into_iter().collect::<Vec<_>>())
}

fn closest_of<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.to_lowercase();
    let allowed = match written.chars().count() {
        0..=1 => 0,
        2..=4 => 1,
        _ => 2,
    };
    known
        .iter()
        .map(|word| (distance(&written, &word.to_lowercase()), *word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
        .or_else(|| only_with_part(&written, known))
}

/// Returns the only known word that contains `written`, such as `initial_delay` for `delay`.
fn only_with_part<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let mut with_part = known.iter().filter(|word| word.split('_').any(|part| part == written));
    match (with_part.next(), with_part.next()) {
        (Some(word), None) => Some(word),
        _ => None,
    }
}

/// Formats the words as a list of choices, each in the given quotes.
///
/// # Examples
///
/// ```
/// assert_eq!(taskvisor_parse::suggest::list(["s", "ms", "us"], '`'), "`s`, `ms` or `us`");
/// ```
pub fn list<'k>(known: impl IntoIterator<Item = &'k str>, quote: char) -> String {
    list_of(&known.into_iter().collect::<Vec<_>>(), quote)
}

fn list_of(known: &[&str], quote: char) -> String {
    let quoted: Vec<String> = known.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, second] => format!("{first} or {second}"),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// Returns the number of edits between two words: insertions, deletions, substitutions, and swaps of neighbors.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_from = None;
    for (row, &a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_to = None;
        for (column, &b) in to.iter().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (cell(&last, column) + usize::from(a != b))
                .min(cell(&last, column + 1) + 1)
                .min(cell(&current, column) + 1);
            let swapped = previous_from == Some(b) && previous_to == Some(a);
            if swapped && column > 0 {
                best = best.min(cell(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_to = Some(b);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_from = Some(a);
    }
    last.last().copied().unwrap_or(0)
}
