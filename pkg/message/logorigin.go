package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// originColumns tell where a line comes from.
var originColumns = []struct {
	name string
	typ  LogType
}{
	{"_topic", LogType{name: "string"}},
	{"_partition", LogType{name: "int"}},
	{"_offset", LogType{name: "long"}},
	{"_time", LogType{name: "timestamptz"}},
}

func isOrigin(name string) bool {
	for _, c := range originColumns {
		if strings.EqualFold(c.name, name) {
			return true
		}
	}
	return false
}

// A logOrigin is where the message at hand comes from, and the columns that tell it.
type logOrigin struct {
	name      string
	topic     []byte
	partition int32
	offset    int64
	micros    int64 // 0 if it is not known

	topics     *batch.Bytes
	partitions *batch.Fixed[int32]
	offsets    *batch.Fixed[int64]
	times      *batch.Fixed[int64]
}

func (o *logOrigin) at(topic string, partition int32, offset int64, at time.Time) {
	if o.name != topic {
		o.name, o.topic = topic, []byte(topic)
	}
	o.partition, o.offset, o.micros = partition, offset, 0
	if !at.IsZero() {
		o.micros = at.UnixMicro()
	}
}

// open finds the columns, of which the first one is rows' i-th.
func (o *logOrigin) open(rows *Rows, i int) error {
	ok := [4]bool{}
	for n := range ok {
		c, col := rows.Column(i + n)
		switch n {
		case 0:
			o.topics, ok[n] = col.(*batch.Bytes)
		case 1:
			o.partitions, ok[n] = col.(*batch.Fixed[int32])
		case 2:
			o.offsets, ok[n] = col.(*batch.Fixed[int64])
		case 3:
			o.times, ok[n] = col.(*batch.Fixed[int64])
		}
		if !ok[n] {
			return fmt.Errorf("column %s is a %s", c.Name, c.Arrow)
		}
	}
	return nil
}

func (o *logOrigin) append() {
	if o.topics == nil {
		return
	}
	o.topics.Append(o.topic)
	o.partitions.Append(o.partition)
	o.offsets.Append(o.offset)
	if o.micros == 0 {
		o.times.Null()
	} else {
		o.times.Append(o.micros)
	}
}
