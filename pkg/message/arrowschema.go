package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// arrowVersion is raised when messages change so that older readers would misread them.
const arrowVersion = 1

// arrowKey is the key of an Arrow schema's metadata under which an arrowTable is, as JSON.
const arrowKey = "tablehaul"

// An arrowTable is what the schema of a message tells beside Arrow's own.
type arrowTable struct {
	Version  int           `json:"version"`
	Database string        `json:"database"`
	Table    string        `json:"table"`
	Key      []string      `json:"key,omitempty"` // the columns of the primary key, in its order
	Columns  []arrowColumn `json:"columns"`       // of the source, in order; the changelog's own follow
}

type arrowColumn struct {
	Type    string `json:"type"` // as the source prints it
	Charset string `json:"charset,omitempty"`
}

// schemaMessage returns the first part of each message: the Arrow schema of the table.
func schemaMessage(t *schema.Table) ([]byte, error) {
	told := arrowTable{Version: arrowVersion, Database: t.DB, Table: t.Name}
	for _, k := range t.RowKey {
		told.Key = append(told.Key, t.Columns[k].Name)
	}
	for _, c := range own(t) {
		told.Columns = append(told.Columns, arrowColumn{c.Native, c.Charset})
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(told); err != nil {
		return nil, err
	}
	meta := arrow.NewMetadata([]string{arrowKey}, []string{strings.TrimSpace(text.String())})
	var out bytes.Buffer
	if err := ipc.NewWriter(&out, ipc.WithSchema(arrow.NewSchema(t.Arrow.Fields(), &meta))).Close(); err != nil {
		return nil, fmt.Errorf("write its Arrow schema: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), append(continuation[:4:4], 0, 0, 0, 0)), nil // the stream's end
}

// errNotOurs says that a schema is not of a message of this program.
var errNotOurs = errors.New("its Arrow schema tells of no table of MySQL (metadata " + arrowKey + ")")

// readSchema reads the FlatBuffer of a schema: the table, without a changelog's own
// columns, and where these are.
func readSchema(text []byte) (*schema.Table, [schema.MetaPos + 1]int, error) {
	var meta [schema.MetaPos + 1]int
	f := &flat{buf: text}
	message := f.ref(0)
	at := f.table(message, 2)
	if f.bad || f.number(message, 1, 1, 0) != headerSchema {
		return nil, meta, errors.New("it does not begin with an Arrow schema")
	}
	told, err := readMetadata(f, at)
	if err != nil {
		return nil, meta, err
	}
	fields, n := f.vector(at, 1, 4)
	if f.number(at, 0, 2, 0) != 0 || len(told.Columns) == 0 || n != len(told.Columns)+len(meta)-1 {
		return nil, meta, errors.New("its Arrow schema is not that of the table that it tells of")
	}
	var columns []schema.Column
	for i := range n {
		field := f.ref(fields + 4*i)
		name := f.text(field, 0)
		typ := fieldType(f, field)
		if f.bad || typ == nil || f.member(field, 4) != 0 { // a dictionary
			return nil, meta, fmt.Errorf("field %q of its Arrow schema is of a type that is not known", name)
		}
		if i >= len(told.Columns) {
			if err := readMeta(&meta, i, name, typ); err != nil {
				return nil, meta, err
			}
			continue
		}
		c := schema.Column{Name: name, Native: told.Columns[i].Type, Charset: told.Columns[i].Charset, Arrow: typ, Nullable: true}
		if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
			return nil, meta, fmt.Errorf("column %s: %w", name, err)
		}
		if want := c.Type.Arrow(); !arrow.TypeEqual(typ, want) {
			return nil, meta, fmt.Errorf("column %s: a %s is a %s here, not a %s", name, c.Native, typ, want)
		}
		columns = append(columns, c)
	}
	var key []int
	for _, name := range told.Key {
		k := slices.IndexFunc(columns, func(c schema.Column) bool { return c.Name == name })
		if k < 0 {
			return nil, meta, fmt.Errorf("there is no column %s, which is one of its key", name)
		}
		key = append(key, k)
		columns[k].Nullable = false
	}
	return schema.New(told.Database, told.Table, columns, key), meta, nil
}

// readMeta takes a field of those that tell of the change.
func readMeta(meta *[schema.MetaPos + 1]int, i int, name string, typ arrow.DataType) error {
	for m := schema.MetaOp; m <= schema.MetaPos; m++ {
		if m.Column() != name {
			continue
		}
		if want := m.Arrow(); meta[m] != 0 || !arrow.TypeEqual(typ, want) {
			return fmt.Errorf("field %s of its Arrow schema is a %s, not a %s", name, typ, want)
		}
		meta[m] = i
		return nil
	}
	return fmt.Errorf("its Arrow schema has a field %q too many", name)
}

// readMetadata finds what a schema tells of the table.
func readMetadata(f *flat, at int) (*arrowTable, error) {
	pairs, n := f.vector(at, 2, 4)
	for i := range n {
		pair := f.ref(pairs + 4*i)
		if f.text(pair, 0) != arrowKey {
			continue
		}
		var told arrowTable
		text := f.text(pair, 1)
		if f.bad {
			break
		}
		if err := json.Unmarshal([]byte(text), &told); err != nil {
			return nil, fmt.Errorf("read the metadata %s of its Arrow schema: %w", arrowKey, err)
		}
		if told.Version != arrowVersion {
			return nil, fmt.Errorf("it is of version %d of the format, and %d is known", told.Version, arrowVersion)
		}
		return &told, nil
	}
	return nil, errNotOurs
}
