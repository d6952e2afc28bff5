package iceberg

import (
	"reflect"

	"github.com/apache/iceberg-go/table"
)

// unalias has the snapshots that updates add point to numbers of their own. iceberg-go 0.7 has them
// point into the transaction, which holds the metadata before it: whoever keeps what a commit has made
// of the metadata would keep what all commits before it have.
func unalias(updates []table.Update) {
	for _, u := range updates {
		v := reflect.Indirect(reflect.ValueOf(u)) // of a type that has no name outside
		if v.Kind() != reflect.Struct {
			continue
		}
		f := v.FieldByName("Snapshot")
		if !f.IsValid() {
			continue
		}
		if s, ok := f.Interface().(*table.Snapshot); ok && s != nil {
			s.ParentSnapshotID, s.SchemaID = own(s.ParentSnapshotID), own(s.SchemaID)
			s.FirstRowID, s.AddedRows = own(s.FirstRowID), own(s.AddedRows)
		}
	}
}

func own[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
