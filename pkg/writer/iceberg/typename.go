package iceberg

import "github.com/apache/arrow-go/v18/arrow"

// TypeName returns the Iceberg type that columns of an Arrow type get, as the
// format's specification writes it.
func TypeName(t arrow.DataType) (string, error) {
	ids := 0
	typ, err := icebergType(t, &ids)
	if err != nil {
		return "", err
	}
	return typ.String(), nil
}
