package binlog

import (
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Charsets turns text of any character set into UTF-8 just as the server does,
// whom it asks for what it has not seen yet. It is for one goroutine at a time.
type Charsets struct {
	// Ask returns each of texts, which are of a charset, in UTF-8. ConvertSQL is
	// the statement that answers it.
	Ask func(charset string, texts [][]byte) ([][]byte, error)
	// Collations names the charset of each collation that table maps may name.
	Collations map[uint64]string

	known map[string]*converter
}

// ConvertSQL is a statement whose only row has a column for each text: its UTF-8.
func ConvertSQL(charset string, texts [][]byte) string {
	var b strings.Builder
	for i, t := range texts {
		sep := ", "
		if i == 0 {
			sep = "SELECT "
		}
		fmt.Fprintf(&b, "%sCONVERT(CONVERT(x'%x' USING %s) USING utf8mb4)", sep, t, charset)
	}
	return b.String()
}

// A converter is a charset.
type converter struct{}

func (s *Charsets) column(c *schema.Column, w *MapColumn) (*converter, error) {
	return &converter{}, nil
}

func (c *converter) append(b *batch.Bytes) appendFunc { return plainAppend(b) }

func (c *converter) text(v []byte) ([]byte, error) { return v, nil }
