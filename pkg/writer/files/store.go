package files

import (
	"context"
	"errors"
	"io"
	"time"
)

// A store is where the files of tables lie: a file system or an object store. Paths are
// relative to its root and have slashes. All methods may be called concurrently. What is
// not there is an fs.ErrNotExist.
//
// Data files come in three steps. create begins them, in a stage that nobody sees. claim
// makes the stage, with an entry that says what it is of, the next commit of its table, or
// nothing: this is the moment in which a commit is made. publish then shows its files one
// by one under the names that they were created with, and can be repeated by anybody.
type store interface {
	create(ctx context.Context, at stage, path string) (output, error)
	// reveal opens a file of a stage that is finished, to be read.
	reveal(ctx context.Context, at stage, path, token string) (input, error)
	// unstage removes such a file.
	unstage(ctx context.Context, at stage, path, token string) error
	// claim makes the stage commit number n, with what the entry says. It fails with
	// errTaken if there is a commit of that number, and with an fs.ErrNotExist if the stage
	// is not there any more.
	claim(ctx context.Context, at stage, n int64, entry []byte) error
	// entry returns what commit number n said.
	entry(ctx context.Context, table string, n int64) ([]byte, error)
	// publish shows a file of commit n, whose token create's output has returned.
	publish(ctx context.Context, table string, n int64, path, token string) error
	// settle removes what is left of commit n, but for its entry, once its files are published.
	settle(ctx context.Context, table string, n int64) error
	// forget removes the entry of a commit whose files are all published.
	forget(ctx context.Context, table string, n int64) error
	// stages lists the names of a table's stages that were not claimed.
	stages(ctx context.Context, table string) ([]stageInfo, error)
	// hold makes a stage, which says who it belongs to.
	hold(ctx context.Context, at stage, owner []byte) error
	// renew has a stage say that its owner is alive. One that is gone is not made again.
	renew(ctx context.Context, at stage, owner []byte) error
	// discard removes a stage with all that is in it.
	discard(ctx context.Context, at stage) error

	// replace puts a whole small file in place, or in the place of another one, in one step.
	// What a run leaves that dies in between is in the folder via; "" is that of the file.
	replace(ctx context.Context, via, path string, data []byte) error
	open(ctx context.Context, path string) (input, error)
	// there fails with an fs.ErrNotExist if there is no such folder.
	there(ctx context.Context, dir string) error
	// list returns what is in a folder, sorted by name; nothing if there is no such folder.
	list(ctx context.Context, dir string) ([]info, error)
	// remove removes a file, or a folder with all that is in it. What is not there is no error.
	remove(ctx context.Context, path string) error
	// url is how readers name a path.
	url(path string) string
	close() error
}

// errTaken says that another run has made the commit of that number.
var errTaken = errors.New("there is a commit of that number")

// A stage is where the files of one commit of a table gather.
type stage struct {
	table, name string
	again       bool // its files are likely to be read before they are published
}

// A stageInfo is a stage as it is found.
type stageInfo struct {
	name  string
	owner []byte        // what hold has said last
	idle  time.Duration // since then, by the store's clock
}

// An info is a file or folder in a folder.
type info struct {
	name   string
	folder bool
	size   int64
}

// An output is a file that is being written.
type output interface {
	io.Writer
	// finish makes the file durable and returns what publish needs to know of it.
	finish() (token string, err error)
	// abort gives the file up. It may be called at any time but after finish was well.
	abort()
}

// An input is a file that is being read.
type input interface {
	io.ReaderAt
	io.Closer
	length() int64
}
