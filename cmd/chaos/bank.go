package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// opening is the balance of each account when the bank opens.
const opening = 1000

// A bank is the workload: tellers who move money within transactions. What
// holds in every state that a transaction leaves behind:
//
//	sum(accounts.balance) = total
//	sum(accounts.version) = sum(ledger.delta)
//	sum(ledger.amount)    = 0
type bank struct {
	plan    bankPlan
	seed    uint64
	addr    string
	db      string
	maria   bool
	keyless bool
	lasting bool         // scratch is never emptied by TRUNCATE
	nextID  atomic.Int64 // of accounts
	xids    atomic.Int64
	done    atomic.Int64 // transactions committed
	odd     atomic.Pointer[error]
	made    func(*client.Conn) error // if set: the tables are there, and nothing in them
}

func newBank(p bankPlan, seed uint64, s *server) *bank {
	// A name of this run alone: REST catalogs remember those of earlier calls.
	db := fmt.Sprintf("chaos_%d_%d", seed, time.Now().UnixMilli()%1e9)
	return &bank{plan: p, seed: seed, addr: s.addr, db: db, maria: s.service == mariadb}
}

// session has statements of any depth of recursion, and a collation for which
// different texts can be the same key.
func (b *bank) session() (set, collation string) {
	if b.maria {
		return "SET SESSION max_recursive_iterations=1000000", "utf8mb4_unicode_ci"
	}
	return "SET SESSION cte_max_recursion_depth=1000000", "utf8mb4_0900_ai_ci"
}

// numbers is a common table s with the numbers n from 1 on.
func numbers(n int) string {
	return fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n<%d)", n)
}

func (b *bank) total() int64 { return int64(b.plan.accounts) * opening }

// A column list and key of each table: what the checker compares by.
type tableSpec struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Key     []string `json:"key"`
}

func (b *bank) tables() []tableSpec {
	specs := []tableSpec{
		{"accounts", []string{"id", "balance", "version", "note", "rate"}, []string{"id"}},
		{"ledger", []string{"seq", "account", "amount", "delta", "memo"}, []string{"seq"}},
		{"scratch", []string{"id", "v"}, []string{"id"}},
		{"idle", []string{"id", "v"}, []string{"id"}},
		{"pairs", []string{"a", "b", "v"}, []string{"a", "b"}},
	}
	if b.keyless {
		specs = append(specs, tableSpec{"loose", []string{"v", "s"}, nil})
	}
	return specs
}

func (b *bank) connect(ctx context.Context, db string) (*client.Conn, error) {
	return client.ConnectWithContext(ctx, b.addr, "root", "", db, 5*time.Second)
}

// open makes the database anew.
func (b *bank) open(ctx context.Context) error {
	conn, err := b.connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	set, collation := b.session()
	b.nextID.Store(int64(b.plan.accounts))
	statements := []string{
		set,
		"DROP DATABASE IF EXISTS " + b.db,
		"CREATE DATABASE " + b.db + " CHARACTER SET utf8mb4 COLLATE " + collation,
		"USE " + b.db,
		"CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, version BIGINT NOT NULL, note VARCHAR(200), rate DECIMAL(12,4))",
		"CREATE TABLE ledger (seq BIGINT AUTO_INCREMENT PRIMARY KEY, account BIGINT NOT NULL, amount BIGINT NOT NULL, delta BIGINT NOT NULL, memo VARCHAR(300))",
		"CREATE TABLE scratch (id INT PRIMARY KEY, v VARCHAR(100))",
		"CREATE TABLE idle (id INT PRIMARY KEY, v VARCHAR(100))",
		"CREATE TABLE pairs (a VARCHAR(40), b INT, v BIGINT, PRIMARY KEY (a, b))",
		"CREATE TABLE loose (v INT, s VARCHAR(40))",
	}
	if !b.keyless {
		statements = statements[:len(statements)-1]
	}
	if err := execute(conn, statements...); err != nil {
		return err
	}
	if b.made != nil {
		if err := b.made(conn); err != nil {
			return err
		}
	}
	statements = []string{
		fmt.Sprintf("INSERT INTO accounts %s SELECT n, %d, 0, CONCAT('opened ', n), n/7 FROM s", numbers(b.plan.accounts), opening),
		"INSERT INTO idle VALUES (1, 'one'), (2, NULL), (3, '')",
		"INSERT INTO scratch VALUES (1, 'old')",
		"INSERT INTO pairs VALUES ('Ann', 1, 1), ('bob', 1, 2), ('Čeněk', 2, 3)",
	}
	if b.keyless {
		statements = append(statements, "INSERT INTO loose VALUES (1,'x'),(1,'x'),(NULL,NULL)")
	}
	return execute(conn, statements...)
}

func execute(conn *client.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Execute(s); err != nil {
			return fmt.Errorf("%.120s: %w", s, err)
		}
	}
	return nil
}

// run works until ctx ends, and through crashes of the server.
func (b *bank) run(ctx context.Context) {
	var tellers sync.WaitGroup
	opened := time.Now()
	for i := range b.plan.tellers {
		t := &teller{bank: b, r: rand.New(rand.NewPCG(b.seed, uint64(i))), scratch: i == 0}
		if i == b.plan.tellers-1 {
			t.big, t.opened = b.plan.big, opened
		}
		tellers.Go(func() { t.work(ctx) })
	}
	tellers.Wait()
}

// settle rolls back what a crash has left prepared.
func (b *bank) settle(conn *client.Conn) error {
	prepared, err := conn.Execute("XA RECOVER")
	if err != nil {
		return err
	}
	for i := range prepared.RowNumber() {
		xid, err := prepared.GetString(i, 3)
		if err != nil {
			return err
		}
		if err := execute(conn, "XA ROLLBACK '"+xid+"'"); err != nil {
			return err
		}
	}
	return nil
}

// A teller is one connection's work.
type teller struct {
	bank    *bank
	r       *rand.Rand
	conn    *client.Conn
	scratch bool
	other   func(*teller) error // what it does instead of a bank's work; nil: nothing
	big     []time.Duration
	opened  time.Time
}

func (t *teller) work(ctx context.Context) {
	defer func() {
		if t.conn != nil {
			t.conn.Close()
		}
	}()
	for ctx.Err() == nil {
		if t.conn == nil && !t.reconnect(ctx) {
			sleep(ctx, 50*time.Millisecond)
			continue
		}
		if err := t.next(); err != nil {
			// A deadlock, a lock that was waited for too long, a server that was
			// killed: the transaction is undone by the server, or was done whole.
			t.conn.Close()
			t.conn = nil
			continue
		}
		sleep(ctx, rand64(t.r, t.bank.plan.pause))
	}
}

func (t *teller) reconnect(ctx context.Context) bool {
	conn, err := t.bank.connect(ctx, t.bank.db)
	if err != nil {
		return false
	}
	set, _ := t.bank.session()
	if err := execute(conn, set, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION innodb_lock_wait_timeout=2, lock_wait_timeout=2"); err != nil {
		conn.Close()
		return false
	}
	t.conn = conn
	return true
}

func (t *teller) next() error {
	if t.other != nil {
		return t.other(t)
	}
	if len(t.big) > 0 && time.Since(t.opened) > t.big[0] {
		t.big = t.big[1:]
		return t.bigTransaction()
	}
	if t.scratch && t.r.IntN(6) == 0 {
		return t.scribble()
	}
	return t.transaction()
}

// exec runs a statement and returns how many rows it has changed.
func (t *teller) exec(format string, args ...any) (int64, error) {
	res, err := t.conn.Execute(fmt.Sprintf(format, args...))
	if err != nil {
		return 0, err
	}
	return int64(res.AffectedRows), nil
}

// all runs statements.
func (t *teller) all(statements ...string) error { return execute(t.conn, statements...) }

// text is a value for a note: NULL, short, long, or hard to quote.
func (t *teller) text() string {
	switch t.r.IntN(8) {
	case 0:
		return "NULL"
	case 1:
		return "''"
	case 2:
		return fmt.Sprintf("'%s'", strings.Repeat("long ", 1+t.r.IntN(38)))
	case 3:
		return `'it''s "quoted", ütf8 🚀\n'`
	default:
		return fmt.Sprintf("'note %d'", t.r.IntN(1e6))
	}
}

// scribble changes the table that is emptied now and then.
func (t *teller) scribble() error {
	if t.r.IntN(5) == 0 {
		if t.bank.lasting {
			return t.all("DELETE FROM scratch")
		}
		return t.all("TRUNCATE scratch")
	}
	for range 1 + t.r.IntN(4) {
		id := t.r.IntN(40)
		_, err := t.exec("INSERT INTO scratch VALUES (%d, %s) ON DUPLICATE KEY UPDATE v = VALUES(v)", id, t.text())
		if t.r.IntN(4) == 0 && err == nil {
			_, err = t.exec("DELETE FROM scratch WHERE id = %d", t.r.IntN(40))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
