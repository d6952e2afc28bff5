package binlog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var errDiff = errors.New("a difference of JSON values does not fit the value before it")

// A jsonNode is a value in memory, to be changed: an object, an array, or text.
type jsonNode struct {
	typ   byte // jsonLargeObject, jsonLargeArray or jsonLiteral
	text  []byte
	keys  [][]byte // of an object
	items []*jsonNode
}

// parseJSON reads a binary value.
func parseJSON(v []byte) (*jsonNode, error) {
	if len(v) == 0 {
		return nil, errJSON
	}
	p := jsonPrinter{budget: len(v)}
	return p.node(v[0], v[1:], 0)
}

func (p *jsonPrinter) node(typ byte, v []byte, depth int) (*jsonNode, error) {
	if typ > jsonLargeArray {
		p.dst = nil
		err := p.value(typ, v, depth)
		return &jsonNode{typ: jsonLiteral, text: p.dst}, err
	}
	n, w := &jsonNode{typ: jsonLargeArray}, 2
	if typ == jsonSmallObject || typ == jsonLargeObject {
		n.typ = jsonLargeObject
	}
	if typ == jsonLargeObject || typ == jsonLargeArray {
		w = 4
	}
	return n, p.members(v, n.typ == jsonLargeObject, w, depth+1, func(_ int, key []byte, typ byte, v []byte) error {
		item, err := p.node(typ, v, depth+1)
		n.items = append(n.items, item)
		if n.typ == jsonLargeObject {
			n.keys = append(n.keys, key)
		}
		return err
	})
}

func (n *jsonNode) append(dst []byte) []byte {
	if n.typ == jsonLiteral {
		return append(dst, n.text...)
	}
	open, end := byte('['), byte(']')
	if n.typ == jsonLargeObject {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i, item := range n.items {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if n.typ == jsonLargeObject {
			dst = append(appendQuoted(dst, n.keys[i]), ": "...)
		}
		dst = item.append(dst)
	}
	return append(dst, end)
}

// What a difference does.
const (
	diffReplace = iota
	diffInsert
	diffRemove
)

// appendDiff appends the text of a binary value after differences: each an
// operation, a path, and the new value unless something is removed. The source
// of the format is the comment of Json_diff_vector in MySQL's json_diff.h.
func appendDiff(dst, before, diffs []byte) ([]byte, error) {
	root, err := parseJSON(before)
	if err != nil {
		return dst, err
	}
	for c := (&cursor{p: diffs}); len(c.p) > 0; {
		op := c.uint8()
		path := c.take(c.lenenc())
		var value *jsonNode
		if op != diffRemove {
			if value, err = parseJSON(c.take(c.lenenc())); err != nil {
				return dst, err
			}
		}
		if c.bad || op > diffRemove || len(path) == 0 || path[0] != '$' {
			return dst, errJSON
		}
		if err := root.change(op, path[1:], value, 0); err != nil {
			return dst, fmt.Errorf("%w: at %s", err, path)
		}
	}
	return root.append(dst), nil
}

// change does what a difference says at a path below n.
func (n *jsonNode) change(op byte, path []byte, value *jsonNode, depth int) error {
	if depth > maxJSONDepth {
		return errJSON
	}
	if len(path) == 0 {
		if op != diffReplace {
			return errDiff
		}
		*n = *value
		return nil
	}
	key, index, rest, err := leg(path)
	if err != nil {
		return err
	}
	if key == nil && n.typ != jsonLargeArray && (index == 0 || index == -1) { // any value is an array of itself
		return n.change(op, rest, value, depth+1)
	}
	index, there, ok := n.find(key, index)
	switch {
	case !ok:
		return errDiff
	case len(rest) == 0 && op == diffInsert:
		return n.insert(key, index, there, value)
	case !there:
		return errDiff
	case len(rest) == 0 && op == diffRemove:
		n.items = slices.Delete(n.items, index, index+1)
		if key != nil {
			n.keys = slices.Delete(n.keys, index, index+1)
		}
		return nil
	}
	return n.items[index].change(op, rest, value, depth+1)
}

// find returns where the member of a key, or of an index that may count from the
// end, is or would be; ok is false if n has no such members.
func (n *jsonNode) find(key []byte, index int) (at int, there, ok bool) {
	switch {
	case key != nil && n.typ == jsonLargeObject:
		at, there = slices.BinarySearchFunc(n.keys, key, compareKeys)
		return at, there, true
	case key != nil || n.typ != jsonLargeArray:
		return 0, false, false
	}
	if index < 0 {
		index += len(n.items)
	}
	there = index >= 0 && index < len(n.items)
	return max(0, min(index, len(n.items))), there, true
}

func (n *jsonNode) insert(key []byte, index int, there bool, value *jsonNode) error {
	if key != nil {
		if there {
			return errDiff
		}
		n.keys = slices.Insert(n.keys, index, key)
	}
	n.items = slices.Insert(n.items, index, value)
	return nil
}

// compareKeys is the order of keys in an object: shorter ones first.
func compareKeys(a, b []byte) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b))
}

// leg cuts the first step off a path: .key, ."quoted key" or [index]. key is nil
// for an index, which is negative if it counts from the end: −1 is [last].
func leg(path []byte) (key []byte, index int, rest []byte, err error) {
	switch {
	case path[0] == '[':
		end := bytes.IndexByte(path, ']')
		if end < 0 {
			return nil, 0, nil, errJSON
		}
		index, err = arrayIndex(string(path[1:end]))
		return nil, index, path[end+1:], err
	case path[0] != '.' || len(path) < 2:
		return nil, 0, nil, errJSON
	case path[1] != '"':
		end := 1
		for end < len(path) && path[end] != '.' && path[end] != '[' {
			end++
		}
		return path[1:end:end], 0, path[end:], nil
	}
	end := 2
	for end < len(path) && path[end] != '"' {
		if path[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(path) {
		return nil, 0, nil, errJSON
	}
	var s string
	if err := json.Unmarshal(path[1:end+1], &s); err != nil {
		return nil, 0, nil, errJSON
	}
	return []byte(s), 0, path[end+1:], nil
}

// arrayIndex reads 5, last or last-5.
func arrayIndex(s string) (int, error) {
	digits, last := strings.CutPrefix(s, "last")
	if digits == "" && last {
		return -1, nil
	}
	if last {
		digits = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(digits), "-"))
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil {
		return 0, errJSON
	}
	if last {
		return -1 - int(n), nil
	}
	return int(n), nil
}
