package services

import (
	"bytes"
	"net/url"
	"os/exec"
	"testing"
)

// Debezium runs Debezium's connector on the MySQL at address, a URL, from the rows that
// are there on, with settings as the program takes them (NAME=VALUE, see
// debezium.d/Debezium.java): where its messages go, what it reads, when it ends. The
// function waits for its end; the test's end is its end too. A server's GTIDs must have no
// tags, which the connector does not know.
func Debezium(t testing.TB, address string, settings ...string) (wait func()) {
	t.Helper()
	run := Env(t, "TABLEHAUL_TEST_DEBEZIUM")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	args := append([]string{
		"database.hostname=" + u.Hostname(), "database.port=" + u.Port(), "database.user=" + u.User.Username(), "database.password=" + password,
		"database.server.id=54321", "database.ssl.mode=preferred", "driver.allowPublicKeyRetrieval=true",
	}, settings...)
	cmd := exec.Command(run, args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("Debezium's log: %s", log.Bytes()[max(0, log.Len()-8000):])
		}
	})
	return func() {
		t.Helper()
		if <-ended; failed != nil {
			t.Errorf("Debezium: %v", failed)
		}
	}
}
