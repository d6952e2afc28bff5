package schema

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

func TestNew(t *testing.T) {
	table := New("shop", "or.ders", []Column{
		{Name: "id", Arrow: arrow.PrimitiveTypes.Int64},
		{Name: "note", Arrow: arrow.BinaryTypes.String, Nullable: true},
	}, []int{0})
	if got, want := table.String(), "shop.or.ders"; got != want {
		t.Errorf("got name %s, want %s", got, want)
	}
	want := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	if !table.Arrow.Equal(want) {
		t.Errorf("got schema %s, want %s", table.Arrow, want)
	}
}

func TestTableError(t *testing.T) {
	cause := errors.New("it was dropped")
	err := fmt.Errorf("read: %w", &TableError{Table: "shop.orders", Err: cause})
	if got, want := err.Error(), "read: shop.orders: it was dropped"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	var te *TableError
	if !errors.As(err, &te) || te.Table != "shop.orders" {
		t.Errorf("got %+v, want the table's name", te)
	}
}
