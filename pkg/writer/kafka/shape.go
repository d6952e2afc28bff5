package kafka

import (
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// source is the table whose changes t has, as its shape is kept. The key is part of it: a
// message's key and partition are made of it.
func source(t *schema.Table) *schema.Table {
	src := *t
	src.Key = t.RowKey
	if t.Base != nil {
		src.Base = source(t.Base)
	}
	return &src
}

// reshaped returns an error if the source's table was altered since its position, or its rows are
// made in another way: the log does not tell what that does to rows that the topic has already.
func reshaped(t *schema.Table, held heldTable, mode writer.Mode) error {
	if held.Position == "" || mode != writer.Follow && mode != writer.Create {
		return nil
	}
	anew := func(err error) error {
		return &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "snapshot --mode replace --tables %s copies it anew", t)}
	}
	if diff := source(t).ShapedSince(held.Shape); diff != "" {
		return anew(fmt.Errorf("topic %s %s", held.Topic, diff))
	}
	if t.Filter != held.Filter {
		return anew(fmt.Errorf("topic %s holds rows %s, and rows %s are asked for", held.Topic, kept.RowsBy(held.Filter), kept.RowsBy(t.Filter)))
	}
	diff := source(t).Since(held.Shape)
	if diff == "" {
		return nil
	}
	return anew(fmt.Errorf("its shape at the source has changed since topic %s got its changes: %s", held.Topic, diff))
}
