//! Failures as Kafka's tools print them: the Java exception's class, then what it says.

use crate::client::ClientError;
use crate::model::ErrorCode;

/// The codes whose exception is not called as the code is.
const IRREGULAR: &[(ErrorCode, &str)] = &[
    (ErrorCode::UnknownServerError, "UnknownServerException"),
    (ErrorCode::CorruptMessage, "CorruptRecordException"),
    (ErrorCode::RequestTimedOut, "TimeoutException"),
    (ErrorCode::MessageTooLarge, "RecordTooLargeException"),
    (ErrorCode::StaleControllerEpoch, "ControllerMovedException"),
    (ErrorCode::OffsetMetadataTooLarge, "OffsetMetadataTooLarge"),
    (ErrorCode::RecordListTooLarge, "RecordBatchTooLargeException"),
    (ErrorCode::TopicAlreadyExists, "TopicExistsException"),
    (ErrorCode::InvalidConfig, "InvalidConfigurationException"),
    (ErrorCode::OutOfOrderSequenceNumber, "OutOfOrderSequenceException"),
    (ErrorCode::DuplicateSequenceNumber, "DuplicateSequenceException"),
    (ErrorCode::InvalidProducerIdMapping, "InvalidPidMappingException"),
    (ErrorCode::InvalidTransactionTimeout, "InvalidTxnTimeoutException"),
    (ErrorCode::KafkaStorageError, "KafkaStorageException"),
    (ErrorCode::DelegationTokenAuthDisabled, "DelegationTokenDisabledException"),
    (ErrorCode::DelegationTokenRequestNotAllowed, "UnsupportedByAuthenticationException"),
    (ErrorCode::NonEmptyGroup, "GroupNotEmptyException"),
    (ErrorCode::PrincipalDeserializationFailure, "PrincipalDeserializationException"),
    (ErrorCode::FetchSessionTopicIdError, "FetchSessionTopicIdException"),
    (ErrorCode::InvalidRegularExpression, "InvalidRegularExpression"),
    (ErrorCode::TopicAuthorizationFailed, "TopicAuthorizationException"),
    (ErrorCode::GroupAuthorizationFailed, "GroupAuthorizationException"),
    (ErrorCode::ClusterAuthorizationFailed, "ClusterAuthorizationException"),
    (ErrorCode::SaslAuthenticationFailed, "SaslAuthenticationException"),
    (ErrorCode::TransactionalIdAuthorizationFailed, "TransactionalIdAuthorizationException"),
    (ErrorCode::DelegationTokenAuthorizationFailed, "DelegationTokenAuthorizationException"),
];

/// The exception that Kafka's clients throw for a code, without its package.
fn class(code: ErrorCode) -> String {
    let irregular = IRREGULAR.iter().find(|(other, _)| *other == code);
    if let Some((_, class)) = irregular {
        return (*class).to_owned();
    }
    let mut class = String::new();
    for word in code.name().trim_end_matches("_EXCEPTION").split('_') {
        let (first, rest) = word.split_at(word.len().min(1));
        class.push_str(first);
        class.push_str(&rest.to_ascii_lowercase());
    }
    class + "Exception"
}

/// A failure as `ExecutionException.getMessage` gives it.
pub fn described(failure: &ClientError) -> String {
    let code = match failure {
        ClientError::GaveUp { .. } | ClientError::NoAnswer { .. } => ErrorCode::RequestTimedOut,
        ClientError::Unsupported { .. } => ErrorCode::UnsupportedVersion,
        other => other.code().unwrap_or(ErrorCode::NetworkException),
    };
    format!("org.apache.kafka.common.errors.{}: {failure}", class(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_kafkas_errors() {
        for (code, expected) in [
            (ErrorCode::OffsetOutOfRange, "OffsetOutOfRangeException"),
            (ErrorCode::UnsupportedVersion, "UnsupportedVersionException"),
            (ErrorCode::UnknownTopicOrPartition, "UnknownTopicOrPartitionException"),
            (ErrorCode::InvalidTopicException, "InvalidTopicException"),
            (ErrorCode::NetworkException, "NetworkException"),
            (ErrorCode::RequestTimedOut, "TimeoutException"),
            (ErrorCode::PolicyViolation, "PolicyViolationException"),
        ] {
            assert_eq!(class(code), expected);
        }
        let refused = ClientError::refused(ErrorCode::OffsetOutOfRange, None);
        let expected = "org.apache.kafka.common.errors.OffsetOutOfRangeException: The requested offset is \
                        not within the range of offsets maintained by the server.";
        assert_eq!(described(&refused), expected);
    }
}
