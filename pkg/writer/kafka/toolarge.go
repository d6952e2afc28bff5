package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// What becomes of a message that is larger than its topic takes, and that is not the delete of
// a row, for which its key is enough. It is measured as it is
// before it is compressed: whether a row passes must not be up to its neighbours.
const (
	tooLargeFail = "fail"
	tooLargeSkip = "skip" // it is left out
	tooLargeKey  = "key"  // its key goes without a value, with a header that says so
)

// recordOverhead is what a record has beside key and value at most, in a batch of its own.
const recordOverhead = 100

// leftOut counts messages that were.
type leftOut struct {
	count int
	first string // key
	size  int
}

// tooLarge decides on a record, and reports whether it is to be sent. The caller holds w.mu.
func (w *Writer) tooLarge(r *kgo.Record, size, limit int) (bool, error) {
	key := string(r.Key)
	if len(key) > 200 {
		key = key[:200] + "…"
	}
	if w.sink.tooLarge == tooLargeFail {
		err := fmt.Errorf("the message of the row with the key %s has %d bytes, topic %s takes %d", key, size, r.Topic, limit)
		return false, &schema.TableError{Table: w.table.String(), Err: hint.Wrap(err,
			"set max.message.bytes=%d for the topic (kafka-configs --alter --topic %s --add-config …); or too-large=skip, or too-large=key, in the URL", size+size/4, r.Topic)}
	}
	if w.left.count++; w.left.count == 1 {
		w.left.first, w.left.size = key, size
	}
	if w.sink.tooLarge == tooLargeSkip || len(r.Key)+recordOverhead > limit {
		return false, nil
	}
	r.Headers = []kgo.RecordHeader{{Key: kafka.TooLargeHeader, Value: fmt.Append(nil, len(r.Value))}}
	r.Value = nil
	return true, nil
}

// tellLeftOut warns of messages that were left out, once they are for good.
func (w *Writer) tellLeftOut() {
	w.mu.Lock()
	left := w.left
	w.left = leftOut{}
	w.mu.Unlock()
	if left.count == 0 {
		return
	}
	what := "left out"
	if w.sink.tooLarge == tooLargeKey {
		what = "sent by key alone"
	}
	messages, were, first := "1 message", "was", ""
	if left.count > 1 {
		messages, were, first = fmt.Sprint(left.count, " messages"), "were", "the first "
	}
	w.sink.warn(fmt.Sprintf("%s: %s larger than topic %s takes %s %s (too-large=%s), %swith the key %s and %d bytes",
		w.table, messages, w.place.Topic, were, what, w.sink.tooLarge, first, left.first, left.size))
}
