//! The order in which a `java.util.HashMap` iterates: Kafka's tools print topics, configs and brokers in it.

/// Sorts `items` by a text as a map iterates that was made with `capacity` (16 is Java's default) and given
/// them in order.
pub fn sort_as_hash_map<T>(items: &mut [T], capacity: usize, key: impl Fn(&T) -> &str) {
    sort_by_hash(items, capacity, |item| hash_code(key(item)));
}

/// As [`sort_as_hash_map`], by a hash code.
pub fn sort_by_hash<T>(items: &mut [T], capacity: usize, hash: impl Fn(&T) -> u32) {
    let mut table = capacity.max(1).next_power_of_two();
    while items.len() > table / 4 * 3 + table % 4 * 3 / 4 {
        table *= 2;
    }
    // Within a bucket the order is that of insertion, which a stable sort keeps.
    items.sort_by_key(|item| spread(hash(item)) as usize & (table - 1));
}

/// `String.hashCode`, over UTF-16 units.
pub fn hash_code(text: &str) -> u32 {
    text.encode_utf16()
        .fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// `TopicPartition.hashCode`.
pub fn partition_hash_code(topic: &str, partition: i32) -> u32 {
    combined([1, partition as u32, hash_code(topic)])
}

/// A hash code of several, the first being where it begins.
pub fn combined<const N: usize>(parts: [u32; N]) -> u32 {
    parts.into_iter().fold(0, |hash: u32, part| hash.wrapping_mul(31).wrapping_add(part))
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

    /// What `kafka-delete-records` of Kafka 4.3.0 printed for these partitions.
    #[test]
    fn partitions_come_in_kafkas_order() {
        let mut partitions = [("a", 0), ("b.c", 0), ("a", 1)];
        sort_by_hash(&mut partitions, 16, |(topic, index)| partition_hash_code(topic, *index));
        assert_eq!(partitions, [("a", 1), ("a", 0), ("b.c", 0)]);
    }
}
