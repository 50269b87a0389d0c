package main

import (
	"context"
	"sync"

	"github.com/IBM/sarama"
)

// sarama, by the newest protocol that it knows.
type saramaClient struct{ broker string }

func (s saramaClient) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Retry.Max = 100
	config.Net.MaxOpenRequests = 1
	return config
}

func (s saramaClient) withAdmin(calls func(sarama.ClusterAdmin)) {
	admin := must(sarama.NewClusterAdmin([]string{s.broker}, s.config()))
	defer admin.Close()
	calls(admin)
}

func (s saramaClient) createTopic(_ context.Context, topic string, partitions int32) {
	s.withAdmin(func(admin sarama.ClusterAdmin) {
		check(admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	})
}

func (s saramaClient) produce(_ context.Context, topic, codec string, records <-chan record) int {
	config := s.config()
	check(config.Producer.Compression.UnmarshalText([]byte(codec)))
	producer := must(sarama.NewAsyncProducer([]string{s.broker}, config))
	var told sync.WaitGroup
	sent, acknowledged := 0, 0
	told.Go(func() {
		for range producer.Successes() {
			acknowledged++
		}
	})
	told.Go(func() {
		for err := range producer.Errors() {
			check(err)
		}
	})
	for one := range records {
		sent++
		value := sarama.StringEncoder(one.value)
		producer.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: one.partition, Value: value}
	}
	producer.AsyncClose()
	told.Wait()
	require(acknowledged == sent, "%d of %d acknowledged", acknowledged, sent)
	return sent
}

// A member of a group that reads until it has enough.
type reader struct {
	mutex  sync.Mutex
	read   []string
	done   func([]string) bool
	enough context.CancelFunc
}

func (r *reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			r.take(session, message)
		case <-session.Context().Done():
			return nil
		}
	}
}

func (r *reader) take(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.read = append(r.read, string(message.Value))
	session.MarkMessage(message, "")
	if r.done(r.read) {
		session.Commit()
		r.enough()
	}
}

func (s saramaClient) consume(ctx context.Context, topic, group string, done func([]string) bool) []string {
	member := must(sarama.NewConsumerGroup([]string{s.broker}, group, s.config()))
	defer member.Close()
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	reader := &reader{done: done, enough: enough}
	for ctx.Err() == nil {
		check(member.Consume(ctx, []string{topic}, reader))
	}
	return reader.read
}

func (s saramaClient) committed(_ context.Context, topic, group string) []int64 {
	var found []int64
	s.withAdmin(func(admin sarama.ClusterAdmin) {
		offsets := must(admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1}}))
		for partition := range int32(partitions) {
			found = append(found, offsets.GetBlock(topic, partition).Offset)
		}
	})
	return found
}

func (s saramaClient) admin(_ context.Context, topic, group string) {
	s.withAdmin(func(admin sarama.ClusterAdmin) {
		require(must(admin.ListTopics())[topic].NumPartitions == partitions, "two partitions")
		value := "1234567"
		change := map[string]sarama.IncrementalAlterConfigsEntry{
			"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
		}
		check(admin.IncrementalAlterConfig(sarama.TopicResource, topic, change, false))
		asked := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}}
		configs := must(admin.DescribeConfig(asked))
		require(len(configs) == 1 && configs[0].Value == value, "configs %v", configs)
		_, listed := must(admin.ListConsumerGroups())[group]
		require(listed, "%s is not listed", group)
		described := must(admin.DescribeConsumerGroups([]string{group}))[0]
		require(described.Err == sarama.ErrNoError && described.State == "Empty", "described as %v", described)
		brokers, _, err := admin.DescribeCluster()
		require(err == nil && len(brokers) == 1, "brokers %v, %v", brokers, err)
		must(admin.DescribeLogDirs([]int32{brokers[0].ID()}))
		other := topic + "-other"
		check(admin.CreateTopic(other, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
		check(admin.CreatePartitions(other, 3, nil, false))
		check(admin.DeleteTopic(other))
	})
}

func (s saramaClient) delete(_ context.Context, topic, group string) {
	s.withAdmin(func(admin sarama.ClusterAdmin) {
		check(admin.DeleteConsumerGroup(group))
		check(admin.DeleteTopic(topic))
	})
}
