#!/usr/bin/env bash
# Plays a script of tests/vectors/tools/ with Kafka's own tools on a broker that has nothing yet, and prints it
# with what they answered. `run.sh goldens` does that for each script and compares.
#
# `record.sh SCRIPT BROKER KLAMM JAVA...` where JAVA runs a class with Kafka's jars. Lines of a script:
#   # a remark           % a command of klamm that sets something up, its input behind `<`
#   $ a command of Kafka's, then what it said: > on standard output, ! on standard error, = its exit code
set -u
script=$1 broker=$2 klamm=$3
shift 3
java=("$@")
said=$(mktemp -d) || exit 1
trap 'rm -rf "$said"' EXIT

class_of() {
    case $1 in
    configs) echo kafka.admin.ConfigCommand ;;
    consumer-groups) echo org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    topics) echo org.apache.kafka.tools.TopicCommand ;;
    *) echo "record.sh: no class is known for $1" >&2; exit 1 ;;
    esac
}

# `keyed 3` is 1<tab>1, 2<tab>2, 3<tab>3; `3` is 1, 2, 3.
input() {
    case $1 in
    keyed) seq "$2" | sed 's/.*/&\t&/' ;;
    *) seq "$1" ;;
    esac
}

# Traces of the stack and the logger's lines are not compared; an exception's message may be all that is said.
first_lines() {
    grep -v -e '^\s*at ' -e '^\s*\.\.\. ' -e '^Caused by:' -e '^\[main\]' -e '^SLF4J' -e '^$' "$1" |
        sed -e 's/^Exception in thread "main" [^:]*: //' -e 's/^java.util.concurrent.ExecutionException: //' |
        if [ "$2" = configs ]; then head -2; else
            grep -v -E '^(java|org\.apache|joptsimple|com\.fasterxml)\.' | head -1
        fi | grep -v -e '^Option  ' -e '^------  '
}

steady() { sed -E "s/127\.0\.0\.1:[0-9]{5}/127.0.0.1:99999/g"; }

while IFS= read -r line; do
    case $line in
    '%'*)
        read -r -a words <<<"${line#% }"
        given=()
        while [ "${#words[@]}" -gt 0 ] && [ "${words[0]}" != '<' ]; do
            given+=("${words[0]}")
            words=("${words[@]:1}")
        done
        if [ "${#words[@]}" -gt 0 ]; then input "${words[@]:1}" >"$said/in"; else : >"$said/in"; fi
        "$klamm" "${given[@]}" --bootstrap-server "$broker" <"$said/in" >/dev/null 2>"$said/err" ||
            { cat "$said/err" >&2; exit 1; }
        echo "$line"
        ;;
    '$'*)
        read -r -a words <<<"${line#$ }"
        "${java[@]}" "$(class_of "${words[0]}")" --bootstrap-server "$broker" "${words[@]:1}" \
            </dev/null >"$said/out" 2>"$said/err"
        code=$?
        echo "$line"
        sed 's/^/>/' "$said/out" | steady
        first_lines "$said/err" "${words[0]}" | sed 's/^/!/' | steady
        echo "=$code"
        ;;
    '#'* | '') echo "$line" ;;
    esac
done <"$script"
