package files

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// The DataNode that a block goes to is killed in the middle of it: the file is whole in the
// end, since there is another one, or since it comes back.
func TestDataNodeKilledInMidWrite(t *testing.T) {
	env, script := services.PrivateEnv(t, "hdfs", "--datanodes", "2")
	c, err := hdfs.Open(t.Context(), hdfs.Options{Address: env["TABLEHAUL_TEST_HDFS"]})
	storeMust(t, err)
	st := folders{newHDFS(c, "/t", 64<<20, 1)}
	defer st.close()
	content := make([]byte, 12<<20)
	rand.NewChaCha8([32]byte{}).Read(content)
	kill := func(names ...string) {
		for _, name := range names {
			text, err := os.ReadFile(env["TABLEHAUL_TEST_HDFS_DATANODE"+name+"_PID"])
			storeMust(t, err)
			pid, err := strconv.Atoi(strings.Fields(string(text))[0])
			storeMust(t, err)
			storeMust(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	for i, then := range []func(){
		func() { kill("") },
		func() { kill("2"); go script("start") }, // the last one, and both come back
	} {
		at := stage{table: "db/t", name: strconv.Itoa(i)}
		storeMust(t, st.hold(t.Context(), at, []byte("x")))
		out, err := st.create(t.Context(), at, "f")
		storeMust(t, err)
		for n := 0; n < len(content); n += 1 << 20 {
			if n == 6<<20 {
				then()
			}
			_, err = out.Write(content[n : n+1<<20])
			storeMust(t, err)
		}
		_, err = out.finish()
		storeMust(t, err)
		in, err := st.reveal(t.Context(), at, "f", "")
		storeMust(t, err)
		got := make([]byte, len(content))
		if _, err := in.ReadAt(got, 0); err != nil || !bytes.Equal(got, content) || in.length() != int64(len(content)) {
			t.Errorf("%d: what was written is not what is read: %v", i, err)
		}
		storeMust(t, errors.Join(in.Close()))
	}
}
