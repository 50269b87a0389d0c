package main

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz-go; its producers are idempotent unless told otherwise.
type franz struct{ broker string }

func (f franz) client(options ...kgo.Opt) *kgo.Client {
	return must(kgo.NewClient(append(options, kgo.SeedBrokers(f.broker))...))
}

func (f franz) withAdmin(calls func(*kadm.Client)) {
	admin := kadm.NewClient(f.client())
	defer admin.Close()
	calls(admin)
}

func (f franz) createTopic(ctx context.Context, topic string, partitions int32) {
	f.withAdmin(func(admin *kadm.Client) {
		check(must(admin.CreateTopic(ctx, partitions, 1, nil, topic)).Err)
	})
}

func (f franz) produce(ctx context.Context, topic, codec string, records <-chan record) int {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	client := f.client(
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
	)
	defer client.Close()
	sent, acknowledged := 0, atomic.Int64{}
	for one := range records {
		sent++
		record := &kgo.Record{Partition: one.partition, Value: []byte(one.value)}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			check(err)
			acknowledged.Add(1)
		})
	}
	check(client.Flush(ctx))
	require(int(acknowledged.Load()) == sent, "%d of %d acknowledged", acknowledged.Load(), sent)
	return sent
}

func (f franz) consume(ctx context.Context, topic, group string, done func([]string) bool) []string {
	client := f.client(
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	)
	defer client.Close()
	var read []string
	for !done(read) {
		fetches := client.PollFetches(ctx)
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) { read = append(read, string(record.Value)) })
	}
	check(client.CommitUncommittedOffsets(ctx))
	return read
}

func (f franz) committed(ctx context.Context, topic, group string) []int64 {
	var found []int64
	f.withAdmin(func(admin *kadm.Client) {
		offsets := must(admin.FetchOffsets(ctx, group))
		for partition := range int32(partitions) {
			found = append(found, offsets[topic][partition].At)
		}
	})
	return found
}

func (f franz) admin(ctx context.Context, topic, group string) {
	f.withAdmin(func(admin *kadm.Client) {
		topics := must(admin.ListTopics(ctx))
		require(len(topics[topic].Partitions) == partitions, "listed %v", topics[topic])
		value := "1234567"
		change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}
		check(must(admin.AlterTopicConfigs(ctx, change, topic))[0].Err)
		for _, config := range must(admin.DescribeTopicConfigs(ctx, topic))[0].Configs {
			require(config.Key != "retention.ms" || *config.Value == value, "retention.ms is %s", config.MaybeValue())
		}
		require(must(admin.ListGroups(ctx))[group].Group == group, "%s is not listed", group)
		described := must(admin.DescribeGroups(ctx, group))[group]
		require(described.Err == nil && described.State == "Empty", "described as %s", described.State)
		ends := must(admin.ListEndOffsets(ctx, topic))
		end := ends[topic][0].Offset
		require(end == int64(len(codecs)*perCodec/partitions), "the end is %d", end)
		lag := must(admin.Lag(ctx, group))[group].Lag.Total()
		require(lag == 0, "the lag is %d", lag)
		require(len(must(admin.BrokerMetadata(ctx)).Brokers) == 1, "one broker")
		must(admin.DescribeAllLogDirs(ctx, nil))
		other := topic + "-other"
		check(must(admin.CreateTopic(ctx, 1, 1, nil, other)).Err)
		check(must(admin.CreatePartitions(ctx, 2, other))[other].Err)
		check(must(admin.DeleteTopics(ctx, other))[other].Err)
	})
}

func (f franz) delete(ctx context.Context, topic, group string) {
	f.withAdmin(func(admin *kadm.Client) {
		check(must(admin.DeleteGroups(ctx, group))[group].Err)
		check(must(admin.DeleteTopics(ctx, topic))[topic].Err)
	})
}
