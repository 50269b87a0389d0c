//! The order in which a `java.util.HashMap` of strings iterates: Kafka's tools print topics and configs in it.

/// Sorts `items` as a map iterates that was made with `capacity` (16 is Java's default) and given them in order.
pub fn sort_as_hash_map<T>(items: &mut [T], capacity: usize, key: impl Fn(&T) -> &str) {
    let mut table = capacity.max(1).next_power_of_two();
    while items.len() > table / 4 * 3 + table % 4 * 3 / 4 {
        table *= 2;
    }
    // Within a bucket the order is that of insertion, which a stable sort keeps.
    items.sort_by_key(|item| spread(hash_code(key(item))) as usize & (table - 1));
}

/// `String.hashCode`, over UTF-16 units.
fn hash_code(text: &str) -> u32 {
    text.encode_utf16()
        .fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// `HashMap.hash`.
fn spread(hash: u32) -> u32 {
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_javas() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("a"), 97);
        assert_eq!(hash_code("quickstart-events") as i32, 728_817_489);
    }

    /// What `kafka-topics --describe` of Kafka 4.3.0 printed for these topics.
    #[test]
    fn topics_come_in_kafkas_order() {
        let mut topics =
            ["a", "a.b_c", "my-topic", "orders.eu", "quickstart-events", "ra", "zebra"];
        let capacity = topics.len();
        sort_as_hash_map(&mut topics, capacity, |topic| topic);
        let expected = ["zebra", "a", "quickstart-events", "a.b_c", "my-topic", "orders.eu", "ra"];
        assert_eq!(topics, expected);
    }
}
