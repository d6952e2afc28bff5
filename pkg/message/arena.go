package message

// An arena is where messages are written one behind the other, in pieces that are
// large enough for many: a message costs no allocation of its own.
type arena struct {
	piece []byte
	start int
}

const arenaPiece = 64 << 10

// begin returns what the next text is to be appended to.
func (a *arena) begin() []byte {
	if cap(a.piece)-len(a.piece) < arenaPiece/16 {
		a.piece = make([]byte, 0, arenaPiece)
	}
	a.start = len(a.piece)
	return a.piece
}

// end returns the text that b, which begin has returned, has got.
func (a *arena) end(b []byte) []byte {
	a.piece = b
	return b[a.start:len(b):len(b)]
}
