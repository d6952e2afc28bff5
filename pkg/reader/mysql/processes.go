package mysql

import (
	"context"
	"fmt"
	"math"
)

// A process is a line of SHOW PROCESSLIST.
type process struct {
	id                   uint64
	command, state, info string
	seconds              uint64 // in this state
}

// processes lists the server's threads, without PROCESS those of this user alone.
// information_schema.processlist would not do: while a statement runs anywhere that
// holds a letter of four bytes, an emoji for one, MySQL 9.7 answers every question for
// it by error 3854, as that table's texts have three.
func (c *conn) processes(ctx context.Context) ([]process, error) {
	rows, err := c.query(ctx, "SHOW FULL PROCESSLIST")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all := make([]process, 0, len(rows))
	for _, r := range rows { // Id, User, Host, db, Command, Time, State, Info; MariaDB: Progress
		p := process{id: number(r[0]), command: r[4], seconds: number(r[5]), state: r[6], info: r[7]}
		if p.seconds > math.MaxInt64 {
			p.seconds = 0 // less than none: it has begun by a clock that is milliseconds ahead of the list's
		}
		all = append(all, p)
	}
	return all, nil
}

// erCannotConvertString is what innodb_trx is answered by, as said above.
const erCannotConvertString = 3854
