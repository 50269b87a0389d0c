#!/usr/bin/env bash
# Clients and tools that nobody here wrote, against a real broker: a matrix of them (matrix.sh), and the deeper
# ones in consumer groups (groups/): kafkajs, kafka-python, Kafka's Java consumer, and Kafka's tools. They are
# installed from their registries into target/clients once (install.sh); what cannot be had is skipped with a line.
#
# `tests/clients/run.sh [matrix] [kafkajs] [python] [java] [tools] [deletion] [goldens] [metrics]` runs those that are
# named, or all. `goldens` plays the scripts of tests/vectors/tools again with Kafka's tools, and fails where they
# now say something else; KLAMM_RECORD=1 keeps what they say.
set -u
cd "$(dirname "$0")/../.." || exit 1
readonly here=$PWD/tests/clients target=${CARGO_TARGET_DIR:-$PWD/target}
readonly installed=$target/clients klamm=$target/debug/klamm
export JAVA_LIBS=$installed/java/libs RUN_JAVA=$here/run_java.sh
export NODE_PATH=$installed/js/node_modules KAFKAJS_NO_PARTITIONER_WARNING=1
mkdir -p "$installed" || exit 1
for part in install broker expect matrix groups/tools deletion goldens; do . "$here/$part.sh"; done

run_kafkajs() {
    have js "kafkajs in groups" || return 0
    node "$here/groups/kafkajs.js" "$broker"
}

run_python() {
    have python "kafka-python in groups" || return 0
    "$installed/python/venv/bin/python" "$here/groups/kafka_python.py" "$broker"
}

# Prometheus' own parser, after the clients have made the broker count something.
run_metrics() {
    have prometheus "the metrics page" || return 0
    "$klamm" topics --list --bootstrap-server "$broker" >/dev/null || return 1
    "$installed/prometheus/venv/bin/python" "$here/metrics.py" "127.0.0.1:$((port + 1))"
}

run_java() {
    have java "Java consumers in groups" || return 0
    "$RUN_JAVA" "$here/groups/Groups.java" "$broker"
}

[ "$#" -gt 0 ] || set -- matrix kafkajs python java tools deletion goldens metrics
[ -x "$klamm" ] || cargo build --bin klamm || exit 1
install_all
start_broker
trap stop_broker EXIT
for client in "$@"; do
    since=$SECONDS
    "run_$client" || { echo "FAILED: $client"; tail -20 "$data/log"; exit 1; }
    echo "$client: $((SECONDS - since)) s"
done
