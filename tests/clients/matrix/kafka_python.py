"""kafka-python through the matrix."""

import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

import plan


def with_admin(broker, call):
    client = KafkaAdminClient(bootstrap_servers=broker)
    try:
        return call(client)
    finally:
        client.close()


def create_topic(broker, topic, partitions):
    with_admin(broker, lambda client: client.create_topics([NewTopic(topic, partitions, 1)]))


def produce(broker, topic, codec, values, pace_s=0):
    producer = KafkaProducer(
        bootstrap_servers=broker,
        enable_idempotence=True,
        compression_type=None if codec == "none" else codec,
        linger_ms=5,
    )
    sent = []
    for partition, value in values:
        sent.append(producer.send(topic, value, partition=partition))
        time.sleep(pace_s)
    producer.flush(60)
    for future in sent:
        future.get(60)
    producer.close()
    return len(sent)


def consume(broker, topic, group, done):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    read = []
    while not done(read):
        for records in consumer.poll(timeout_ms=1000).values():
            read += [record.value for record in records]
    consumer.commit()
    consumer.close()
    return read


def committed(broker, topic, group):
    consumer = KafkaConsumer(bootstrap_servers=broker, group_id=group)
    found = [consumer.committed(TopicPartition(topic, p)) for p in range(plan.PARTITIONS)]
    consumer.close()
    return found


def admin(broker, topic, group):
    def calls(client):
        assert topic in client.list_topics()
        (described,) = client.describe_topics([topic])
        assert len(described["partitions"]) == plan.PARTITIONS, described
        change = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "1234567"})
        client.alter_configs([change])
        configs = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        assert "1234567" in str(configs), configs
        assert group in str(client.list_groups())
        assert "Empty" in str(client.describe_groups([group]))
        assert len(client.describe_cluster()["brokers"]) == 1
        assert client.describe_log_dirs()
        other = f"{topic}-other"
        client.create_topics([NewTopic(other, 1, 1)])
        client.create_partitions({other: NewPartitions(3)})
        client.delete_topics([other])

    with_admin(broker, calls)


def delete(broker, topic, group):
    with_admin(broker, lambda client: (client.delete_groups([group]), client.delete_topics([topic])))


plan.run("kafka-python", sys.modules[__name__])
