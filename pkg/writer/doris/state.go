package doris

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// positions is the table, one in each database, of what this program has committed to the
// others: a row a table, and one for each run that has something staged there.
const positions = "tablehaul_positions"

// A state is what a table holds, as of a commit.
type state struct {
	Version   int            `json:"version"`
	Number    int64          `json:"number"` // of the commit; the first one is 1
	ID        string         `json:"id"`     // of the commit, which no other has
	Committed time.Time      `json:"committed"`
	Position  batch.Position `json:"position"`
	Tag       string         `json:"tag,omitempty"`
	kept.Table
	Key        []string `json:"key,omitempty"`        // of the unique model
	Layout     Layout   `json:"layout,omitzero"`      // that it was made with
	Generation string   `json:"generation,omitempty"` // the name that the table with the content was made under

	// What the commit brings, and is done behind it, by whoever finds it: a table that takes
	// the place of the one that is there, or loads that are precommitted.
	Staged string   `json:"staged,omitempty"`
	Loads  []loaded `json:"loads,omitempty"`
	// Cleared is that some of the loads take rows out that come again with others of them, or not at all.
	Cleared bool `json:"cleared,omitempty"`
	// Before is the commit before this one: should what this one brings be lost before anybody
	// could show it, that is what the table holds.
	Before *state   `json:"before,omitempty"`
	Recent []string `json:"recent"` // ids of the last commits, this one's at the end
	// Shown is that all of it is seen: Doris forgets loads in time, and could not be asked then.
	Shown bool `json:"shown,omitempty"`
}

// A loaded is a load of which Doris has all.
type loaded struct {
	Label string `json:"label"`
	Txn   int64  `json:"txn"`
}

const (
	stateVersion = 1
	recentIDs    = 64
)

func (s *state) knows(id string) bool { return id != "" && slices.Contains(s.Recent, id) }

// follow makes the state that of the commit behind was.
func (s *state) follow(was *state) {
	s.Version, s.Number = stateVersion, was.Number+1
	s.Recent = append(slices.Clone(was.Recent), s.ID)
	if n := len(s.Recent) - recentIDs; n > 0 {
		s.Recent = s.Recent[n:]
	}
	if len(s.Loads) > 0 || s.Staged != "" {
		before := *was
		before.Before, before.Loads, before.Staged, before.Recent, before.Cleared = nil, nil, "", nil, false
		s.Before = &before
	}
}

// A store keeps states in a database of the cluster.
type store struct {
	*httpClient
	sql         *sqlClient
	replication int
	patience    time.Duration // for which what may pass is tried again
	// forgetful is after how long the label of a load may be forgotten: 2000 others of the
	// database have ended then.
	forgetful time.Duration

	warn func(string) // of what is waited for

	mu     sync.Mutex
	tokens map[string]string // of the tables of positions, by database
	warned time.Time         // of that, last
}

// make makes the database and its table of positions. The table has a token that none before
// it had: labels of its commits have it in them, as Doris knows those of a table that is gone.
func (s *store) make(ctx context.Context, db string) error {
	if _, err := s.sql.run(ctx, "CREATE DATABASE IF NOT EXISTS "+quoted(db)); err != nil {
		return fmt.Errorf("make database %s: %w", db, err)
	}
	l := Layout{Buckets: 1, Replication: s.replication, Properties: map[string]string{"function_column.sequence_col": "number"}}
	_, err := s.sql.run(ctx, "CREATE TABLE IF NOT EXISTS "+quoted(db, positions)+
		" (`name` VARCHAR(260) NOT NULL, `part` VARCHAR(64) NOT NULL, `number` BIGINT NOT NULL, `state` STRING NULL)"+
		" UNIQUE KEY(`name`, `part`) COMMENT "+text("what tablehaul has committed to the tables of this database ("+uuid.NewString()+")")+
		" DISTRIBUTED BY HASH(`name`) BUCKETS 1 "+properties(l, true))
	if err != nil {
		return fmt.Errorf("make table %s: %w", positions, err)
	}
	comment, there, err := s.comment(ctx, db, positions)
	if err == nil && !there {
		err = hint.Transient(errors.New("the front end that was asked does not know it yet"))
	}
	if err != nil {
		return fmt.Errorf("look at table %s: %w", positions, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[db] = hash(comment, 8)
	return nil
}

// comment returns a table's comment, and whether there is such a table.
func (s *store) comment(ctx context.Context, db, name string) (comment string, there bool, err error) {
	rows, err := s.sql.read(ctx, "SELECT TABLE_COMMENT FROM information_schema.tables WHERE TABLE_SCHEMA = "+text(db)+" AND TABLE_NAME = "+text(name))
	if err != nil || len(rows) == 0 {
		return "", false, err
	}
	return rows[0][0], true, nil
}

// claimLabel is the label of the row that makes a commit.
func (s *store) claimLabel(db, name string, number int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("tablehaul:%s:%s:commit:%d", hash(db+"."+name, 24), s.tokens[db], number)
}

// absent reports whether an error is that there is no such database or table.
func absent(err error) bool {
	return refusedWith(err, "Unknown database", "Unknown table", "does not exist", "doesn't exist")
}

// read returns what a table holds; one that this program has not written holds nothing.
func (s *store) read(ctx context.Context, db, name string) (*state, error) {
	rows, err := s.sql.read(ctx, "SELECT `state` FROM "+quoted(db, positions)+" WHERE `name` = "+text(name)+" AND `part` = ''")
	if absent(err) {
		return &state{}, nil
	}
	if err != nil || len(rows) == 0 {
		return &state{}, err
	}
	return parseState(rows[0][0])
}

func parseState(text string) (*state, error) {
	var st state
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		return nil, fmt.Errorf("read a row of %s: %w", positions, err)
	}
	if st.Version > stateVersion {
		return nil, hint.Wrap(fmt.Errorf("a row of %s has the form %d, which a later version writes", positions, st.Version), "use that version")
	}
	return &st, nil
}

// errTaken is that there is a commit of that number already, of somebody else.
var errTaken = errors.New("the commit's number is taken")

// claim makes a commit, unless another one has its number: its label is made of that, and
// Doris takes no label twice. It forgets them some day, and so the row is read before. What
// is late by so much that it comes between loses to the greater number that the row has, by
// the table's sequence. If it is not known whether it was made, the error is no errTaken;
// asking again is no second commit.
func (s *store) claim(ctx context.Context, db, name string, st *state) error {
	state, err := json.Marshal(st)
	if err != nil {
		return err
	}
	label := s.claimLabel(db, name, st.Number)
	there := func() (bool, error) {
		found, err := s.read(ctx, db, name)
		switch {
		case err != nil:
			return !hint.IsTransient(err), err
		case found.ID == st.ID || found.knows(st.ID):
			return true, nil
		case found.Number >= st.Number:
			return true, errTaken
		}
		return false, nil // or not seen yet, or the front end that was asked is behind
	}
	return s.patiently(ctx, func() (bool, error) {
		if done, err := there(); done || err != nil {
			return done, err
		}
		if err := s.put(ctx, db, label, name, "", st.Number, string(state)); err != nil {
			return !hint.IsTransient(err), err
		}
		return there()
	})
}

// pending reports whether there is a commit of a number that is not seen yet.
func (s *store) pending(ctx context.Context, db, name string, number int64) (bool, error) {
	state, err := s.state(ctx, db, s.claimLabel(db, name, number))
	return state == "PREPARE" || state == "COMMITTED" || state == "VISIBLE", err
}

// shown notes that all of some commits of one database is seen.
func (s *store) shown(ctx context.Context, db, label string, states map[string]*state) error {
	var rows []map[string]any
	for name, st := range states {
		shown := *st
		shown.Shown, shown.Before = true, nil
		text, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		rows = append(rows, positionRow(name, "", st.Number, string(text)))
	}
	return s.control(ctx, db, label, nil, rows...)
}

// put writes a row of the table of positions.
func (s *store) put(ctx context.Context, db, label, name, part string, number int64, state string) error {
	return s.control(ctx, db, label, nil, positionRow(name, part, number, state))
}

func positionRow(name, part string, number int64, state string) map[string]any {
	return map[string]any{"name": name, "part": part, "number": number, "state": state}
}

// remove takes a row out.
func (s *store) remove(ctx context.Context, db, label, name, part string) error {
	row := positionRow(name, part, time.Now().UnixNano(), "")
	row[deleteSign] = 1
	return s.control(ctx, db, label, map[string]string{"hidden_columns": deleteSign}, row)
}

// control loads rows of the table of positions.
func (s *store) control(ctx context.Context, db, label string, more map[string]string, rows ...map[string]any) error {
	var lines bytes.Buffer
	to := json.NewEncoder(&lines) // which ends each with a line feed
	for _, r := range rows {
		if err := to.Encode(r); err != nil {
			return err
		}
	}
	h := map[string]string{"format": "json", "read_json_by_line": "true", "strict_mode": "true", "max_filter_ratio": "0", "num_as_string": "true"}
	for k, v := range more {
		h[k] = v
	}
	_, err := s.send(ctx, db, positions, label, h, lines.Bytes(), false)
	return err
}

const (
	firstWait = 50 * time.Millisecond
	lastWait  = 10 * time.Second
	warnAfter = 5 * time.Second
	warnEvery = time.Minute
)

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// A sent load is one that Doris has.
type sent struct {
	txn int64
	// late is that it is committed, and seen only later.
	late bool
}

// send loads rows under a label until they are there, be it that a reply was lost: the label
// is never that of another load, so Doris itself tells what has become of it. What may pass is
// waited for.
//
// With once, rows that would come twice if they were taken twice are not sent again so late
// that Doris may have forgotten the label of those it has.
func (s *store) send(ctx context.Context, db, table, label string, headers map[string]string, body []byte, once bool) (sent, error) {
	var done sent
	began := time.Now()
	var open error // what has left it unknown whether they are there
	return done, s.patiently(ctx, func() (bool, error) {
		if once && open != nil && time.Since(began) > s.forgetful {
			return true, hint.Transient(fmt.Errorf("%w, and it cannot be told any more whether the rows have come", open))
		}
		var known *labelError
		var err error
		defer func() {
			var unanswered *unansweredError
			if errors.As(err, &unanswered) {
				open = err
			}
		}()
		done, err = s.load(ctx, db, table, label, headers, func() (io.Reader, int64) { return bytes.NewReader(body), int64(len(body)) })
		if errors.As(err, &known) && known.state != "RUNNING" {
			done = sent{txn: known.txn}
			return true, nil
		}
		return known == nil && !hint.IsTransient(err), err
	})
}

// patiently calls f until it is done, or patience is over: then its last error stands.
func (s *store) patiently(ctx context.Context, f func() (done bool, err error)) error {
	began := time.Now()
	until := began.Add(s.patience)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		done, err := f()
		switch {
		case ctx.Err() != nil && err != nil:
			return ctx.Err()
		case done:
			return err
		case time.Now().After(until):
			if err == nil {
				err = errors.New("the cluster takes too long")
			}
			return hint.Transient(err)
		case err != nil && time.Since(began) > warnAfter:
			s.warnOf(fmt.Sprintf("tried again for up to %s: %v", time.Until(until).Round(time.Second), err))
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// warnOf tells what is waited for, once in a while for all who wait.
func (s *store) warnOf(what string) {
	s.mu.Lock()
	due := time.Since(s.warned) >= warnEvery
	if due {
		s.warned = time.Now()
	}
	s.mu.Unlock()
	if due {
		s.warn(what)
	}
}
