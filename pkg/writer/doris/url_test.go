package doris

import (
	"reflect"
	"strings"
	"testing"
)

// TestURL reads URLs, and tells what is wrong with others.
func TestURL(t *testing.T) {
	l, err := parseURL("doris://a%40b@fe1,fe2:8031,[::1]/ods-1?query-port=9031&benodes=be1:8040,be2:8040&be=a:1=b:2&be=c:3=d:4")
	must(t, err)
	want := location{
		scheme: "doris", user: "a@b", frontends: []string{"fe1:8030", "fe2:8031", "[::1]:8030"}, sql: []string{"fe1:9031", "fe2:9031", "[::1]:9031"}, db: "ods-1",
		benodes: []string{"be1:8040", "be2:8040"}, addresses: map[string]string{"a:1": "b:2", "c:3": "d:4"},
	}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("got %+v", l)
	}
	for url, says := range map[string]string{
		"doris:fe/db":                   "no :// in it",
		"doris:///db":                   "names no front end",
		"doris://:8030/db":              "without a host",
		"doris://a:secret@fe/db":        "password",
		"doris://fe/db@x":               "a / before the @",
		"doris://fe/db/t":               "more than a database",
		"doris://fe/Information_Schema": "Doris's own",
		"doris://fe/7":                  `no database can be called "7"`,
		"doris://fe/db?query-port=abc":  "query-port=abc is no port",
		"doris://fe/db?query-port=0":    "query-port=0 is no port",
		"doris://fe/db?be=x":            "maps no address",
		"doris://fe/db?tls=1":           "true or false",
		"doris://fe/db?x=1":             "is not known",
	} {
		if err := CheckURL(url); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
