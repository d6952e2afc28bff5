package binlog

import "slices"

// The kinds of optional metadata.
const (
	optSignedness = iota + 1
	optDefaultCharset
	optColumnCharset
	optColumnName
	optSetLabels
	optEnumLabels
	optGeometryType
	optPrimaryKey
	optPrimaryKeyPrefix
	optEnumSetDefaultCharset
	optEnumSetColumnCharset
)

func (col *MapColumn) numeric() bool {
	switch col.Type {
	case typeTiny, typeShort, typeInt24, typeLong, typeLongLong, typeFloat, typeDouble, typeNewDecimal, typeYear:
		return true
	}
	return false
}

func (col *MapColumn) character() bool {
	switch col.Type {
	case typeString, typeVarString, typeVarchar, typeBlob, typeTinyBlob, typeMediumBlob, typeLongBlob, typeBlobCompressed, typeVarcharCompressed:
		return true
	}
	return false
}

// mariaCharacter is what MariaDB counts as text.
func (col *MapColumn) mariaCharacter() bool { return col.character() || col.Type == typeGeometry }

func (col *MapColumn) choice() bool { return col.Type == typeEnum || col.Type == typeSet }

func (m *TableMap) option(kind byte, c *cursor) {
	switch kind {
	case optSignedness:
		m.readSigns(c)
	case optDefaultCharset, optColumnCharset:
		m.charsets, m.charsetKind = c.p, kind
	case optEnumSetDefaultCharset:
		m.readDefaultCharset(c, (*MapColumn).choice)
	case optEnumSetColumnCharset:
		m.eachOf((*MapColumn).choice, func(col *MapColumn) { col.Charset = c.lenenc() })
	case optColumnName:
		for i := range m.Columns {
			m.Columns[i].Name = string(c.take(c.lenenc()))
		}
	case optSetLabels:
		m.eachOf(func(col *MapColumn) bool { return col.Type == typeSet }, func(col *MapColumn) { col.readLabels(c) })
	case optEnumLabels:
		m.eachOf(func(col *MapColumn) bool { return col.Type == typeEnum }, func(col *MapColumn) { col.readLabels(c) })
	case optPrimaryKey, optPrimaryKeyPrefix:
		for len(c.p) > 0 {
			i := c.lenenc()
			if kind == optPrimaryKeyPrefix {
				c.lenenc() // how much of the column is in the key
			}
			if i >= uint64(len(m.Columns)) {
				c.bad = true
				return
			}
			m.PrimaryKey = append(m.PrimaryKey, int(i))
		}
	}
}

func (m *TableMap) eachOf(which func(*MapColumn) bool, f func(*MapColumn)) {
	for i := range m.Columns {
		if which(&m.Columns[i]) {
			f(&m.Columns[i])
		}
	}
}

// readCharsets gives text columns their collations. The columns are counted,
// and the servers differ in what they count.
func (m *TableMap) readCharsets(maria bool) bool {
	c, which := cursor{p: m.charsets}, (*MapColumn).character
	if maria {
		which = (*MapColumn).mariaCharacter
	}
	switch m.charsetKind {
	case optDefaultCharset:
		m.readDefaultCharset(&c, which)
	case optColumnCharset:
		m.eachOf(which, func(col *MapColumn) { col.Charset = c.lenenc() })
	}
	return !c.bad
}

func (m *TableMap) has(typ byte) bool {
	return slices.ContainsFunc(m.Columns, func(c MapColumn) bool { return c.Type == typ })
}

// readSigns reads a bit for each number, the highest bit of a byte first.
func (m *TableMap) readSigns(c *cursor) {
	bits, n := c.p, 0
	m.eachOf((*MapColumn).numeric, func(col *MapColumn) {
		if n>>3 < len(bits) {
			col.SignKnown, col.Unsigned = true, bits[n>>3]&(0x80>>(n&7)) != 0
		}
		n++
	})
}

// readDefaultCharset reads the collation of most columns, and then those that
// have another, by their number among the columns of their sort.
func (m *TableMap) readDefaultCharset(c *cursor, which func(*MapColumn) bool) {
	most, other := c.lenenc(), map[uint64]uint64{}
	for len(c.p) > 0 {
		i := c.lenenc()
		other[i] = c.lenenc()
	}
	n := uint64(0)
	m.eachOf(which, func(col *MapColumn) {
		col.Charset = most
		if id, ok := other[n]; ok {
			col.Charset = id
		}
		n++
	})
}

func (col *MapColumn) readLabels(c *cursor) {
	n := c.lenenc()
	if n > uint64(len(c.p)) { // each takes a byte at least
		c.bad = true
		return
	}
	col.Labels = make([][]byte, n)
	for i := range col.Labels {
		col.Labels[i] = c.take(c.lenenc())
	}
}
