package doris

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Dropper = (*Sink)(nil)

// Drop removes a table, and then commits that there is none: the row of its position stays, as
// Doris takes no label twice, and those of a table that is made later have numbers behind it.
func (s *Sink) Drop(ctx context.Context, db, table string, held batch.Position) error {
	toDB, name := s.place(&schema.Table{DB: db, Name: table})
	if err := s.dropTable(ctx, toDB, name, db+"."+table, held); err != nil {
		return fmt.Errorf("drop %s.%s: %w", toDB, name, err)
	}
	return nil
}

func (s *Sink) dropTable(ctx context.Context, db, name, source string, held batch.Position) error {
	if err := s.ready(ctx, db); err != nil {
		return err
	}
	st, err := s.load(ctx, db, name)
	switch {
	case err != nil || st.Source == "":
		return err
	case st.Source != source || st.Position != held:
		return writer.ErrFenced
	}
	s.mu.Lock()
	delete(s.seen, stage{db: db, name: name})
	s.mu.Unlock()
	if err := s.drop(ctx, db, name); err != nil {
		return err
	}
	s.opts.Step("drop: table removed")
	now := state{ID: uuid.NewString(), Committed: time.Now().UTC(), Shown: true}
	now.follow(st)
	err = s.store.claim(ctx, db, name, &now)
	if errors.Is(err, errTaken) {
		return writer.ErrFenced
	}
	return err
}
