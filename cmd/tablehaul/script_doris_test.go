package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// dorisPassword is that of the user root of clusters in scripts.
const dorisPassword = "d0ris"

// doris starts a cluster that ends with the script, which has its URL in DORIS, up to the
// database.
func (s *script) doris() {
	s.t.Helper()
	c, err := doristest.Start(doristest.Options{Frontends: 2, Backends: 2, Password: dorisPassword})
	s.check(err)
	s.t.Cleanup(func() { s.check(c.Close()) })
	s.cluster = c
	_, port, err := net.SplitHostPort(c.SQL())
	s.check(err)
	_, other, _ := net.SplitHostPort(s.getenv("HOST")) // which speaks the same protocol; "" where a script has none
	s.env = append(s.env, "NODORIS=query-port="+other, "DORIS=doris://root@"+strings.Join(c.Frontends(), ","), "QUERY=query-port="+port, "TABLEHAUL_DORIS_PASSWORD="+dorisPassword)
}

// dorisSQL prints what a statement returns, a line a row, with blanks between.
func (s *script) dorisSQL(statement string) {
	s.t.Helper()
	conn, err := client.Connect(s.cluster.SQL(), "root", dorisPassword, "")
	s.check(err)
	defer conn.Close()
	res, err := conn.Execute(statement)
	s.check(err)
	s.stdout.Reset()
	if res.Resultset == nil {
		return
	}
	for i := range res.RowNumber() {
		values := make([]string, res.ColumnNumber())
		for j := range values {
			if values[j], err = res.GetString(i, j); err == nil && values[j] == "" {
				if null, _ := res.IsNull(i, j); null {
					values[j] = "NULL"
				}
			}
			s.check(err)
		}
		fmt.Fprintln(s.stdout, strings.Join(values, " "))
	}
}
