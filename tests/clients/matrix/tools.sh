#!/usr/bin/env bash
# Kafka's console and admin tools through the matrix: `tools.sh first|across|second BROKER`.
set -u -o pipefail
readonly broker=$2
. "$(dirname "$0")/plan.sh"

tool() { "$RUN_JAVA" "$1" --bootstrap-server "$broker" "${@:2}"; }
topics() { tool org.apache.kafka.tools.TopicCommand "$@"; }
configs() { tool kafka.admin.ConfigCommand --entity-type topics --entity-name "$@"; }
groups() { tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "$@"; }

create() { topics --create --topic "$1" --partitions "$2" >/dev/null; }

# It is idempotent unless told otherwise. Retries outlast a restart of the broker.
produce() {
    tool org.apache.kafka.tools.ConsoleProducer --topic "$1" --compression-codec "$2" \
        --command-property delivery.timeout.ms=90000 --command-property linger.ms=5 --message-send-max-retries 1000
}

consume() {
    tool org.apache.kafka.tools.consumer.ConsoleConsumer --topic "$1" --group "$2" --max-messages "$3" \
        --from-beginning --timeout-ms 60000 2>/dev/null
}

admin() {
    local topic=$1 group=$2 count=$3
    expect "PartitionCount: $partitions" topics --describe --topic "$topic" &&
        expect "Completed updating config" configs "$topic" --alter --add-config retention.ms=1234567 &&
        expect "retention.ms=1234567" configs "$topic" --describe &&
        expect "^$topic:1:[0-9]+" tool org.apache.kafka.tools.GetOffsetShell --topic "$topic" &&
        expect "^$group +$topic +0 +([0-9]+) +\1 +0 " groups --describe --group "$group" &&
        expect "\"partition\":\"$topic-0\"" tool org.apache.kafka.tools.LogDirsCommand --describe --topic-list "$topic" &&
        expect "Produce\(0\): 0 to 1[0-9]" tool org.apache.kafka.tools.BrokerApiVersionsCommand
}

finish() {
    expect "was successful" groups --delete --group "$2" && expect '^$' topics --delete --topic "$1"
}

run tools "$1"
