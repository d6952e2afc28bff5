package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/go-mysql-org/go-mysql/client"
	"golang.org/x/sync/errgroup"
)

// A part is what a child process of the bench is told: which case, and where.
type part struct {
	caseName    string
	addr        string
	rows        int64
	connections int
	out         string // folder for files
}

// args is the command line that parsePart understands.
func (p part) args(command string) []string {
	return []string{
		command, "-case", p.caseName, "-addr", p.addr, "-rows", fmt.Sprint(p.rows),
		"-connections", fmt.Sprint(p.connections), "-out", p.out,
	}
}

func parsePart(args []string) (*part, *benchCase, error) {
	var p part
	flags := flag.NewFlagSet("bench part", flag.ContinueOnError)
	flags.StringVar(&p.caseName, "case", "", "")
	flags.StringVar(&p.addr, "addr", "", "")
	flags.Int64Var(&p.rows, "rows", 0, "")
	flags.IntVar(&p.connections, "connections", 1, "")
	flags.StringVar(&p.out, "out", "", "")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	c, err := findCase(p.caseName)
	return &p, c, err
}

// openPart is parsePart with a connection to the part's server.
func openPart(ctx context.Context, args []string) (*part, *benchCase, *client.Conn, error) {
	p, c, err := parsePart(args)
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := connect(ctx, p.addr, "")
	return p, c, conn, err
}

// A report is what a child prints as one line of JSON.
type report struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"` // drain: on the wire; throwaway: of its files
}

// scan runs read on each of as many key ranges as there are connections, at
// once, and prints the report of all.
func scan(ctx context.Context, args []string, stdout io.Writer,
	read func(ctx context.Context, p *part, c *benchCase, i int, query string) (report, error),
) error {
	p, c, err := parsePart(args)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, p.addr, database(p.rows))
	if err != nil {
		return err
	}
	where, err := ranges(conn, c.table, p.connections)
	conn.Close()
	if err != nil {
		return err
	}
	reports := make([]report, len(where))
	group, ctx := errgroup.WithContext(ctx)
	for i := range where {
		group.Go(func() (err error) {
			reports[i], err = read(ctx, p, c, i, "SELECT * FROM "+c.table+" WHERE "+where[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var sum report
	for _, r := range reports {
		sum.Rows += r.Rows
		sum.Bytes += r.Bytes
	}
	return json.NewEncoder(stdout).Encode(sum)
}
