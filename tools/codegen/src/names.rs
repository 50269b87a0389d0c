//! Kafka's camel case as Rust names.

/// `TopicId` becomes `topic_id`, `ISRNodes` becomes `isr_nodes`.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, &letter) in letters.iter().enumerate() {
        let after_word =
            index > 0 && (letters[index - 1].is_lowercase() || letters[index - 1].is_ascii_digit());
        let before_word = index > 0
            && letters[index - 1].is_uppercase()
            && letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_word || before_word) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A field's name as a Rust identifier.
pub fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "match" | "ref" | "move" | "use" | "final" => format!("r#{snake}"),
        _ => snake,
    }
}

#[cfg(test)]
mod tests {
    use super::{field, snake};

    #[test]
    fn names_follow_rust() {
        for (kafka, rust) in [
            ("TopicId", "topic_id"),
            ("topicId", "topic_id"),
            ("V3AndBelowTopics", "v3_and_below_topics"),
            ("ISRNodes", "isr_nodes"),
            ("Name", "name"),
        ] {
            assert_eq!(snake(kafka), rust);
        }
        assert_eq!(field("Type"), "r#type");
    }
}
