#!/bin/bash
# Records what Kafka's own dump-log prints for the segments here: record.sh DIRECTORY-OF-JARS > expected.txt
# (kafka-tools and kafka_2.13, both 4.3.0, with what they need).
cd "$(dirname "$0")" || exit 1
while read -r arguments; do
  [ -n "$arguments" ] || continue
  echo "\$ $arguments"
  # shellcheck disable=SC2086
  java -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8 -cp "$1/*" org.apache.kafka.tools.DumpLogSegments $arguments \
    >/tmp/dump-log.out 2>/tmp/dump-log.err
  code=$?
  cat /tmp/dump-log.out
  [ $code = 0 ] && sed "s|$PWD|DIRECTORY|; s|^|! |" /tmp/dump-log.err
  echo "= $code"
done <cases.txt
