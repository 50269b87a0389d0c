# Kafka's own tools and ours in one consumer group; sourced by run.sh.

groups_tool() {
    "$RUN_JAVA" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$broker" "$@"
}

# Our tool says what Kafka's says, byte for byte, while members are there.
both_say_the_same() {
    local ours theirs
    ours=$("$klamm" consumer-groups --bootstrap-server "$broker" "$@" 2>/dev/null)
    theirs=$(groups_tool "$@" 2>/dev/null)
    if [ "$ours" != "$theirs" ]; then
        printf 'tools: consumer-groups %s\nours:\n%s\nKafka:\n%s\n' "$*" "$ours" "$theirs"
        return 1
    fi
    echo "tools: both say the same of $*"
}

# described_with_members TOPIC GROUP COUNT: what is said of a group while it has members.
described_with_members() {
    local topic=$1 group=$2 tries=0
    until groups_tool --describe --group "$group" --state 2>/dev/null | grep -Eq "range +Stable +$3"; do
        [ $((tries += 1)) -gt 30 ] && { echo "tools: the group does not become stable with $3"; return 1; }
    done
    expect 'console-consumer-.* /127.0.0.1 +console-consumer +[012] ' groups_tool --describe --group "$group" --members &&
        expect "$group +$topic +[01] +[0-9]+ +[0-9]+ +0 +[a-z]" groups_tool --describe --group "$group" &&
        expect 'Assignments can only be reset if the group .* is inactive' \
            groups_tool --reset-offsets --group "$group" --topic "$topic" --to-earliest --execute &&
        both_say_the_same --describe --group "$group" &&
        both_say_the_same --describe --group "$group" --verbose &&
        both_say_the_same --describe --group "$group" --members --verbose &&
        both_say_the_same --describe --group "$group" --state &&
        both_say_the_same --list --state --type
}

run_tools() {
    have java "Kafka's tools in groups" || return 0
    local topic=tools group=tools-group
    "$klamm" topics --create --topic $topic --partitions 2 --bootstrap-server "$broker" || return 1
    # Keys put records into both partitions, whatever the producer's choice for those without one.
    paste <(seq 100) <(seq 100) | "$klamm" console-producer --topic $topic --bootstrap-server "$broker" \
        --reader-property parse.key=true || return 1
    local consume=("$RUN_JAVA" org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$broker"
        --topic $topic --group $group)
    expect 'a total of 60 messages' "${consume[@]}" --from-beginning --max-messages 60 || return 1
    expect 'a total of 40 messages' "${consume[@]}" --timeout-ms 5000 || return 1
    # Our own reader goes on where Kafka's has come, in the same group.
    seq 7 | "$klamm" console-producer --topic $topic --bootstrap-server "$broker" || return 1
    expect 'a total of 7 messages' "$klamm" console-consumer --topic $topic --group $group --timeout-ms 5000 \
        --bootstrap-server "$broker" || return 1
    expect "^$group +Empty" groups_tool --list --state || return 1
    # Members of three makes agree on range: ours has nothing else, Kafka's prefers it to cooperative-sticky.
    local members=() count=2
    "$klamm" console-consumer --topic $topic --group $group --bootstrap-server "$broker" >"$data/ours" 2>&1 &
    members+=("$!")
    "${consume[@]}" >"$data/kafkas" 2>&1 &
    members+=("$!")
    if has kcat; then
        kcat -G $group -b "$broker" -X partition.assignment.strategy=range,roundrobin $topic >"$data/rdkafkas" 2>&1 &
        members+=("$!")
        count=3
    fi
    described_with_members $topic $group $count
    local held=$?
    # What is begun in the background ignores SIGINT, unless it asks for it as ours does.
    kill -INT "${members[0]}" && kill "${members[@]:1}"
    wait "${members[@]}" 2>/dev/null
    [ $held = 0 ] || { tail -5 "$data/ours" "$data/kafkas" "$data/rdkafkas"; return 1; }
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
