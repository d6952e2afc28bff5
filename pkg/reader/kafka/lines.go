package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// What a Decoder is given to see of a topic before it reads any of it.
const (
	sampleMessages = 1000
	sampleBytes    = 1 << 20
)

// newDecoder makes what reads a topic, of which the records are the first.
func (l *log) newDecoder(topic string, records []*kgo.Record) (message.Decoder, error) {
	d, err := l.share.feed.opts.Decoder(topic, l)
	if err != nil {
		return nil, err
	}
	s, ok := d.(message.Sampler)
	if !ok {
		return d, nil
	}
	var values [][]byte
	size := 0
	for _, r := range records {
		if len(values) == sampleMessages || size > sampleBytes {
			break
		}
		if !r.Attrs.IsControl() {
			values, size = append(values, r.Value), size+len(r.Value)
		}
	}
	return d, s.Sample(values)
}

// Known implements message.Knower. A shape that cannot be read was written by another
// version: it is not known.
func (l *log) Known(db, name string) (*schema.Table, error) {
	t := l.tables[db+"."+name]
	switch {
	case t == nil:
		return nil, nil //nolint:nilnil // what Knower says
	case t.shape != nil:
		return t.shape, nil
	}
	shape, err := schema.FromShape(db, name, t.held)
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // told above
	}
	return shape, nil
}
