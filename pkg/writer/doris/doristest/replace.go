package doristest

func (s *session) dropTable(p *parser) error {
	exists := p.is("IF", "EXISTS")
	db, name, err := p.tableName(s.db)
	if err != nil {
		return err
	}
	d, err := s.c.database(db)
	switch {
	case err != nil:
		return err
	case d.tables[name] == nil && !exists:
		return refuse("Unknown table '%s'", name)
	}
	d.drop(d.tables[name])
	return nil
}

// drop forgets a table, if it is one, and aborts what is under way into it.
func (d *database) drop(t *table) {
	if t == nil {
		return
	}
	delete(d.tables, t.name)
	for _, x := range d.txns {
		switch {
		case x.table != t:
			continue
		case x.state == precommitted:
			x.rows = nil
		case x.state != prepare: // its rows are the load's, which sees how it went
			continue
		}
		x.why = "table is dropped"
		x.become(aborted)
	}
}

// renameTable is ALTER TABLE … RENAME.
func (s *session) renameTable(p *parser, db string, t *table) error {
	to, err := p.name()
	if err == nil {
		err = s.checkTable(to)
	}
	if err != nil {
		return err
	}
	d := s.c.dbs[db]
	if d.tables[to] != nil {
		return refuse("Table name[%s] is already used", to)
	}
	delete(d.tables, t.name)
	t.name, d.tables[to] = to, t
	return nil
}

// replaceTable is ALTER TABLE … REPLACE WITH TABLE: both tables change their names in one
// step, and unless they are swapped, the old one goes.
func (s *session) replaceTable(p *parser, db string, t *table) error {
	other, err := p.name()
	if err != nil {
		return err
	}
	swap := true
	if p.is("PROPERTIES") {
		props, err := p.properties()
		if err != nil {
			return err
		}
		swap = props["swap"] != "false"
	}
	n, err := s.c.table(db, other)
	if err != nil {
		return err
	}
	d := s.c.dbs[db]
	t.name, n.name = n.name, t.name
	d.tables[n.name], d.tables[t.name] = n, t
	if !swap {
		d.drop(t)
	}
	return nil
}
