package doristest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Names of columns that no table shows.
const (
	deleteSign = "__DORIS_DELETE_SIGN__"
	sequence   = "__DORIS_SEQUENCE_COL__"
)

// parsed is what has become of a load's body.
type parsed struct {
	bytes, total, filtered int64
	maxRatio               float64
	why                    []string // rows were filtered; the first of them
}

// A loader puts the rows of one body into a transaction.
type loader struct {
	c       *Cluster
	x       *txn
	names   []string // of the values of a row, in order; those of JSON come with each row
	columns map[string]*column
	all     []*column
	strict  bool
	signed  bool   // rows have a delete sign
	seq     string // the column that is the hidden sequence
	p       *parsed
}

func (c *Cluster) parse(r *http.Request, x *txn) (p parsed, err error) {
	h := r.Header
	if ratio := h.Get("max_filter_ratio"); ratio != "" {
		if p.maxRatio, err = strconv.ParseFloat(ratio, 64); err != nil {
			return p, err
		}
	}
	in, err := body(r)
	if err != nil {
		return p, err
	}
	counted := &counter{r: in}
	l := &loader{c: c, x: x, strict: h.Get("strict_mode") == "true", seq: h.Get("function_column.sequence_col"), p: &p, columns: map[string]*column{}}
	if err := l.begin(h); err != nil {
		return p, err
	}
	switch format := strings.ToLower(h.Get("format")); format {
	case "", "csv":
		err = l.csv(counted, h)
	case "json":
		err = l.json(counted, h)
	case "arrow":
		err = l.arrow(counted)
	default:
		err = fmt.Errorf("[INTERNAL_ERROR]unknown data format, format=%s", format)
	}
	p.bytes = counted.n
	if err == nil && l.discarding() {
		c.mu.Lock()
		c.discarded.add(p)
		c.mu.Unlock()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body)
	}
	return p, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// begin looks at the table's columns, which statements may change from now on.
func (l *loader) begin(h http.Header) error {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.all = l.x.table.visible()
	for _, col := range l.all {
		l.columns[strings.ToLower(col.name)] = col
		l.names = append(l.names, col.name)
	}
	if err := l.chooseNames(h); err != nil {
		return err
	}
	return l.x.table.checkSequence(l.names, l.seq != "")
}

// chooseNames says which values a row has.
func (l *loader) chooseNames(h http.Header) error {
	hidden := h.Get("hidden_columns")
	if cols := h.Get("columns"); cols != "" {
		if hidden != "" {
			return errors.New("errCode = 2, detailMessage = hidden_columns can only be used without columns")
		}
		l.names = nil
		for name := range strings.SplitSeq(cols, ",") {
			name = strings.Trim(strings.TrimSpace(name), "`")
			if strings.Contains(name, "=") {
				return errors.New("the stand-in knows no expressions of columns")
			}
			l.names = append(l.names, name)
		}
		for _, c := range l.all {
			if !c.nullable && c.def == nil && !has(l.names, c.name) {
				return fmt.Errorf("errCode = 2, detailMessage = Column has no default value, column=%s", c.name)
			}
		}
	}
	if hidden != "" {
		for name := range strings.SplitSeq(hidden, ",") {
			l.names = append(l.names, strings.TrimSpace(name))
		}
	}
	l.signed = has(l.names, deleteSign)
	mergeType := strings.ToUpper(h.Get("merge_type"))
	if (mergeType == "DELETE" || mergeType == "MERGE") && !l.x.table.unique {
		return errors.New("errCode = 2, detailMessage = load by MERGE or DELETE is only supported in unique tables")
	}
	if mergeType == "DELETE" {
		return errors.New("the stand-in knows no merge_type DELETE: take the delete sign")
	}
	return nil
}

// filter notes that a row is not loaded.
func (l *loader) filter(reason, line string) {
	l.p.filtered++
	if len(l.p.why) < 100 {
		l.p.why = append(l.p.why, fmt.Sprintf("Reason: %s. src line [%s]; \n", reason, line))
	}
}

// load takes a row of a body, between two of which a schema change may end.
func (l *loader) load(names []string, values []cell, line func() string) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.take(names, values, line)
}

// take adds a row of these values; names that no column has are passed over, as Doris does.
// The cluster is locked.
func (l *loader) take(names []string, values []cell, line func() string) {
	l.p.total++
	if l.discarding() {
		return
	}
	t := l.x.table
	out := loaded{row: make(row, len(t.columns))}
	given := make([]bool, len(t.columns))
	for i, name := range names {
		v := values[i]
		switch {
		case strings.EqualFold(name, deleteSign):
			out.deleted = l.signed && v != nil && *v != "0" && *v != "false"
			continue
		case strings.EqualFold(name, sequence) && v != nil:
			out.seq = *v
			continue
		}
		col := l.columns[strings.ToLower(name)]
		if col == nil {
			continue
		}
		v, err := l.value(col, v)
		if err != nil {
			l.filter(fmt.Sprintf("column_name[%s], %s", col.name, err), line())
			return
		}
		at := slices.Index(t.columns, col)
		out.row[at], given[at] = v, true
		if l.seq != "" && strings.EqualFold(name, l.seq) && v != nil {
			out.seq = *v
		}
	}
	if why := t.fill(out, given); why != "" {
		l.filter(why, line())
		return
	}
	out.seq = t.sequenceOf(out)
	l.x.rows = append(l.x.rows, out)
}

// value is what becomes of a value: NULL of one that cannot be cast, where that is not strict.
// A text that is too long never passes.
func (l *loader) value(col *column, v cell) (cell, error) {
	if v == nil {
		return nil, nil
	}
	text, err := col.typ.canonical(*v, l.c.opts.MaxString)
	if err == nil {
		return &text, nil
	}
	switch col.typ.name {
	case "CHAR", "VARCHAR", "STRING":
		return nil, err
	}
	if l.strict {
		return nil, err
	}
	return nil, nil
}

// fill gives columns their defaults that a row does not tell of, and says what keeps it from
// being one of the table.
func (t *table) fill(l loaded, given []bool) string {
	for at, col := range t.columns {
		if !given[at] && !col.dropped {
			l.row[at] = col.def
		}
		if l.row[at] == nil && !col.nullable && !col.dropped {
			return fmt.Sprintf("column_name[%s], null value for not null column, type=%s", col.name, col.typ)
		}
	}
	if l.deleted && !t.unique {
		return "a delete sign in a table that is not unique"
	}
	return ""
}

// json reads an object a line, or an array of objects.
func (l *loader) json(in io.Reader, h http.Header) error {
	if h.Get("jsonpaths") != "" || h.Get("json_root") != "" {
		return errors.New("the stand-in knows no jsonpaths and no json_root")
	}
	if h.Get("strip_outer_array") == "true" {
		var list []json.RawMessage
		dec := json.NewDecoder(in)
		if err := dec.Decode(&list); err != nil {
			return fmt.Errorf("[DATA_QUALITY_ERROR]Parse json data failed: %w", err)
		}
		for _, item := range list {
			l.object(item)
		}
		return nil
	}
	if h.Get("read_json_by_line") != "true" {
		text, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		l.object(text)
		return nil
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			l.object(text)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// object takes one object; one that cannot be read is filtered.
func (l *loader) object(text []byte) {
	if l.discarding() {
		l.p.total++
		return
	}
	switch names, values, bad := members(text); bad {
	case nil:
		l.load(names, values, func() string { return string(text) })
	default:
		l.p.total++
		l.filter("Parse json data for JsonDoc failed: "+bad.Error(), string(text))
	}
}

// members are those of an object, in order.
func members(text []byte) (names []string, values []cell, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return nil, nil, errors.New("it is no object")
	}
	for dec.More() {
		key, err := dec.Token()
		var raw json.RawMessage
		if err == nil {
			err = dec.Decode(&raw)
		}
		if err != nil {
			return nil, nil, err
		}
		var v cell
		switch {
		case bytes.Equal(raw, []byte("null")):
		case raw[0] == '"':
			v = new(string)
			if err := json.Unmarshal(raw, v); err != nil {
				return nil, nil, err
			}
		default:
			s := string(raw)
			v = &s
		}
		names, values = append(names, key.(string)), append(values, v)
	}
	return names, values, nil
}
