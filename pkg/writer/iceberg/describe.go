package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/naming"
)

var _ writer.Describer = (*Sink)(nil)

// Describe tells what Open and the first Commit would make of t.
func (s *Sink) Describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	ctx, cancel := context.WithTimeout(s.shared(ctx), s.retry.timeout)
	defer cancel()
	d, err := s.describe(ctx, t, mode)
	return d, advise(err)
}

func (s *Sink) describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	w := &Writer{sink: s, src: t, ident: s.identifier(t), mode: mode, replace: mode == writer.Replace}
	d := writer.Description{Name: w.name(), Fate: writer.New}
	refuse := func(err error) (writer.Description, error) {
		var te *schema.TableError
		if !errors.As(err, &te) {
			return d, err
		}
		d.Refuse(mode, te.Err)
		return d, nil
	}
	if err := w.shape(); err != nil {
		return refuse(err)
	}
	if _, err := newLayout(w.askedLayout(), w.want); err != nil {
		return refuse(w.tableError(err))
	}
	tbl, err := s.load(ctx, w.ident)
	switch {
	case errors.Is(err, catalog.ErrNoSuchTable), errors.Is(err, catalog.ErrNoSuchNamespace):
		d.DDL, err = w.ddl(ctx)
		return d, err
	case err != nil:
		return refuse(w.unloaded(err))
	}
	w.note(tbl)
	if err := w.admit(tbl); err != nil {
		return refuse(err)
	}
	if w.was != nil {
		d.Detail = shapeDiff(tbl.Schema(), w.want, false)
	}
	switch {
	case mode == writer.Create && w.pos != "":
		d.Fate = writer.Whole
	case w.follows() && w.pos != "" && w.was == nil:
		d.Fate = writer.Followed
	case mode == writer.Replace && tbl.CurrentSnapshot() != nil:
		d.Fate = writer.Replaced
	case w.was != nil:
		d.Fate = writer.Evolved
	default:
		d.Fate = writer.Added
	}
	return d, nil
}

// ddl is the statement, in Spark's SQL, by which the table would be made.
func (w *Writer) ddl(ctx context.Context) (string, error) {
	lay, props, err := w.newTable()
	if err != nil {
		return "", err
	}
	location := "TABLE" // the catalog chooses
	home := w.sink.home(ctx, catalog.NamespaceFromIdent(w.ident))
	if home != "" {
		location = home + "/" + naming.Folder(catalog.TableNameFromIdent(w.ident))
	}
	meta, err := newMetadata(w.want, lay, location, props)
	if err != nil {
		return "", err
	}
	return sparkDDL(w.ident, meta, home != ""), nil
}

// sparkDDL writes a table without content as the statements that make it.
func sparkDDL(ident table.Identifier, meta table.Metadata, located bool) string {
	var b strings.Builder
	sc := meta.CurrentSchema()
	name := sparkName(ident...)
	fmt.Fprintf(&b, "CREATE TABLE %s (", name)
	for i, f := range sc.Fields() {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %s %s", sparkName(f.Name), sparkType(f.Type))
		if f.Required {
			b.WriteString(" NOT NULL")
		}
		if f.Doc != "" {
			b.WriteString(" COMMENT " + sparkText(f.Doc))
		}
	}
	b.WriteString("\n) USING iceberg")
	if spec := meta.PartitionSpec(); !spec.IsUnpartitioned() {
		var parts []string
		for _, f := range spec.Fields() {
			column, _ := sc.FindColumnName(f.SourceIDs[0])
			parts = append(parts, sparkTransform(f.Transform, column))
		}
		b.WriteString("\nPARTITIONED BY (" + strings.Join(parts, ", ") + ")")
	}
	if located {
		b.WriteString("\nLOCATION " + sparkText(meta.Location()))
	}
	props := meta.Properties()
	if c := props["comment"]; c != "" {
		b.WriteString("\nCOMMENT " + sparkText(c))
	}
	list := []string{fmt.Sprintf("'format-version' = '%d'", meta.Version())}
	for _, k := range slices.Sorted(maps.Keys(props)) {
		if k != "comment" {
			list = append(list, sparkText(k)+" = "+sparkText(props[k]))
		}
	}
	b.WriteString("\nTBLPROPERTIES (\n  " + strings.Join(list, ",\n  ") + "\n)")
	if order := meta.SortOrder(); !order.IsUnsorted() {
		var by []string
		for _, f := range order.Fields() {
			column, _ := sc.FindColumnName(f.SourceIDs[0])
			by = append(by, fmt.Sprintf("%s %s %s", sparkTransform(f.Transform, column), strings.ToUpper(string(f.Direction)), strings.ToUpper(strings.ReplaceAll(string(f.NullOrder), "-", " "))))
		}
		fmt.Fprintf(&b, ";\nALTER TABLE %s WRITE ORDERED BY %s", name, strings.Join(by, ", "))
	}
	if ids := sc.IdentifierFieldIDs; len(ids) > 0 {
		var keys []string
		for _, id := range ids {
			column, _ := sc.FindColumnName(id)
			keys = append(keys, sparkName(column))
		}
		fmt.Fprintf(&b, ";\nALTER TABLE %s SET IDENTIFIER FIELDS %s", name, strings.Join(keys, ", "))
	}
	return b.String()
}

// sparkName quotes the parts of a name where they need it.
func sparkName(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = "`" + strings.ReplaceAll(p, "`", "``") + "`"
	}
	return strings.Join(out, ".")
}

func sparkText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

func sparkTransform(t iceberg.Transform, column string) string {
	switch t := t.(type) {
	case iceberg.BucketTransform:
		return fmt.Sprintf("bucket(%d, %s)", t.NumBuckets, sparkName(column))
	case iceberg.TruncateTransform:
		return fmt.Sprintf("truncate(%d, %s)", t.Width, sparkName(column))
	case iceberg.IdentityTransform:
		return sparkName(column)
	}
	return fmt.Sprintf("%s(%s)", t, sparkName(column))
}

func sparkType(t iceberg.Type) string {
	switch t := t.(type) {
	case iceberg.Int64Type:
		return "BIGINT"
	case iceberg.TimestampType:
		return "TIMESTAMP_NTZ"
	case iceberg.TimestampTzType:
		return "TIMESTAMP"
	case *iceberg.ListType:
		return "ARRAY<" + sparkType(t.Element) + ">"
	}
	return strings.ToUpper(strings.ReplaceAll(t.String(), " ", ""))
}
