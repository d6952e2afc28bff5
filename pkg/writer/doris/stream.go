package doris

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// streamTime is how long a query may take that has many rows, or be without one.
const streamTime = 15 * time.Minute

// stream has each row of a query, as texts that are good until the next one, of all that was
// committed before. It has a connection of its own: others need not wait for it.
func (c *sqlClient) stream(ctx context.Context, query string, row func(values []string) error) error {
	var values []string
	return c.streamFields(ctx, query, streamTime, func(fields []mysql.FieldValue) error {
		values = values[:0]
		for _, f := range fields {
			values = append(values, printed(f))
		}
		return row(values)
	})
}

// streamFields is stream for values as the protocol has them. The query may take so long as a
// whole.
func (c *sqlClient) streamFields(ctx context.Context, query string, whole time.Duration, row func([]mysql.FieldValue) error) error {
	host, conn, err := c.apart(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var own error // of row
	began := time.Now()
	each := func(fields []mysql.FieldValue) error {
		if own = row(fields); own != nil {
			return own
		}
		now := time.Now() // row may take its time as well
		if now.Sub(began) < time.Minute {
			return nil
		}
		began = now
		return errors.Join(conn.SetDeadline(now.Add(streamTime)), ctx.Err())
	}
	if err = conn.SetDeadline(began.Add(streamTime)); err == nil {
		// The front end may be one that is behind the others.
		for _, statement := range []string{"SET query_timeout = " + strconv.Itoa(int(whole.Seconds())), "SYNC"} {
			if err == nil {
				_, err = conn.Execute(statement)
			}
		}
	}
	if err == nil {
		err = conn.ExecuteSelectStreaming(query, &mysql.Result{}, each, nil)
	}
	var refused *mysql.MyError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case own != nil:
		return own
	case errors.As(err, &refused):
		return answered(host, c.user, refused)
	case err != nil:
		return hint.Transient(&unansweredError{fmt.Errorf("%s has not answered: %w", host, err)})
	}
	return nil
}

// printed is a value as a text has it.
func printed(f mysql.FieldValue) string {
	switch v := f.Value().(type) {
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	default:
		return fmt.Sprint(v)
	}
}

// apart makes a connection for one query.
func (c *sqlClient) apart(ctx context.Context) (host string, conn *client.Conn, err error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
	defer func() { <-c.turn }()
	if err := c.connect(ctx); err != nil { // to a front end that answers
		return "", nil, err
	}
	host = c.hosts[c.last]
	conn, err = c.dial(ctx, host)
	var refused *mysql.MyError
	switch {
	case errors.As(err, &refused):
		return host, nil, answered(host, c.user, refused)
	case err != nil && ctx.Err() != nil:
		return host, nil, ctx.Err()
	case err != nil:
		c.drop() // which finds another one, perhaps
		return host, nil, hint.Transient((&unreachedError{host, err}))
	}
	return host, conn, nil
}
