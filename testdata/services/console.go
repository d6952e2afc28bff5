package services

import (
	"os/exec"
	"strings"
	"testing"
)

// Console returns what Kafka's own consumer prints, a line for each message. run is what
// starts Kafka's tools, TABLEHAUL_TEST_KAFKA_RUN. The consumer ends when nothing has come
// for some time, which on a busy machine may be before anything could: where it prints
// fewer lines than are wanted it is asked again, with more time.
func Console(t testing.TB, run string, lines int, args ...string) string {
	t.Helper()
	args = append([]string{"org.apache.kafka.tools.consumer.ConsoleConsumer"}, args...)
	var out string
	for _, timeout := range []string{"10000", "120000"} {
		cmd := exec.Command(run, append(args, "--timeout-ms", timeout)...)
		var printed, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &printed, &errs
		// It tells its end by time with an exit code of its own.
		if err := cmd.Run(); err != nil && !strings.Contains(errs.String(), "TimeoutException") {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		if out = printed.String(); strings.Count(out, "\n") >= lines {
			break
		}
	}
	return out
}
