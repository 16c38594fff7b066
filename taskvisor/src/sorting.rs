//! Sorts by text or number. The sort itself is compiled once for each kind of key, whatever is sorted by it.

/// Sorts items by their texts. Items of equal texts keep their order.
pub(crate) fn sort_by_text<T>(items: &mut Vec<T>, text: impl Fn(&T) -> &str) {
    let mut order: Vec<(&str, usize)> = items.iter().map(text).zip(0..).collect();
    sort_texts(&mut order);
    let order: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();
    reorder(items, &order);
}

/// Sorts items by their numbers. Items of equal numbers keep their order.
pub(crate) fn sort_by_number<T>(items: &mut Vec<T>, number: impl Fn(&T) -> u64) {
    let mut order: Vec<(u64, usize)> = items.iter().map(number).zip(0..).collect();
    order.sort_unstable();
    let order: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();
    reorder(items, &order);
}

/// Sorts pairs of a text and a place. Equal texts are in the order of their places.
fn sort_texts(order: &mut [(&str, usize)]) {
    order.sort_unstable();
}

/// Puts items into the order of these places, each of which is there once.
fn reorder<T>(items: &mut Vec<T>, order: &[usize]) {
    let mut taken: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.iter().filter_map(|place| taken[*place].take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_and_equal_ones_keep_their_order() {
        let mut words: Vec<_> = ["b", "a", "c", "a", ""].into_iter().zip(0..).collect();
        sort_by_text(&mut words, |(word, _)| word);
        assert_eq!(words, [("", 4), ("a", 1), ("a", 3), ("b", 0), ("c", 2)]);
        let mut numbers: Vec<_> = [7, u64::MAX, 0, 7].into_iter().zip('a'..).collect();
        sort_by_number(&mut numbers, |(number, _)| *number);
        assert_eq!(numbers, [(0, 'c'), (7, 'a'), (7, 'd'), (u64::MAX, 'b')]);
    }
}
