package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An account as a transaction has locked it.
type account struct{ id, balance, version int64 }

// A transfer is a transaction under way.
type transfer struct {
	*teller
	accounts []account
	delta    int64 // what the versions have grown by
}

var errRollback = errors.New("rolled back on purpose")

// transaction is the tellers' common work: between one and twenty operations on
// a few accounts, entered in the ledger.
func (t *teller) transaction() error {
	xid := ""
	if t.bank.plan.xa && t.r.IntN(6) == 0 {
		xid = fmt.Sprintf("'chaos%d'", t.bank.xids.Add(1))
		if err := t.all("XA START " + xid); err != nil {
			return err
		}
	} else if err := t.all("BEGIN"); err != nil {
		return err
	}
	err := t.fill()
	if err == nil && t.r.IntN(15) == 0 {
		err = errRollback
	}
	if xid != "" {
		err = t.endXA(xid, err)
	} else {
		err = t.end(err)
	}
	if err == nil {
		t.bank.done.Add(1)
	}
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

func (t *teller) end(err error) error {
	if err == nil {
		return t.all("COMMIT")
	}
	return errors.Join(t.all("ROLLBACK"), err)
}

// endXA leaves time between prepare and commit, so that the log holds other
// transactions between the two.
func (t *teller) endXA(xid string, err error) error {
	if e := t.all("XA END " + xid); e != nil {
		return e
	}
	if err != nil {
		return errors.Join(t.all("XA ROLLBACK "+xid), err)
	}
	if e := t.all("XA PREPARE " + xid); e != nil {
		return e
	}
	time.Sleep(rand64(t.r, 30*time.Millisecond))
	if t.r.IntN(5) == 0 {
		return errors.Join(t.all("XA ROLLBACK "+xid), errRollback)
	}
	return t.all("XA COMMIT " + xid)
}

func (t *teller) fill() error {
	w := &transfer{teller: t}
	if err := w.lock(); err != nil {
		return err
	}
	for range 1 + t.r.IntN(min(10, 1+t.r.IntN(20))) {
		if err := w.operation(); err != nil {
			return err
		}
	}
	if err := w.enter(); err != nil {
		return err
	}
	if t.r.IntN(3) == 0 {
		if err := t.pairs(); err != nil {
			return err
		}
	}
	if t.bank.keyless && t.r.IntN(3) == 0 {
		if err := t.keyless(); err != nil {
			return err
		}
	}
	if t.r.IntN(15) == 0 {
		low := 1 + t.r.Int64N(200)
		return t.compact(low, low+t.r.Int64N(60))
	}
	return nil
}

// lock reads a few accounts in the order of their keys, so that tellers seldom
// wait for each other in a circle.
func (w *transfer) lock() error {
	ids := make([]string, 3+w.r.IntN(6))
	for i := range ids {
		id := 1 + w.r.Int64N(int64(w.bank.plan.accounts))
		if w.r.IntN(3) == 0 { // one that came later
			id = 1 + w.r.Int64N(w.bank.nextID.Load())
		}
		ids[i] = fmt.Sprint(id)
	}
	res, err := w.conn.Execute("SELECT id, balance, version FROM accounts WHERE id IN (" + strings.Join(ids, ",") + ") ORDER BY id FOR UPDATE")
	if err != nil {
		return err
	}
	for i := range res.RowNumber() {
		var a account
		for j, p := range []*int64{&a.id, &a.balance, &a.version} {
			if *p, err = res.GetInt(i, j); err != nil {
				return err
			}
		}
		w.accounts = append(w.accounts, a)
	}
	if len(w.accounts) < 2 {
		return errRollback
	}
	return nil
}

// two picks two accounts.
func (w *transfer) two() (a, b *account) {
	i := w.r.IntN(len(w.accounts))
	j := (i + 1 + w.r.IntN(len(w.accounts)-1)) % len(w.accounts)
	return &w.accounts[i], &w.accounts[j]
}

// one changes one row, or tells that the bank's own picture is wrong.
func (w *transfer) one(format string, args ...any) error {
	n, err := w.exec(format, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("%s changed %d rows", fmt.Sprintf(format, args...), n)
		w.bank.odd.CompareAndSwap(nil, &err)
	}
	return err
}

func (w *transfer) operation() error {
	switch n := w.r.IntN(100); {
	case n < 8:
		return w.insert()
	case n < 14 && len(w.accounts) > 2:
		return w.remove()
	case n < 22:
		return w.rekey()
	case n < 25:
		return w.swap()
	case n < 29:
		return w.reinsert()
	case n < 33:
		return w.savepoint()
	case n < 35:
		return w.passing()
	}
	return w.transfer()
}

func (w *transfer) transfer() error {
	from, to := w.two()
	x := w.r.Int64N(500)
	if w.r.IntN(4) == 0 { // in one statement
		n, err := w.exec("UPDATE accounts SET balance = balance + IF(id = %d, %d, %d), version = version + 1 WHERE id IN (%d, %d)",
			to.id, x, -x, from.id, to.id)
		if err != nil || n != 2 {
			return errors.Join(err, errRollback)
		}
	} else {
		if err := w.one("UPDATE accounts SET balance = balance - %d, version = version + 1, note = %s WHERE id = %d", x, w.text(), from.id); err != nil {
			return err
		}
		if err := w.one("UPDATE accounts SET balance = balance + %d, version = version + 1, rate = %d / 3 WHERE id = %d", x, w.r.IntN(100), to.id); err != nil {
			return err
		}
	}
	from.balance, to.balance = from.balance-x, to.balance+x
	from.version, to.version = from.version+1, to.version+1
	w.delta += 2
	return nil
}

// insert opens an account with money of another.
func (w *transfer) insert() error {
	from, _ := w.two()
	a := account{id: w.bank.nextID.Add(1), balance: w.r.Int64N(300)}
	if err := w.one("UPDATE accounts SET balance = balance - %d, version = version + 1 WHERE id = %d", a.balance, from.id); err != nil {
		return err
	}
	from.balance, from.version = from.balance-a.balance, from.version+1
	w.delta++
	w.accounts = append(w.accounts, a)
	return w.one("INSERT INTO accounts VALUES (%d, %d, 0, %s, NULL)", a.id, a.balance, w.text())
}

// remove closes an account; another gets its money.
func (w *transfer) remove() error {
	gone, heir := w.two()
	if err := w.one("DELETE FROM accounts WHERE id = %d", gone.id); err != nil {
		return err
	}
	if err := w.one("UPDATE accounts SET balance = balance + %d, version = version + %d WHERE id = %d", gone.balance, gone.version+1, heir.id); err != nil {
		return err
	}
	heir.balance, heir.version = heir.balance+gone.balance, heir.version+gone.version+1
	w.delta++
	last := len(w.accounts) - 1
	*gone = w.accounts[last]
	w.accounts = w.accounts[:last]
	return nil
}

// rekey gives an account another key.
func (w *transfer) rekey() error {
	a, _ := w.two()
	id := w.bank.nextID.Add(1)
	if err := w.one("UPDATE accounts SET id = %d, version = version + 1 WHERE id = %d", id, a.id); err != nil {
		return err
	}
	a.id, a.version = id, a.version+1
	w.delta++
	return nil
}

// swap exchanges the keys of two accounts.
func (w *transfer) swap() error {
	a, b := w.two()
	for _, step := range [][2]int64{{-a.id, a.id}, {a.id, b.id}, {b.id, -a.id}} {
		if err := w.one("UPDATE accounts SET id = %d, version = version + 1 WHERE id = %d", step[0], step[1]); err != nil {
			return err
		}
	}
	a.id, b.id = b.id, a.id
	a.version, b.version = a.version+2, b.version+1
	w.delta += 3
	return nil
}

// reinsert deletes an account and brings it back with the same key.
func (w *transfer) reinsert() error {
	a, _ := w.two()
	if err := w.one("DELETE FROM accounts WHERE id = %d", a.id); err != nil {
		return err
	}
	a.version++
	w.delta++
	return w.one("INSERT INTO accounts VALUES (%d, %d, %d, %s, 1.5)", a.id, a.balance, a.version, w.text())
}

// savepoint does things that are undone before the commit.
func (w *transfer) savepoint() error {
	a, b := w.two()
	return w.all("SAVEPOINT s",
		fmt.Sprintf("UPDATE accounts SET balance = balance + 7 WHERE id = %d", a.id),
		fmt.Sprintf("DELETE FROM accounts WHERE id = %d", b.id),
		"INSERT INTO ledger (account, amount, delta, memo) VALUES (1, 7, 100, 'undone')",
		"ROLLBACK TO s")
}

// passing is an account that nobody ever sees.
func (w *transfer) passing() error {
	id := w.bank.nextID.Add(1)
	if err := w.one("INSERT INTO accounts VALUES (%d, 12345, 99, 'passing', NULL)", id); err != nil {
		return err
	}
	return w.one("DELETE FROM accounts WHERE id = %d", id)
}

// enter writes the transaction into the ledger.
func (w *transfer) enter() error {
	a, b := w.two()
	x := w.r.IntN(1000)
	_, err := w.exec("INSERT INTO ledger (account, amount, delta, memo) VALUES (%d, %d, %d, %s), (%d, %d, 0, %s)",
		a.id, x, w.delta, w.text(), b.id, -x, w.text())
	return err
}

// compact replaces rows of the ledger by one with their sums. Other tellers may
// add rows between them meanwhile: then it is not done.
func (t *teller) compact(low, high int64) error {
	res, err := t.conn.Execute(fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(amount),0), COALESCE(SUM(delta),0) FROM ledger WHERE seq BETWEEN %d AND %d FOR UPDATE", low, high))
	if err != nil {
		return err
	}
	var sums [3]int64
	for i := range sums {
		if sums[i], err = res.GetInt(0, i); err != nil {
			return err
		}
	}
	if sums[0] == 0 {
		return nil
	}
	n, err := t.exec("DELETE FROM ledger WHERE seq BETWEEN %d AND %d", low, high)
	if err != nil {
		return err
	}
	if n != sums[0] {
		return errRollback
	}
	_, err = t.exec("INSERT INTO ledger (account, amount, delta, memo) VALUES (0, %d, %d, 'sum of %d')", sums[1], sums[2], n)
	return err
}

// pairs changes the table whose key is two columns, one of them with a collation
// in which different texts are the same key.
func (t *teller) pairs() error {
	names := []string{"Ann", "ANN", "ann", "bob", "Bób", "Čeněk", "cenek", "Dora", "it''s", "x y", "", "Straße", "STRASSE"}
	a, b := names[t.r.IntN(len(names))], t.r.IntN(4)
	v := t.r.Int64N(1e12)
	var err error
	switch t.r.IntN(5) {
	case 0:
		_, err = t.exec("REPLACE INTO pairs VALUES ('%s', %d, %d)", a, b, v)
	case 1:
		_, err = t.exec("DELETE FROM pairs WHERE a = '%s' AND b = %d", a, b)
	case 2: // the same key, spelled as now
		_, err = t.exec("UPDATE pairs SET a = '%s', v = %d WHERE a = '%s' AND b = %d", a, v, a, b)
	case 3: // another key, if it is free
		_, err = t.exec("UPDATE IGNORE pairs SET b = %d WHERE a = '%s' AND b = %d", (b+1)%5, a, b)
	default:
		_, err = t.exec("INSERT INTO pairs VALUES ('%s', %d, %d) ON DUPLICATE KEY UPDATE v = VALUES(v)", a, b, v)
	}
	return err
}

func (t *teller) keyless() error {
	v := t.r.IntN(5)
	var err error
	switch t.r.IntN(4) {
	case 0:
		_, err = t.exec("DELETE FROM loose WHERE v = %d LIMIT 2", v)
	case 1:
		_, err = t.exec("UPDATE loose SET s = %s WHERE v = %d LIMIT 3", "'u'", v)
	default:
		_, err = t.exec("INSERT INTO loose VALUES (%d, 's%d'), (%d, NULL)", v, t.r.IntN(3), v)
	}
	return err
}

// bigTransaction changes thousands of rows at once.
func (t *teller) bigTransaction() error {
	if err := t.all("BEGIN"); err != nil {
		return err
	}
	n := t.bank.plan.bigRows
	var err error
	if t.r.IntN(2) == 0 {
		var grown int64
		if grown, err = t.exec("UPDATE accounts SET version = version + 1, note = CONCAT(%s, id) ORDER BY id", t.text()); err == nil {
			_, err = t.exec("INSERT INTO ledger (account, amount, delta, memo) VALUES (0, 0, %d, 'all')", grown)
		}
	}
	if err == nil {
		_, err = t.exec("INSERT INTO ledger (account, amount, delta, memo) WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM s WHERE n<%d)"+
			" SELECT n, IF(n %% 2, 1, -1) * (n DIV 2), 0, REPEAT('big ', n %% 60) FROM s", n/2*2+1)
	}
	if err == nil && t.r.IntN(3) == 0 {
		_, err = t.exec("UPDATE ledger SET memo = CONCAT('m', seq) WHERE seq %% 3 = 0")
	}
	if err == nil && t.r.IntN(3) == 0 {
		err = t.compact(1, 1<<40)
	}
	if err == nil && t.r.IntN(8) == 0 {
		err = errRollback
	}
	if err = t.end(err); err == nil {
		t.bank.done.Add(1)
	}
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}
