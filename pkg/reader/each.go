package reader

import (
	"context"
	"io"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// Each hands the batches of a Reader on, up to its end, and releases them.
func Each(ctx context.Context, rd Reader, take func(*batch.Batch) error) error {
	for {
		b, err := rd.Read(ctx)
		if err == io.EOF { //nolint:errorlint // what is within another error is a connection that broke off
			return nil
		}
		if err != nil {
			return err
		}
		err = take(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}
