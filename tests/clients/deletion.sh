# Kafka's kafka-delete-records: what it says, and that the records are gone; sourced by run.sh.

run_deletion() {
    have java "Kafka's kafka-delete-records" || return 0
    local topic=deletion compacted=compacted
    "$klamm" topics --create --topic $topic --partitions 1 --bootstrap-server "$broker" || return 1
    "$klamm" topics --create --topic $compacted --partitions 1 --config cleanup.policy=compact \
        --bootstrap-server "$broker" || return 1
    seq 10 | "$klamm" console-producer --topic $topic --bootstrap-server "$broker" || return 1
    local delete=("$RUN_JAVA" org.apache.kafka.tools.DeleteRecordsCommand --bootstrap-server "$broker"
        --offset-json-file "$data/deletion.json")
    local parts='{"partitions": [{"topic": "%s", "partition": 0, "offset": %d}], "version": 1}'
    printf "$parts" $topic 7 >"$data/deletion.json"
    expect "partition: $topic-0.low_watermark: 7" "${delete[@]}" || return 1
    printf "$parts" $topic 11 >"$data/deletion.json"
    expect "partition: $topic-0.error: .*OffsetOutOfRange" "${delete[@]}" || return 1
    printf "$parts" $compacted 0 >"$data/deletion.json"
    expect "partition: $compacted-0.error: .*PolicyViolation" "${delete[@]}" || return 1
    printf "$parts" $topic -1 >"$data/deletion.json"
    expect "partition: $topic-0.low_watermark: 10" "${delete[@]}" || return 1
    expect "$topic:0:10" "$RUN_JAVA" org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$broker" \
        --topic $topic --time -2
}
