package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestLayoutFlags(t *testing.T) {
	o, err := parse("--partition", "day(at)", "--partition", "orders: bucket(16, id), month(at)", "--sort", "user_*: id desc",
		"--format-version", "3", "--property", "a=b=c", "--property", "x = y", "--compression", "zstd:7")
	if err != nil {
		t.Fatal(err)
	}
	tables := []*schema.Table{{DB: "shop", Name: "orders"}, {DB: "shop", Name: "user_x"}}
	of, err := o.layout.resolve("shop", tables)
	if err != nil {
		t.Fatal(err)
	}
	props := map[string]string{"a": "b=c", "x": "y"}
	for i, want := range []layout{
		{partition: "bucket(16, id), month(at)", formatVersion: 3, properties: props, codec: "zstd:7"},
		{partition: "day(at)", sort: "id desc", formatVersion: 3, properties: props, codec: "zstd:7"},
	} {
		// An altered table is another *schema.Table.
		if got := of(&schema.Table{DB: "shop", Name: tables[i].Name}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", tables[i], got, want)
		}
	}
	if o.layout.compression != "zstd:7" {
		t.Errorf("compression %q", o.layout.compression)
	}
}

// TestLayoutClash is where tables turn up one by one.
func TestLayoutClash(t *testing.T) {
	o, err := parse("--partition", "shop.*: day(at)", "--partition", "*.orders: month(at)", "--partition", "shop.users: year(at)")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.layout.clash("", &schema.Table{DB: "shop", Name: "orders"}); err == nil || !strings.Contains(err.Error(), "shop.orders") {
		t.Errorf("two patterns for one table: %v", err)
	}
	users := &schema.Table{DB: "shop", Name: "users"}
	if err := o.layout.clash("", users); err != nil {
		t.Error(err)
	}
	if got := o.layout.each("")(users).partition; got != "year(at)" {
		t.Errorf("got %q", got)
	}
}

func TestLayoutFlagsRefused(t *testing.T) {
	for _, c := range []struct {
		flag, value, want string
	}{
		{"--partition", "", "empty"},
		{"--partition", "week(at)", "week is no transform"},
		{"--partition", "t: bucket(at)", "bucket wants a number"},
		{"--sort", "id up", `"up" is not understood`},
		{"--format-version", "1", "2 or 3"},
		{"--format-version", "4", "2 or 3"},
		{"--property", "x", "key=value"},
		{"--property", "=x", "key=value"},
		{"--property", "tablehaul.position=x", "this program's own"},
		{"--property", "format-version=3", "is none that a table has"},
		{"--property", "write.target-file-size-bytes=big", "number of bytes"},
		{"--property", "write.parquet.compression-codec=lzma", "lzma"},
		{"--compression", "zstd:23", "1 to 22"},
		{"--compression", "brotli", "want zstd"},
		{"--codec", "brotli", "want zstd"},
		{"--spill-size", "1k", "at least 64MiB"},
		{"--target-file-size", "1k", "at least 1MiB"},
	} {
		o, err := parse(c.flag, c.value)
		if err == nil {
			err = all().check(o.moveOptions)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, want %q", c.flag, c.value, err, c.want)
		}
	}
}

// TestCodecIsCompression keeps the flag's old name.
func TestCodecIsCompression(t *testing.T) {
	o, err := parse("--codec", "snappy")
	if err != nil || o.layout.compression != "snappy" {
		t.Errorf("got %q, %v", o.layout.compression, err)
	}
}
