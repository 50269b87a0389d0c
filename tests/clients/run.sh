#!/usr/bin/env bash
# Clients and tools that nobody here wrote, in consumer groups of a real broker: kafkajs, kafka-python, Kafka's
# own Java consumer, kafka-console-consumer and kafka-consumer-groups. They are installed from their registries
# into target/clients once; what cannot be had is skipped with a line that says so.
#
# `tests/clients/run.sh [kafkajs] [python] [java] [tools] [goldens]` runs those that are named, or all. `goldens`
# plays the scripts of tests/vectors/tools again with Kafka's tools, and fails where they now say something else;
# KLAMM_RECORD=1 keeps what they say.
set -u
cd "$(dirname "$0")/../.." || exit 1
readonly here=$PWD/tests/clients target=${CARGO_TARGET_DIR:-$PWD/target}
readonly installed=$target/clients klamm=$target/debug/klamm
readonly kafkajs_version=2.2.4 kafka_python_version=3.0.12 kafka_version=4.3.0
mkdir -p "$installed" || exit 1

skip() { echo "skipped: $*"; }

has() { command -v "$1" >/dev/null 2>&1; }

# A broker on a free port, as $broker; stopped when this script ends.
start_broker() {
    data=$(mktemp -d "$installed/data.XXXXXX") || exit 1
    local try
    for try in 1 2 3 4 5; do
        port=$((12000 + RANDOM % 10000))
        broker=127.0.0.1:$port
        : >"$data/log"
        "$klamm" start --override "listeners=PLAINTEXT://$broker" \
            --override "admin.listener=127.0.0.1:$((port + 1))" --override "log.dirs=$data/data" \
            --override group.initial.rebalance.delay.ms=0 >>"$data/log" 2>&1 &
        broker_pid=$!
        while kill -0 "$broker_pid" 2>/dev/null; do
            grep -q "ready in" "$data/log" && return
            sleep 0.1
        done
    done
    cat "$data/log"
    exit 1
}

stop_broker() {
    kill "$broker_pid" 2>/dev/null && wait "$broker_pid" 2>/dev/null
    rm -rf "$data"
}

run_kafkajs() {
    has node && has npm || { skip "kafkajs (no node and npm)"; return; }
    if [ ! -d "$installed/js/node_modules/kafkajs" ]; then
        npm install --silent --no-fund --no-audit --prefix "$installed/js" "kafkajs@$kafkajs_version" \
            >"$installed/npm.log" 2>&1 || { skip "kafkajs (npm cannot install it)"; return; }
    fi
    NODE_PATH=$installed/js/node_modules KAFKAJS_NO_PARTITIONER_WARNING=1 node "$here/kafkajs.js" "$broker"
}

run_python() {
    has python3 || { skip "kafka-python (no python3)"; return; }
    if [ ! -x "$installed/python/bin/python" ] || [ ! -e "$installed/python/ready" ]; then
        { python3 -m venv "$installed/python" &&
            "$installed/python/bin/pip" install -q "kafka-python==$kafka_python_version" &&
            touch "$installed/python/ready"; } >"$installed/pip.log" 2>&1 ||
            { skip "kafka-python (pip cannot install it)"; return; }
    fi
    "$installed/python/bin/python" "$here/kafka_python.py" "$broker"
}

# Kafka's tools with the clients of the same version.
install_jars() {
    has java || { skip "$1 (no java)"; return 1; }
    [ -e "$installed/java/ready-with-configs" ] && return
    has mvn || { skip "$1 (no mvn)"; return 1; }
    mkdir -p "$installed/java"
    cat >"$installed/java/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>clients</groupId><artifactId>clients</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
POM
    (cd "$installed/java" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=libs -DincludeScope=runtime &&
        touch ready-with-configs) >"$installed/mvn.log" 2>&1 || { skip "$1 (mvn cannot install Kafka's jars)"; return 1; }
}

java_with_jars() { java -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$installed/java/libs/*" "$@"; }

run_java() {
    install_jars "the Java consumer" || return 0
    java_with_jars "$here/Groups.java" "$broker"
}

groups_tool() {
    java_with_jars org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" "$@"
}

# Runs a tool and looks for a pattern in what it says.
expect() {
    local pattern=$1 said
    shift
    said=$("$@" 2>&1)
    if ! grep -Eq -- "$pattern" <<<"$said"; then
        printf 'tools: %s\nis to say %s and says\n%s\n' "$*" "$pattern" "$said"
        return 1
    fi
    echo "tools: ${*:2} says $pattern"
}

# Our tool says what Kafka's says, byte for byte, while a member is there.
same() {
    local ours theirs
    ours=$("$klamm" consumer-groups --bootstrap-server "$broker" "$@" 2>/dev/null)
    theirs=$(groups_tool "$@" 2>/dev/null)
    if [ "$ours" != "$theirs" ]; then
        printf 'tools: consumer-groups %s\nours:\n%s\nKafka:\n%s\n' "$*" "$ours" "$theirs"
        return 1
    fi
    echo "tools: both say the same of $*"
}

run_goldens() {
    install_jars "Kafka's tools" || return 0
    local java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error
        -cp "$installed/java/libs/*") script outcome=0
    for script in tests/vectors/tools/*.txt; do
        stop_broker
        start_broker
        "$here/record.sh" "$script" "$broker" "$klamm" "${java[@]}" >"$data/recorded" || return 1
        if [ -n "${KLAMM_RECORD:-}" ]; then
            cp "$data/recorded" "$script"
        elif ! diff -u "$script" "$data/recorded"; then
            outcome=1
        fi
    done
    [ "$outcome" = 0 ] && echo "goldens: Kafka's tools say what the scripts have"
    return "$outcome"
}

run_tools() {
    install_jars "Kafka's tools" || return 0
    local topic=tools group=tools-group
    "$klamm" topics --create --topic $topic --partitions 2 --bootstrap-server "$broker" || return 1
    # Keys put records into both partitions, whatever the producer's choice for those without one.
    paste <(seq 100) <(seq 100) | "$klamm" console-producer --topic $topic --bootstrap-server "$broker" \
        --reader-property parse.key=true || return 1
    local consume=(java_with_jars org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker"
        --topic $topic --group $group)
    expect 'a total of 60 messages' "${consume[@]}" --from-beginning --max-messages 60 || return 1
    expect 'a total of 40 messages' "${consume[@]}" --timeout-ms 5000 || return 1
    # Our own reader goes on where Kafka's has come, in the same group.
    seq 7 | "$klamm" console-producer --topic $topic --bootstrap-server "$broker" || return 1
    expect 'a total of 7 messages' "$klamm" console-consumer --topic $topic --group $group --timeout-ms 5000 \
        --bootstrap-server "$broker" || return 1
    expect "^$group +Empty" groups_tool --list --state || return 1
    "$klamm" console-consumer --topic $topic --group $group --bootstrap-server "$broker" >/dev/null 2>&1 &
    local member=$! tries=0
    until groups_tool --describe --group $group --state 2>/dev/null | grep -q Stable; do
        [ $((tries += 1)) -gt 30 ] && { echo "tools: the group does not become stable"; kill $member; return 1; }
    done
    expect "$group .*range +Stable +1" groups_tool --describe --group $group --state &&
        expect 'console-consumer-.* /127.0.0.1 +console-consumer +2 ' groups_tool --describe --group $group --members &&
        expect "$group +$topic +[01] +[0-9]+ +[0-9]+ +0 +console-consumer-" groups_tool --describe --group $group &&
        expect 'Assignments can only be reset if the group .* is inactive' \
            groups_tool --reset-offsets --group $group --topic $topic --to-earliest --execute
    local held=$?
    if [ $held = 0 ]; then
        same --describe --group $group && same --describe --group $group --verbose &&
            same --describe --group $group --members --verbose && same --describe --group $group --state &&
            same --list --state --type
        held=$?
    fi
    kill -INT $member
    wait $member 2>/dev/null
    [ $held = 0 ] || return 1
    local reset=(groups_tool --reset-offsets --group $group --topic)
    expect "$topic +0 +0" "${reset[@]}" $topic --to-earliest --execute || return 1
    expect "$topic +0 +[1-9]" "${reset[@]}" $topic:0 --to-latest --execute || return 1
    expect "$topic +0 +3" "${reset[@]}" $topic:0 --to-offset 3 --execute || return 1
    expect "$topic +0 +5" "${reset[@]}" $topic:0 --shift-by 2 --execute || return 1
    expect "$topic +0 +0" "${reset[@]}" $topic:0 --by-duration PT1H --execute || return 1
    expect "$topic +0 +0" "${reset[@]}" $topic:0 --to-datetime 2020-01-01T00:00:00.000 --execute || return 1
    expect "$topic,0,0" "${reset[@]}" $topic:0 --to-current --export --dry-run || return 1
    echo "$topic,0,4" >"$data/offsets.csv"
    expect "$topic +0 +4" groups_tool --reset-offsets --group $group --from-file "$data/offsets.csv" --execute || return 1
    expect 'Request succeed' groups_tool --delete-offsets --group $group --topic $topic:0 || return 1
    expect 'was successful' groups_tool --delete --group $group || return 1
    expect 'GroupIdNotFound|does not exist' groups_tool --describe --group $group || return 1
    echo "tools: passed"
}

[ "$#" -gt 0 ] || set -- kafkajs python java tools goldens
[ -x "$klamm" ] || cargo build --bin klamm || exit 1
start_broker
trap stop_broker EXIT
for client in "$@"; do
    "run_$client" || { echo "FAILED: $client"; tail -20 "$data/log"; exit 1; }
done
