package doristest

import (
	"os/exec"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestOfficialClient has Doris's own connector for Flink do to the stand-in what it does to a
// cluster: what passes here, the real one's client takes for the real one.
func TestOfficialClient(t *testing.T) {
	run := services.Env(t, "TABLEHAUL_TEST_DORIS_CLIENT")
	c := start(t, Options{Password: "secret"})
	out, err := exec.CommandContext(t.Context(), run, c.fe[0], "root", "secret").CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if got := c.exec(t, "SELECT * FROM shop.orders ORDER BY id"); got != "1|a|1 / 4|d|1" {
		t.Errorf("the table holds %s", got)
	}
}
