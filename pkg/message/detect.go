package message

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Detect tells the format of a message, as NewDecoder knows it. A message that says nothing
// has none: "" and no error. What is another system's is an error that names it.
func Detect(key, value []byte) (string, error) {
	text := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case len(text) == 0, string(bytes.TrimRight(text, " \t\r\n")) == "null":
		return "", nil
	case IsArrow(value):
		return "arrow", nil
	case text[0] == '{':
		return detectObject(text)
	}
	return "", unknown(key, value)
}

// detectObject tells the format of a JSON object by the first of its members that only one
// of them has.
func detectObject(text []byte) (string, error) {
	s := scanner{text: text}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		if format := byMember(name, &s); format != "" {
			return format, nil
		}
		if foreign := othersMembers[string(name)]; foreign != "" {
			return "", notRead(foreign, text)
		}
		if _, err = s.skip(); err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return "", fmt.Errorf("its format cannot be told, it begins with %q: %w", text[:min(len(text), seen)], err)
	}
	err = fmt.Errorf("%w, it begins with %q", errNone, text[:min(len(text), seen)])
	return "", hint.Wrap(err, linesHint, "JSON", "--format json")
}

// linesHint is the remedy for what is most likely a log's line.
const linesHint = "if the topic holds lines in %s that are no changes of tables, %s with --table db.name reads them; --bad-message skip leaves such messages out"

var errNone = errors.New("no format has its members")

// seen is how many bytes of a message an error shows.
const seen = 80

// othersMembers are members that formats have which are not read.
var othersMembers = map[string]string{
	"commitTs":    "TiCDC's simple protocol",
	"tableID":     "TiCDC's simple protocol",
	"specversion": "CloudEvents",
	"beforeData":  "a format of DTS",
}

// byMember tells the format by a member's name, and by what its value begins with; "" if
// several have such a one.
func byMember(name []byte, s *scanner) string {
	switch string(name) {
	case "mysqlType", "sqlType", "isDdl", "pkNames", "es", "_tidb":
		return "canal-json"
	case "payload", "before", "after", "op", "source", "ts_ms", "ts_us", "tableChanges", "data_collections", "schema":
		return "debezium-json"
	case "xid", "commit", "position", "primary_key", "primary_key_columns", "def", "encrypted", "xoffset", "server_id", "thread_id", "schema_id":
		return "maxwell-json"
	case "status": // of a transaction, as Debezium tells of it
		return "debezium-json"
	case "data":
		switch s.peek() {
		case '[':
			return "canal-json"
		case '{', '"':
			return "maxwell-json"
		}
	case "type":
		return byType(*s)
	}
	return ""
}

// byType tells the format by a message's type. That of a row may be either's in lower case.
func byType(s scanner) string {
	typ, err := s.text0()
	switch {
	case err != nil || len(typ) == 0:
	case isRow(typ), isOther(typ), string(typ) == "TRUNCATE":
		return "canal-json"
	case bytes.HasPrefix(typ, []byte("table-")), bytes.HasPrefix(typ, []byte("database-")), bytes.HasPrefix(typ, []byte("bootstrap-")):
		return "maxwell-json"
	}
	return ""
}

// magics are what messages begin with that are not read.
var magics = []struct{ begin, name string }{
	{"\x1f\x8b", "compressed with gzip, within the message"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd, within the message"},
	{"\x04\x22\x4d\x18", "compressed with lz4, within the message"},
	{"\xff\x06\x00\x00sNaPpY", "compressed with snappy, within the message"},
	{"\x82SNAPPY\x00", "compressed with snappy, within the message"},
	{"BZh", "compressed with bzip2, within the message"},
	{"Obj\x01", "a file of Avro"},
	{"PAR1", "a file of Parquet"},
	{"ARROW1", "a file of Arrow: the stream format is read"},
	{"\xef\xbb\xbf", "text that begins with a byte order mark"},
	{"\xff\xfe", "text in UTF-16"},
	{"\xfe\xff", "text in UTF-16"},
	{"<", "XML"},
}

// unknown is the error of a message that is none of the formats that are read.
func unknown(key, value []byte) error {
	if text := bytes.TrimLeft(value, " \t\r\n"); text[0] == '[' {
		err := fmt.Errorf("it is a JSON array, and one change is an object; it begins with %q", text[:min(len(text), seen)])
		return hint.Wrap(err, linesHint, "JSON", "--format json")
	}
	for _, m := range magics {
		if bytes.HasPrefix(value, []byte(m.begin)) {
			return notRead(m.name, value)
		}
	}
	switch {
	case bytes.HasPrefix(key, []byte("\x00\x00\x00\x00\x00\x00\x00\x01")):
		return notRead("TiCDC's open-protocol", value)
	case value[0] == 0 && len(value) > 5: // Confluent's header: the magic byte 0, and a schema's number
		id := uint32(value[1])<<24 | uint32(value[2])<<16 | uint32(value[3])<<8 | uint32(value[4])
		return notRead(fmt.Sprintf("of schema %d of a schema registry (Avro, Protobuf or JSON Schema)", id), value)
	case len(value) > 1 && value[0] < ' ' && value[0]&7 <= 2 && (value[1] < ' ' || value[1] >= 0x80): // a field's number and kind, and a small number
		return notRead("Protocol Buffers, as of Canal with canal.mq.flatMessage=false", value)
	}
	err := fmt.Errorf("it is of no format that is known, it begins with %q", value[:min(len(value), seen)])
	if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 {
		return err
	}
	return hint.Wrap(err, linesHint, "CSV or JSON", "--format csv or json")
}

// notRead is the error of a message of a format that is known and not read.
func notRead(name string, value []byte) error {
	err := fmt.Errorf("it is not read, for it seems to be %s; it begins with %q", name, value[:min(len(value), seen)])
	return hint.Wrap(err, "have its writer use canal-json, debezium-json or maxwell-json, as JSON without a schema registry and without compression of its own (that of Kafka's producers is none of these)")
}

// An autoReader reads messages of any format. It takes all for those of the format of the
// first until one cannot be read, and looks at that anew: topics change their format where
// their writer does. What a format's reader has learned it keeps.
type autoReader struct {
	to        Target
	format    string
	now       Decoder
	readers   map[string]Decoder
	partition int
	told      bool
}

// Decode implements Decoder.
func (r *autoReader) Decode(key, value []byte) error {
	var cause error
	if r.now != nil {
		if cause = r.now.Decode(key, value); cause == nil {
			return nil
		}
	}
	format, err := Detect(key, value)
	switch {
	case cause != nil && (format == r.format || errors.Is(err, errNone) || errors.Is(err, errEnd) && errors.Is(cause, errEnd)):
		return cause // it lacks what would tell its format, and is most likely what came before
	case err != nil || format == "":
		return err
	}
	d := r.readers[format]
	if d == nil {
		if d, err = NewDecoder(format, r.to); err != nil {
			return err
		}
		if r.readers == nil {
			r.readers = make(map[string]Decoder)
		}
		r.readers[format] = d
	}
	r.tell(d)
	if err := d.Decode(key, value); err != nil {
		if r.now == nil && !bytes.Contains(value, []byte(`"table"`)) { // which changes of every format have
			err = hint.Wrap(err, linesHint, "JSON", "--format json")
		}
		return err
	}
	r.now, r.format = d, format
	return nil
}

// Partition implements Partitioned.
func (r *autoReader) Partition(n int) {
	r.partition, r.told = n, true
	if r.now != nil {
		r.tell(r.now)
	}
}

func (r *autoReader) tell(d Decoder) {
	if p, ok := d.(Partitioned); ok && r.told {
		p.Partition(r.partition)
	}
}
