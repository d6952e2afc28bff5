package move

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

const (
	// watchEvery is how often a source is asked how busy it is.
	watchEvery = time.Second
	// watchTime is how long it may take to answer: one that takes longer is as busy
	// as can be.
	watchTime = 5 * time.Second
	// calmPolls is how many answers in a row must be within the bounds before reading
	// goes on. It begins where it had stopped: a lower bound to begin again would be
	// one more number to choose.
	calmPolls = 3
)

// watched reports whether the source must be asked for the limits' sake.
func (l *Limits) watched() bool { return len(l.MaxLoad) > 0 || l.MaxLag > 0 }

// ask returns what passes the bounds, "" if nothing does.
func (l *Limits) ask(ctx context.Context, src reader.Loader) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime)
	defer cancel()
	names := make([]string, len(l.MaxLoad))
	for i, b := range l.MaxLoad {
		names[i] = b.Variable
	}
	got, err := src.Load(ctx, names, l.MaxLag > 0)
	if err != nil {
		return "", err
	}
	var over []string
	for i, b := range l.MaxLoad {
		if v := got.Values[i]; v > b.Most {
			over = append(over, fmt.Sprintf("%s is %s, more than %s", b.Variable, plain(v), plain(b.Most)))
		}
	}
	for _, lag := range got.Lags {
		switch {
		case l.MaxLag <= 0:
		case lag.Stopped != "":
			over = append(over, fmt.Sprintf("%s does not replicate: %s", lag.Server, lag.Stopped))
		case lag.Behind > l.MaxLag:
			over = append(over, fmt.Sprintf("%s is %s behind, more than %s", lag.Server, lag.Behind, l.MaxLag))
		}
	}
	return strings.Join(over, "; "), nil
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// try asks once. A source that is too busy now is no error.
func (l *Limits) try(ctx context.Context, src reader.Loader) error {
	if !l.watched() {
		return nil
	}
	if src == nil {
		return errors.New("the source does not tell how busy it is")
	}
	_, err := l.ask(ctx, src)
	return err
}

// during runs f, and asks the source all the while how busy it is, as far as
// there are limits for that. What it cannot be asked is told before f begins.
// Later on nothing is read as long as the source gives no answer that may come
// with another try, such as when the connection was lost; any other error ends f.
func (t *Throttle) during(ctx context.Context, src any, f func(ctx context.Context) error) error {
	if t == nil {
		return f(ctx)
	}
	loads, _ := src.(reader.Loader)
	limits := t.State().Limits
	if err := limits.try(ctx, loads); err != nil {
		return fmt.Errorf("ask the source how busy it is: %w", err)
	}
	t.watching(loads)
	defer t.watching(nil)
	ctx, cancel := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() {
		err := t.watch(ctx, loads)
		cancel()
		lost <- err
	}()
	err := f(ctx)
	cancel()
	if e := <-lost; e != nil {
		return fmt.Errorf("ask the source how busy it is: %w", e)
	}
	return err
}

func (t *Throttle) watching(loads reader.Loader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loads = loads
}

// watch polls until ctx ends or the source refuses to answer.
func (t *Throttle) watch(ctx context.Context, loads reader.Loader) error {
	if loads == nil {
		<-ctx.Done()
		return nil
	}
	if err := t.poll(ctx, loads); err != nil {
		return err
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := t.poll(ctx, loads); err != nil {
			return err
		}
	}
}

// poll asks the source and pauses the run, or lets it go on.
func (t *Throttle) poll(ctx context.Context, loads reader.Loader) error {
	limits := t.State().Limits
	if !limits.watched() {
		t.pause(load, "")
		t.pause(blind, "")
		return nil
	}
	over, err := limits.ask(ctx, loads)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the run is over, and so is the question
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), hint.IsTransient(err):
		t.calm = 0
		t.pause(blind, fmt.Sprintf("the source does not tell how busy it is: %v", err))
		return nil
	case err != nil:
		return err
	}
	t.pause(blind, "")
	if over != "" {
		t.calm = 0
		t.pause(load, over)
	} else if t.calm++; t.calm >= calmPolls {
		t.pause(load, "")
	}
	return nil
}
