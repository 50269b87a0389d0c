"""confluent-kafka (librdkafka) through the matrix."""

import functools
import sys

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

import plan


@functools.cache
def admin_of(broker):
    # One that nobody holds any more takes its answers with it.
    return AdminClient({"bootstrap.servers": broker})


def results(futures):
    return {key: future.result(30) for key, future in futures.items()}


def create_topic(broker, topic, partitions):
    results(admin_of(broker).create_topics([NewTopic(topic, partitions, 1)]))


def produce(broker, topic, codec, values, pace_s=0):
    producer = Producer({
        "bootstrap.servers": broker,
        "enable.idempotence": True,
        "compression.type": codec,
        "linger.ms": 5,
    })
    sent = acknowledged = 0

    def told(error, _message):
        nonlocal acknowledged
        if error:
            raise KafkaException(error)
        acknowledged += 1

    for partition, value in values:
        producer.produce(topic, value, partition=partition, on_delivery=told)
        producer.poll(pace_s)
        sent += 1
    assert producer.flush(60) == 0 and acknowledged == sent, f"{acknowledged} of {sent}"
    return sent


def consume(broker, topic, group, done):
    consumer = Consumer({
        "bootstrap.servers": broker,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([topic])
    read = []
    while not done(read):
        message = consumer.poll(1)
        if message and not message.error():
            read.append(message.value())
    consumer.commit(asynchronous=False)
    consumer.close()
    return read


def committed(broker, topic, group):
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in range(plan.PARTITIONS)])
    (found,) = results(admin_of(broker).list_consumer_group_offsets([asked])).values()
    return [partition.offset for partition in found.topic_partitions]


def admin(broker, topic, group):
    client = admin_of(broker)
    assert topic in client.list_topics(timeout=30).topics
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entry = ConfigEntry("retention.ms", "1234567", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    results(client.incremental_alter_configs([changed]))
    (configs,) = results(client.describe_configs([resource])).values()
    assert configs["retention.ms"].value == "1234567"
    listed = client.list_consumer_groups().result(30)
    assert group in [one.group_id for one in listed.valid]
    (described,) = results(client.describe_consumer_groups([group])).values()
    assert described.state.name == "EMPTY" and not described.members, described.state
    (found,) = results(client.list_offsets({TopicPartition(topic, 0): OffsetSpec.latest()})).values()
    assert found.offset == len(plan.CODECS) * plan.PER_CODEC // plan.PARTITIONS
    assert len(client.describe_cluster().result(30).nodes) == 1
    other = f"{topic}-other"
    create_topic(broker, other, 1)
    results(client.create_partitions([NewPartitions(other, 3)]))
    results(client.delete_topics([other]))


def delete(broker, topic, group):
    results(admin_of(broker).delete_consumer_groups([group]))
    results(admin_of(broker).delete_topics([topic]))


plan.run("confluent", sys.modules[__name__])
