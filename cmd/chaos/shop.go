package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// A shop has tables of many kinds beside those of a bank, large enough to be cut into
// splits, and clerks who change them while the bank's tellers move money. What holds
// in every state that a transaction leaves behind:
//
//	sum(slips.v) = 0
type shop struct {
	*bank
	rows   int  // of orders; the others have as many, more or less
	clerks int  // connections
	still  bool // slips is left alone
}

// stock is what the shop adds to the bank's tables: of keys of one number, of two
// columns, and of text, of wide rows, of none, and without a key.
func (s *shop) stock() []tableSpec {
	return []tableSpec{
		{"orders", []string{"id", "customer", "total", "placed", "note"}, []string{"id"}},
		{"lines", []string{"order_id", "line", "sku", "n"}, []string{"order_id", "line"}},
		{"names", []string{"code", "v"}, []string{"code"}},
		{"wide", []string{"id", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "body"}, []string{"id"}},
		{"vacant", []string{"id", "v"}, []string{"id"}},
		{"slips", []string{"v", "s"}, nil},
	}
}

func (s *shop) tables() []tableSpec { return append(s.bank.tables(), s.stock()...) }

// open makes the database anew.
func (s *shop) open(ctx context.Context) error {
	if err := s.bank.open(ctx); err != nil {
		return err
	}
	conn, err := s.connect(ctx, s.db)
	if err != nil {
		return err
	}
	defer conn.Close()
	set, _ := s.session()
	return execute(conn, set,
		"CREATE TABLE orders (id BIGINT PRIMARY KEY, customer INT NOT NULL, total DECIMAL(12,2), placed DATETIME, note VARCHAR(200))",
		"CREATE TABLE `lines` (order_id BIGINT, line SMALLINT UNSIGNED, sku VARCHAR(40), n INT, PRIMARY KEY (order_id, line))",
		"CREATE TABLE names (code VARCHAR(60) PRIMARY KEY, v INT)",
		"CREATE TABLE wide (id INT PRIMARY KEY, c1 INT, c2 INT, c3 BIGINT UNSIGNED, c4 VARCHAR(40), c5 VARCHAR(40), c6 DATE, c7 TINYINT, c8 TEXT, body MEDIUMTEXT)",
		"CREATE TABLE vacant (id INT PRIMARY KEY, v VARCHAR(10))",
		"CREATE TABLE slips (v INT, s VARCHAR(40))",
		fmt.Sprintf("INSERT INTO orders %s SELECT n * 10, n %% 97, n / 3, '2026-01-01' + INTERVAL n MINUTE, IF(n %% 7, CONCAT('order ', n), NULL) FROM s", numbers(s.rows)),
		fmt.Sprintf("INSERT INTO `lines` %s SELECT n DIV 3 * 10, n %% 3, CONCAT('sku-', n %% 1000), n %% 9 FROM s", numbers(s.rows)),
		fmt.Sprintf("INSERT INTO names %s SELECT CONCAT(IF(n %% 2, 'k', 'Ž'), LEFT(SHA2(n, 256), 32)), n FROM s", numbers(s.rows/2)),
		fmt.Sprintf("INSERT INTO wide %s SELECT n * 4, n, -n, n * 1000003, LEFT(SHA2(n, 256), 32), NULL, '2026-01-01' + INTERVAL n DAY, n %% 100, REPEAT('t', n %% 50), REPEAT(LEFT(SHA2(n, 256), 32), 10 + n %% 300) FROM s", numbers(s.rows/20)),
		fmt.Sprintf("INSERT INTO slips %s SELECT IF(n %% 2, 1, -1) * (n + n %% 2), CONCAT('slip ', n DIV 2) FROM s", numbers(s.rows/10*2)),
		"ANALYZE TABLE accounts, orders, `lines`, names, wide, slips",
	)
}

// run works until ctx ends.
func (s *shop) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.bank.run(ctx) })
	for i := range s.clerks {
		t := &teller{bank: s.bank, r: rand.New(rand.NewPCG(s.seed, uint64(100+i))), other: s.serve}
		all.Go(func() { t.work(ctx) })
	}
	all.Wait()
}

// serve is a transaction of a clerk: a few changes all over the tables.
func (s *shop) serve(t *teller) error {
	if err := t.all("BEGIN"); err != nil {
		return err
	}
	var err error
	for range 1 + t.r.IntN(6) {
		if err == nil {
			err = s.change(t)
		}
	}
	if err == nil && t.r.IntN(15) == 0 {
		err = errRollback
	}
	if err = t.end(err); err == nil {
		s.done.Add(1)
	}
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

func (s *shop) change(t *teller) (err error) {
	// Keys are tens from the start: there is room for others between them.
	id, near := 1+t.r.IntN(s.rows*10), t.r.IntN(40)
	switch t.r.IntN(12) {
	case 0:
		_, err = t.exec("INSERT IGNORE INTO orders VALUES (%d, 0, %d, NOW(), %s)", id, id%1000, t.text())
	case 1:
		_, err = t.exec("DELETE FROM orders WHERE id BETWEEN %d AND %d", id, id+near)
	case 2, 3: // to a place that another split has
		_, err = t.exec("UPDATE IGNORE orders SET id = %d, note = %s WHERE id BETWEEN %d AND %d LIMIT 1", 1+t.r.IntN(s.rows*10), t.text(), id, id+10)
	case 4:
		_, err = t.exec("UPDATE orders SET total = total + 1, customer = %d WHERE id BETWEEN %d AND %d", id%97, id, id+near)
	case 5:
		_, err = t.exec("INSERT INTO `lines` VALUES (%d, %d, 'new', 1) ON DUPLICATE KEY UPDATE n = VALUES(n) + n", id, t.r.IntN(4))
	case 6:
		_, err = t.exec("UPDATE IGNORE `lines` SET order_id = %d WHERE order_id = %d AND line = 1", id, id/10*10)
	case 7:
		_, err = t.exec("DELETE FROM `lines` WHERE order_id BETWEEN %d AND %d", id, id+near)
	case 8:
		_, err = t.exec("UPDATE IGNORE names SET code = CONCAT('m', LEFT(SHA2(%d, 256), 32)) WHERE code >= LEFT(SHA2(%d, 256), 32) ORDER BY code LIMIT 1", t.r.IntN(1e6), id)
	case 9:
		_, err = t.exec("REPLACE INTO names VALUES (CONCAT('K', UPPER(LEFT(SHA2(%d, 256), 32))), %d)", 1+t.r.IntN(s.rows), id)
	case 10:
		_, err = t.exec("INSERT INTO wide (id, c1, body) VALUES (%d, 1, REPEAT('w', %d)) ON DUPLICATE KEY UPDATE c1 = c1 + 1, c5 = %s", 1+id%(s.rows/5), 1+t.r.IntN(3000), t.text())
	default:
		err = s.slip(t)
	}
	return err
}

// slip changes the table that has no key, and leaves its sum as it was.
func (s *shop) slip(t *teller) (err error) {
	if s.still {
		return nil
	}
	switch v := 1 + t.r.IntN(s.rows); t.r.IntN(3) {
	case 0:
		_, err = t.exec("INSERT INTO slips VALUES (%d, 'in'), (%d, 'out')", v, -v)
	case 1:
		_, err = t.exec("UPDATE slips SET v = -v WHERE ABS(v) = %d", v)
	default:
		_, err = t.exec("UPDATE slips SET s = %s WHERE ABS(v) = %d", t.text(), v)
	}
	return err
}
