#!/usr/bin/env bash
# Runs a class or a source file with Kafka's jars; most of what is run here is short.
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
    -cp "$JAVA_LIBS/*" "$@"
