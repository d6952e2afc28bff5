package expr_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

var _ move.Source = (*mysql.Stock)(nil)

// values are those of the test's tables, by column. Each row takes one of each.
var values = []struct{ name, native, list string }{
	{"i", "int", "NULL,0,1,-1,2147483647,-2147483648,7,42,13"},
	{"u", "bigint unsigned", "NULL,0,1,18446744073709551615,9223372036854775808,10,3"},
	{"b", "bigint", "NULL,0,-9223372036854775807,9223372036854775807,5,-5"},
	{"d", "decimal(30,6)", "NULL,0,1.5,-1.5,2.5,99999999999999999999.999999,-0.000001,12345.678901"},
	{"f", "double", "NULL,0,1.5,-2.25,1e20,-1e-7,0.1"},
	{"s", "varchar(40)", "NULL,'','a','A','abc','ABC ','  pad  ','naïve','ÄÖÜ','ß','日本語','12abc','3.7','a_c','100%','x''y','😀'"},
	{"n", "varchar(40) COLLATE utf8mb4_bin", "NULL,'','a','A','abc','ABC','Straße'"},
	{"l", "varchar(40) CHARACTER SET latin1", "NULL,'','a','É','abc','ÿ'"},
	{"e", "enum('paid','open','Ünpaid')", "NULL,'paid','open','Ünpaid'"},
	{"y", "varbinary(20)", "NULL,'',X'00FF','abc','ABC'"},
	{"t", "datetime(6)", "NULL,'2020-01-01 00:00:00','1999-12-31 23:59:59.999999','2024-02-29 12:34:56.5','2023-07-15 08:00:01'"},
	{"z", "date", "NULL,'2020-01-01','1999-12-31','2024-02-29','0001-01-01','9999-12-31'"},
}

// gone are functions that MySQL has in a component alone, since 9.6.
var gone = regexp.MustCompile(`\b(md5|sha|sha1)\(`)

var agreed = []string{
	"i+1", "d-u", "octet_length(s)", "character_length(s)", "sha(s)", "i*2", "i/3", "i DIV 3", "i % 5", "-i", "b+0", "d+1", "d*2", "d/7", "d-i", "f*2", "f/4", "f+d",
	"i=1", "i<>1", "i<=>NULL", "i<u", "u>b", "d>=1.5", "f<0.5", "i=d", "i IN (1,7,NULL)", "i NOT IN (1,7)", "i BETWEEN 0 AND 10", "i IS NULL", "i IS NOT NULL", "i IS TRUE",
	"s='abc'", "s='A'", "s<>'a'", "s<'b'", "s>='abc'", "s LIKE 'a%'", "s LIKE '%B%'", "s LIKE '%a%'", "n LIKE '%B%'", "n LIKE 'A%'", "s NOT LIKE '%a%'", "s IN ('A','abc')", "s BETWEEN 'a' AND 'b'", "s=n", "s IS NULL", "s='naive'", "s='SS'",
	"n='a'", "n<'a'", "n LIKE 'A%'", "n='Straße'", "e='paid'", "e='PAID'", "e<>'open'", "e IN ('open','paid')", "e IS NULL", "e LIKE 'p%'",
	"y='abc'", "y<'b'", "t>'2020-01-01'", "t='2024-02-29 12:34:56.5'", "t BETWEEN '2000-01-01' AND '2024-01-01'", "z<'2020-01-01'", "z='2024-02-29'", "z=t", "t IS NULL",
	"i AND u", "i OR u", "NOT i", "i XOR u", "i=1 OR s='a' AND u>3", "NOT (s='a')", "!i",
	"sha256(s)", "sha2(s,512)", "sha2(i,256)", "md5(s)", "md5(l)", "sha1(y)", "sha256(l)", "sha2(concat('salt',s),256)", "crc32(s)",
	"concat(s,'-',n)", "concat(i,':',s)", "concat(d,'')", "concat_ws(',',s,n,i)", "concat(t,'')", "concat(z,'x')", "concat(f,'')", "concat(l,s)",
	"substring(s,2)", "substring(s,2,2)", "substr(s,-2)", "mid(s,1,1)", "left(s,2)", "right(s,2)", "lower(s)", "upper(s)", "lcase(s)", "ucase(l)", "length(s)", "char_length(s)", "trim(s)", "ltrim(s)", "rtrim(s)", "trim(BOTH 'a' FROM s)", "replace(s,'a','zz')", "reverse(s)", "hex(s)", "hex(i)", "hex(y)", "hex(l)",
	"coalesce(i,0)", "coalesce(s,n,'none')", "ifnull(s,'none')", "ifnull(d,0)", "nullif(i,1)", "nullif(s,'a')", "if(i>0,'pos','neg')", "if(s='a',i,u)", "isnull(s)",
	"case when i>0 then 'p' when i<0 then 'n' else 'z' end", "case s when 'a' then 1 when 'abc' then 2 end", "case e when 'paid' then i else 0 end",
	"abs(i)", "abs(d)", "abs(f)", "sign(d)", "mod(i,4)", "floor(d)", "ceil(d)", "ceiling(f)", "floor(f)", "round(d)", "round(d,2)", "round(i,-1)", "truncate(d,2)", "truncate(i,-1)", "round(d,-2)",
	"year(t)", "month(t)", "day(t)", "dayofmonth(z)", "dayofweek(z)", "dayofyear(z)", "hour(t)", "minute(t)", "second(t)", "quarter(z)", "weekday(z)", "date(t)", "date(z)", "year(z)=2024",
	"cast(i as decimal(20,2))", "cast(d as signed)", "cast(i as unsigned)", "cast(s as signed)", "cast(t as date)", "cast(f as decimal(20,4))", "cast(d as decimal(12,2))",
	"s COLLATE utf8mb4_bin = 'a'", "n COLLATE utf8mb4_general_ci = 'A'",
}

func client(t *testing.T, env, sql string) string {
	t.Helper()
	url := services.Env(t, env)
	_, host, _ := strings.Cut(url, "@")
	addr, port, _ := strings.Cut(host, ":")
	cmd := exec.Command(services.Env(t, env+"_CLIENT"), "-uroot", "-h"+addr, "-P"+port, "-N", "-B", "--raw")
	cmd.Stdin = strings.NewReader(sql)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
	return string(out)
}

// TestServers has every function and operator that is allowed evaluated by both servers too.
func TestServers(t *testing.T) {
	for _, env := range []string{"TABLEHAUL_TEST_MYSQL", "TABLEHAUL_TEST_MARIADB"} {
		t.Run(env, func(t *testing.T) {
			t.Parallel()
			compare(t, env)
		})
	}
	t.Run("all", func(t *testing.T) {
		text := strings.Join(agreed, "\n")
		for _, f := range expr.Functions {
			if !regexp.MustCompile(`(?i)\b` + f + `\(`).MatchString(text) {
				t.Errorf("%s() is allowed and not compared", f)
			}
		}
	})
}

func compare(t *testing.T, env string) {
	db := "expr_test"
	var cols []string
	most := 0
	for _, v := range values {
		cols = append(cols, v.name+" "+v.native)
		most = max(most, len(strings.Split(v.list, ",")))
	}
	sql := "SET NAMES utf8mb4; DROP DATABASE IF EXISTS " + db + "; CREATE DATABASE " + db + " CHARACTER SET utf8mb4; USE " + db + "; CREATE TABLE v (k INT AUTO_INCREMENT PRIMARY KEY, " + strings.Join(cols, ", ") + ");\n"
	const rows = 120
	for r := range rows {
		var row []string
		for c, v := range values {
			list := strings.Split(v.list, ",")
			row = append(row, list[(r*(c+1)+r/len(list))%len(list)])
		}
		sql += "INSERT INTO v VALUES (NULL," + strings.Join(row, ",") + ");\n"
	}
	engine, table, have := loaded(t, env, db, sql)
	bad := 0
	for _, text := range agreed {
		if gone.MatchString(text) && strings.HasSuffix(env, "MYSQL") {
			continue
		}
		x, err := engine.Compile(text, table)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		wrap := "HEX(CONVERT(CONCAT(x) USING utf8mb4))"
		switch {
		case strings.HasPrefix(x.Native, "decimal"):
			wrap = "CAST(x AS " + x.Native + ")" // of 38 digits
		case x.Native == "longblob":
			wrap = "HEX(x)"
		case x.Native == "double":
			wrap = "x"
		}
		inner := regexp.MustCompile(`sha256\((.*)\)`).ReplaceAllString(text, "sha2($1,256)")
		out := client(t, env, "SET NAMES utf8mb4; SET SESSION time_zone='+00:00', sql_mode=''; USE "+db+"; SELECT "+wrap+" FROM (SELECT k, ("+inner+") x FROM v) q ORDER BY k")
		want := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(want) != rows {
			t.Errorf("%s: %d rows", text, len(want))
			continue
		}
		r := x.Rows()
		r.Take(have)
		col, err := batch.NewColumn(x.Type.Arrow(), memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		wrong := ""
		for i := range rows {
			if err := r.Append(i, col); err != nil {
				wrong = err.Error()
				break
			}
			a := batch.Array(col, 1)
			if got := shown(a, x.Native); got != want[i] && !sameFloat(x.Native, got, want[i]) {
				wrong = fmt.Sprintf("row %d: %s, the server %s (%s)", i, got, want[i], x.Native)
			}
			a.Release()
			if wrong != "" {
				break
			}
		}
		if wrong != "" {
			bad++
			t.Errorf("%s: %s", text, wrong)
		}
	}
	t.Logf("%d of %d agree", len(agreed)-bad, len(agreed))
}

// loaded has a server make a database of one table, and returns that table and its rows.
func loaded(t *testing.T, env, db, sql string) (*expr.Engine, *schema.Table, arrow.RecordBatch) {
	t.Helper()
	client(t, env, sql)
	src, err := mysql.Open(t.Context(), services.Env(t, env)+"/"+db, mysql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	tables, err := src.Tables(t.Context(), reader.Selection{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	have := stock(t, src, tables[0])
	t.Cleanup(have.Release)
	engine, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	return engine, tables[0], have
}

func stock(t *testing.T, src *mysql.Stock, table *schema.Table) arrow.RecordBatch {
	snap, err := src.Pin(t.Context(), []*schema.Table{table}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	splits, err := snap.Splits(t.Context(), table)
	if err != nil || len(splits) != 1 {
		t.Fatal(err, len(splits))
	}
	rd, err := snap.Open(t.Context(), splits[0])
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	b, err := rd.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b.Rows
}

// shown writes a value as the servers' client has it.
func shown(a arrow.Array, native string) string {
	if a.IsNull(0) {
		return "NULL"
	}
	switch a := a.(type) {
	case *array.String:
		return fmt.Sprintf("%X", a.Value(0))
	case *array.Binary:
		return fmt.Sprintf("%X", a.Value(0))
	case *array.Decimal128:
		if native != "bigint unsigned" {
			return a.Value(0).ToString(a.DataType().(*arrow.Decimal128Type).Scale)
		}
	case *array.Float64:
		return a.ValueStr(0)
	case *array.Date32:
		return fmt.Sprintf("%X", a.Value(0).ToTime().Format("2006-01-02"))
	case *array.Timestamp:
		return fmt.Sprintf("%X", strings.TrimSuffix(a.Value(0).ToTime(arrow.Microsecond).Format("2006-01-02 15:04:05.000000"), ""))
	}
	return fmt.Sprintf("%X", a.ValueStr(0))
}

func sameFloat(native, got, want string) bool {
	var a, b float64
	if native != "double" {
		return false
	}
	_, e1 := fmt.Sscan(got, &a)
	_, e2 := fmt.Sscan(want, &b)
	return e1 == nil && e2 == nil && a == b
}
