//! Suggestions for messages with `did you mean`.

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

/// Returns the known time zone that was most likely meant, if one is close enough. `known` has names of the IANA
/// database, such as `Europe/Berlin`.
///
/// Case is ignored, a space counts as `_`, and a city is enough.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::suggest::zone;
///
/// let known = ["America/New_York", "Europe/Berlin", "UTC"];
/// assert_eq!(zone("Europe/Berlim", known), Some("Europe/Berlin"));
/// assert_eq!(zone("new york", known), Some("America/New_York"));
/// assert_eq!(zone("CEST", known), None);
/// ```
pub fn zone<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    zone_of(written, &known.into_iter().collect::<Vec<_>>())
}

fn zone_of<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.trim().to_lowercase().replace(' ', "_");
    let names: Vec<String> = known.iter().map(|name| name.to_lowercase()).collect();
    let same = names.iter().position(|name| *name == written);
    let same = same.or_else(|| names.iter().position(|name| city(name) == written));
    // Abbreviations such as `EST` and `PST` are close to each other, and no name is longer than 64 letters.
    let is_comparable = (5..=64).contains(&written.chars().count());
    let close = || {
        if !is_comparable {
            return None;
        }
        let distance = |name: &String| distance(&written, name).min(distance(&written, city(name)));
        let distances = names.iter().map(distance).enumerate();
        let (place, closest) = distances.min_by_key(|(_, distance)| *distance)?;
        (closest <= 2).then_some(place)
    };
    known.get(same.or_else(close)?).copied()
}

/// Returns `berlin` for `europe/berlin`.
fn city(zone: &str) -> &str {
    zone.rsplit_once('/').map_or(zone, |(_, city)| city)
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
            if swapped {
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
