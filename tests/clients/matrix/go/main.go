// The Go clients through the matrix: before a kill -9 of the broker, across it and after it.
//
// Called as `matrix franz|sarama first|across|second BROKER`; it exits with 1 and a reason where something is
// not as with Kafka. A client brings how it does each step.
package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	partitions = 2
	perCodec   = 20
	news       = 10
	patience   = 240 * time.Second
)

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// A value and the partition that it goes to.
type record struct {
	partition int32
	value     string
}

// What a client does, each step with a new one.
type client interface {
	createTopic(ctx context.Context, topic string, partitions int32)
	// produce sends what comes, idempotently, and returns how many were acknowledged: all of them.
	produce(ctx context.Context, topic, codec string, records <-chan record) int
	// consume joins the group, reads until done says so, and commits.
	consume(ctx context.Context, topic, group string, done func(read []string) bool) []string
	committed(ctx context.Context, topic, group string) []int64
	// admin makes the calls of an administrator that the client offers.
	admin(ctx context.Context, topic, group string)
	delete(ctx context.Context, topic, group string)
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func require(holds bool, otherwise string, what ...any) {
	if !holds {
		panic(fmt.Sprintf(otherwise, what...))
	}
}

func valuesOf(codec string, count int) []record {
	var records []record
	for number := range count {
		records = append(records, record{int32(number % partitions), fmt.Sprintf("%s-%d", codec, number)})
	}
	return records
}

func toChannel(records []record) <-chan record {
	channel := make(chan record, len(records))
	for _, one := range records {
		channel <- one
	}
	close(channel)
	return channel
}

func first(ctx context.Context, client client, topic, group string) {
	client.createTopic(ctx, topic, partitions)
	var sent []string
	for _, codec := range codecs {
		records := valuesOf(codec, perCodec)
		client.produce(ctx, topic, codec, toChannel(records))
		for _, one := range records {
			sent = append(sent, one.value)
		}
	}
	read := client.consume(ctx, topic, group, func(read []string) bool { return len(read) >= len(sent) })
	for partition := range partitions {
		of := func(all []string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(value string) bool {
				number := must(strconv.Atoi(value[strings.LastIndex(value, "-")+1:]))
				return number%partitions != partition
			})
		}
		require(slices.Equal(of(read), of(sent)), "read %v", read)
	}
	requireCommitted(ctx, client, topic, group, len(sent)/partitions)
	client.admin(ctx, topic, group)
	client.produce(ctx, topic, "none", toChannel(valuesOf("news", news)))
}

func requireCommitted(ctx context.Context, client client, topic, group string, each int) {
	for _, offset := range client.committed(ctx, topic, group) {
		require(offset == int64(each), "committed %d and not %d", offset, each)
	}
}

// across sends numbers until whoever started it says that it is enough.
func across(ctx context.Context, client client, topic, _ string) {
	records := make(chan record)
	go func() {
		defer close(records)
		for number := 0; ; number++ {
			if _, err := os.Stat(os.Getenv("MATRIX_STOP")); err == nil {
				return
			}
			records <- record{0, strconv.Itoa(number)}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	fmt.Println(client.produce(ctx, topic, "lz4", records))
}

func second(ctx context.Context, client client, topic, group string) {
	read := client.consume(ctx, topic, group, func(read []string) bool { return len(read) >= news })
	var wanted []string
	for _, one := range valuesOf("news", news) {
		wanted = append(wanted, one.value)
	}
	slices.Sort(read)
	slices.Sort(wanted)
	require(slices.Equal(read, wanted), "read %v", read)
	requireCommitted(ctx, client, topic, group, (len(codecs)*perCodec+news)/partitions)
	client.delete(ctx, topic, group)
}

func main() {
	name, phase, broker := os.Args[1], os.Args[2], os.Args[3]
	clients := map[string]client{"franz": franz{broker}, "sarama": saramaClient{broker}}
	phases := map[string]func(context.Context, client, string, string){
		"first": first, "across": across, "second": second,
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic := "matrix-" + name
	if phase == "across" {
		topic = "across-" + name
	}
	phases[phase](ctx, clients[name], topic, topic+"-group")
}
