package doristest

import (
	"fmt"
	"slices"
	"strings"
)

// createTable is CREATE TABLE behind these two words.
func (s *session) createTable(p *parser) error {
	exists := p.is("IF", "NOT", "EXISTS")
	db, name, err := p.tableName(s.db)
	if err != nil {
		return err
	}
	if err := s.checkTable(name); err != nil {
		return err
	}
	t := newTable(name)
	if err := p.want("("); err != nil {
		return err
	}
	for {
		col, err := s.columnDef(p)
		if err != nil {
			return err
		}
		if t.column(col.name) != nil {
			return refuse("Duplicate column name '%s'", col.name)
		}
		t.columns = append(t.columns, col)
		if p.is(")") {
			break
		}
		if err := p.want(","); err != nil {
			return err
		}
	}
	keys, err := s.tableOptions(p, t)
	if err != nil {
		return err
	}
	if err := t.setKey(keys); err != nil {
		return err
	}
	if t.partition != nil {
		if err := t.partition.check(t); err != nil {
			return err
		}
	}
	d, err := s.c.database(db)
	if err != nil {
		return err
	}
	if d.tables[name] != nil {
		if exists {
			return nil
		}
		return &sqlError{1050, "errCode = 2, detailMessage = Table '" + name + "' already exists"}
	}
	d.tables[name] = t
	return nil
}

// columnDef is a column of CREATE TABLE or ALTER TABLE.
func (s *session) columnDef(p *parser) (*column, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if err := s.checkColumn(name); err != nil {
		return nil, err
	}
	c := &column{name: name, nullable: true}
	if c.typ, err = p.colType(); err != nil {
		return nil, err
	}
	for {
		switch {
		case p.is("KEY"):
			c.key = true
		case p.is("NOT", "NULL"):
			c.nullable = false
		case p.is("NULL"):
			c.nullable = true
		case p.is("DEFAULT", "NULL"):
			c.def = nil
		case p.is("DEFAULT"):
			t := p.next()
			v, err := c.typ.canonical(t.text, 1<<20)
			if err != nil {
				return nil, refuse("Invalid default value for '%s'", name)
			}
			c.def = &v
		case p.is("COMMENT"):
			if c.comment, err = p.text(); err != nil {
				return nil, err
			}
		default:
			return c, nil
		}
	}
}

// tableOptions are what stands behind the columns.
func (s *session) tableOptions(p *parser, t *table) (keys []string, err error) {
	from := p.peek().from
	distributed, random := false, false
	for err == nil && !p.done() {
		switch {
		case p.is("ENGINE", "="):
			p.next()
		case p.is("UNIQUE", "KEY"):
			t.unique = true
			keys, err = p.names()
		case p.is("DUPLICATE", "KEY"):
			keys, err = p.names()
		case p.is("COMMENT"):
			t.comment, err = p.text()
		case p.is("DISTRIBUTED", "BY"):
			distributed, random = true, p.is("RANDOM")
			if !random {
				err = p.distribution(t)
			}
		case p.is("BUCKETS"):
			p.next()
		case p.is("PROPERTIES"):
			t.props, err = p.properties()
		case p.is("AUTO", "PARTITION", "BY"):
			t.partition, err = p.autoPartition()
		case p.is("PARTITION", "BY"): // not looked at
			for !p.done() && !strings.EqualFold(p.peek().text, "DISTRIBUTED") {
				p.at++
			}
		default:
			return nil, p.syntax()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case !distributed:
		return nil, refuse("Create olap table should contain distribution desc")
	case random && t.unique:
		return nil, refuse("Create unique keys table should not contain random distribution desc")
	}
	t.tail = strings.TrimSuffix(strings.TrimSpace(p.sql[from:]), ";")
	return keys, t.heedProperties()
}

// heedProperties takes from a table's properties what the stand-in goes by.
func (t *table) heedProperties() error {
	t.mow = t.unique && t.props["enable_unique_key_merge_on_write"] != "false"
	t.light = t.props["light_schema_change"] != "false"
	return t.setSequence()
}

// distribution is what stands behind DISTRIBUTED BY, unless that is RANDOM.
func (p *parser) distribution(t *table) error {
	if err := p.want("HASH"); err != nil {
		return err
	}
	by, err := p.names()
	for _, n := range by {
		if t.column(n) == nil {
			return refuse("Distribution column(%s) doesn't exist", n)
		}
	}
	return err
}

// setKey marks the key's columns, which have to be the first ones.
func (t *table) setKey(keys []string) error {
	for i, k := range keys {
		if i >= len(t.columns) || !strings.EqualFold(t.columns[i].name, k) {
			return refuse("Key columns must be a ordered prefix of the schema. keys: %v", keys)
		}
		c := t.columns[i]
		c.key = true
		if !c.typ.keyable() {
			return refuse("%s type should not be used in key, column[%s].", c.typ, c.name)
		}
	}
	if len(keys) == 0 && !t.columns[0].typ.keyable() && t.props["enable_duplicate_without_keys_by_default"] != "true" {
		return refuse("The olap table first column could not be float, double, string or array, struct, map, please use decimal or varchar instead.")
	}
	for i, c := range t.columns {
		if c.key && i > 0 && !t.columns[i-1].key {
			return refuse("Key columns must be a ordered prefix of the schema")
		}
	}
	return nil
}

// alterTable is ALTER TABLE behind these two words.
func (s *session) alterTable(p *parser) error {
	db, name, t, err := s.table(p)
	if err != nil {
		return err
	}
	s.c.finishJobs(t)
	if t.altering() && !p.is("SET") {
		return refuse("Table[%s]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops", name)
	}
	switch {
	case p.is("ADD", "COLUMN", "("), p.is("ADD", "COLUMN"):
		return s.addColumns(p, t)
	case p.is("MODIFY", "COLUMN"):
		return s.modifyColumn(p, t)
	case p.is("DROP", "COLUMN"):
		return s.dropColumn(p, t)
	case p.is("RENAME", "COLUMN"):
		return s.renameColumn(p, t)
	case p.is("RENAME"):
		return s.renameTable(p, db, t)
	case p.is("REPLACE", "WITH", "TABLE"):
		return s.replaceTable(p, db, t)
	case p.is("SET"):
		_, err := p.properties()
		return err
	}
	return p.syntax()
}

func (s *session) addColumns(p *parser, t *table) error {
	for {
		c, err := s.columnDef(p)
		if err != nil {
			return err
		}
		switch {
		case t.column(c.name) != nil:
			return refuse("Can not add column which already exists in base table: %s", c.name)
		case c.key:
			return refuse("the stand-in adds no columns to a key")
		case !c.nullable && c.def == nil:
			return refuse("Can not add not null column without default value: %s", c.name)
		}
		if p.is("FIRST") {
			return refuse("Invalid column order. value should be after key")
		}
		if p.is("AFTER") { // columns keep their place for rows; the order is not looked at
			if _, err := p.name(); err != nil {
				return err
			}
		}
		add := func() { t.columns = append(t.columns, c) }
		if t.light {
			add()
		} else {
			s.c.job(t, add)
		}
		if !p.is(",") {
			return nil
		}
	}
}

// widened reports whether a column can be made one of another type.
func widened(from, to colType) bool {
	wholes := []string{"TINYINT", "SMALLINT", "INT", "BIGINT", "LARGEINT"}
	i, j := slices.Index(wholes, from.name), slices.Index(wholes, to.name)
	switch {
	case i >= 0 && j >= 0:
		return j >= i
	case from.name == "FLOAT":
		return to.name == "FLOAT" || to.name == "DOUBLE"
	case from.name == "DECIMAL" && to.name == "DECIMAL":
		return to.args[1] == from.args[1] && to.args[0] >= from.args[0]
	case from.name == "CHAR" || from.name == "VARCHAR":
		return to.name == "STRING" || to.name == "VARCHAR" && to.args[0] >= from.args[0]
	case from.name == "DATETIME" && to.name == "DATETIME":
		return to.args[0] >= from.args[0]
	case from.name == "DATE":
		return to.name == "DATE" || to.name == "DATETIME"
	}
	return fmt.Sprint(from) == fmt.Sprint(to)
}

// mayModify refuses what makes another key of a table's.
func (t *table) mayModify(have, c *column) error {
	switch {
	case have == nil:
		return refuse("Column[%s] does not exists", c.name)
	case have.key && !c.key:
		return refuse("Can not modify key column to value column: %s", c.name)
	case !have.key && c.key:
		return refuse("Can not modify value column to key column: %s", c.name)
	case have.key && t.unique && have.typ.String() != c.typ.String(): // tables are distributed by their keys here
		return refuse("Can not modify distribution column[%s]. index[%s]", c.name, t.name)
	}
	return nil
}

func (s *session) modifyColumn(p *parser, t *table) error {
	c, err := s.columnDef(p)
	if err != nil {
		return err
	}
	have := t.column(c.name)
	if err := t.mayModify(have, c); err != nil {
		return err
	}
	switch {
	case have.nullable && !c.nullable:
		return refuse("Can not change from nullable to non-nullable: %s", c.name)
	case !widened(have.typ, c.typ):
		return refuse("Can not change %s to %s", strings.ToUpper(have.typ.String()), strings.ToUpper(c.typ.String()))
	}
	change := func() {
		for _, r := range t.everyRow() {
			if i := slices.Index(t.columns, have); i < len(r) && r[i] != nil {
				if v, err := c.typ.canonical(*r[i], 1<<31-1); err == nil {
					r[i] = &v
				}
			}
		}
		have.typ, have.nullable, have.def, have.comment = c.typ, c.nullable, c.def, c.comment
	}
	if t.light && have.typ.name == "VARCHAR" && c.typ.name == "VARCHAR" && !have.key {
		change()
	} else {
		s.c.job(t, change)
	}
	return nil
}

// everyRow are all rows, those that were deleted among them.
func (t *table) everyRow() []row {
	rows := slices.Clone(t.all)
	for _, s := range t.byKey {
		rows = append(rows, s.row)
	}
	return rows
}

func (s *session) dropColumn(p *parser, t *table) error {
	name, err := p.name()
	if err != nil {
		return err
	}
	c := t.column(name)
	switch {
	case c == nil:
		return refuse("Column does not exists: %s", name)
	case c.key && t.unique:
		return refuse("Can not drop key column %s in unique data model table", name)
	case c == t.seqCol:
		return refuse("Can not drop sequence mapping column[%s] in Unique data model table[%s]", name, t.name)
	}
	drop := func() { c.dropped = true }
	if t.light {
		drop()
	} else {
		s.c.job(t, drop)
	}
	return nil
}

func (s *session) renameColumn(p *parser, t *table) error {
	from, err := p.name()
	if err != nil {
		return err
	}
	to, err := p.name()
	if err == nil {
		err = s.checkColumn(to)
	}
	if err != nil {
		return err
	}
	c := t.column(from)
	if c == nil || t.column(to) != nil {
		return refuse("Column[%s] does not exists, or %s does", from, to)
	}
	c.name = to
	return nil
}
