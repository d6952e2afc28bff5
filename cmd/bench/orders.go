package main

import (
	"strconv"
	"time"
)

// ordersDDL is a table of order lines: 18 columns, about 150 bytes a row.
const ordersDDL = `id bigint NOT NULL AUTO_INCREMENT,
	order_id bigint NOT NULL,
	customer_id int unsigned NOT NULL,
	product_id int NOT NULL,
	quantity smallint unsigned NOT NULL,
	unit_price decimal(12,2) NOT NULL,
	discount decimal(5,4) DEFAULT NULL,
	total decimal(15,2) NOT NULL,
	weight_kg double DEFAULT NULL,
	status enum('new','paid','packed','shipped','delivered','returned','cancelled') NOT NULL,
	is_gift tinyint(1) NOT NULL,
	priority tinyint NOT NULL,
	sku varchar(20) NOT NULL,
	city varchar(64) DEFAULT NULL,
	note varchar(255) DEFAULT NULL,
	ordered_at datetime(6) NOT NULL,
	ship_date date DEFAULT NULL,
	updated_at timestamp NOT NULL,
	PRIMARY KEY (id), KEY customer (customer_id)`

var ordersColumns = []column{
	{"id", kindInt64},
	{"order_id", kindInt64},
	{"customer_id", kindUint32},
	{"product_id", kindInt32},
	{"quantity", kindUint16},
	{"unit_price", kindDecimal(12, 2)},
	{"discount", kindDecimal(5, 4)},
	{"total", kindDecimal(15, 2)},
	{"weight_kg", kindDouble},
	{"status", kindString},
	{"is_gift", kindInt8},
	{"priority", kindInt8},
	{"sku", kindString},
	{"city", kindString},
	{"note", kindString},
	{"ordered_at", kindDatetime},
	{"ship_date", kindDate},
	{"updated_at", kindDatetime},
}

var (
	orderStatus = []string{"new", "paid", "packed", "shipped", "delivered", "returned", "cancelled"}
	orderCities = []string{
		"Amsterdam", "Zürich", "São Paulo", "Łódź", "Nairobi", "東京", "San Francisco", "Kraków", "Oslo", "Lagos",
		"Ciudad de México", "Wellington", "Reykjavík", "Mumbai", "Toronto", "Sheffield", "Antwerpen", "Göteborg",
	}
	orderWords = []string{
		"please", "leave", "parcel", "at", "the", "back", "door", "call", "before", "delivery", "gift", "wrap",
		"no", "invoice", "inside", "fragile", "second", "floor", "neighbour", "weekend", "only", "urgent",
	}
	orderStart = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
)

// ordersRow appends one row: lines of an order share its number, customer and
// time, time rises with the key, and prices, notes and cities repeat as they do
// in a shop. NULL is \N.
func ordersRow(dst []byte, id, rows int64, rnd *random) []byte {
	const years3 = int64(3 * 365 * 24 * time.Hour / time.Microsecond)
	order := (id + 2) / 3
	// Drawn from the order's number: its lines agree wherever a chunk ends.
	hash := uint64(order) * 0x9E3779B97F4A7C15
	at := orderStart.Add(time.Duration(years3/(rows/3+1)*order+int64(hash>>44)) * time.Microsecond)

	product := rnd.Int64N(50_000)
	product = product * product / 50_000 // a few products sell more
	quantity := 1 + rnd.Int64N(4)*rnd.Int64N(3)
	cents := 99 + 100*(product*7919%1000)
	total := cents * quantity

	field := func(f func([]byte) []byte) { dst = append(f(dst), '\t') }
	number := func(v int64) { field(func(b []byte) []byte { return strconv.AppendInt(b, v, 10) }) }
	text := func(s string) { field(func(b []byte) []byte { return append(b, s...) }) }

	number(id)
	number(10_000_000_000 + order)
	number(int64(2_147_000_000 + hash>>32%800_000)) // above the top of a signed int
	number(product)
	number(quantity)
	field(func(b []byte) []byte { return appendDecimal(b, cents, 2) })
	if rnd.IntN(10) < 3 {
		d := 500 * (1 + rnd.Int64N(6))
		total -= total * d / 10_000
		field(func(b []byte) []byte { return appendDecimal(b, d, 4) })
	} else {
		text(`\N`)
	}
	field(func(b []byte) []byte { return appendDecimal(b, total, 2) })
	if rnd.IntN(20) > 0 {
		w := float64(product%977)/64 + float64(quantity)*0.125 + rnd.Float64()/8
		field(func(b []byte) []byte { return strconv.AppendFloat(b, w, 'g', -1, 64) })
	} else {
		text(`\N`)
	}
	text(orderStatus[min(rnd.IntN(12), 10)%7])
	number(int64(b2i(rnd.IntN(25) == 0)))
	number(rnd.Int64N(5))
	field(func(b []byte) []byte { return appendSKU(b, product) })
	if hash>>20%10 > 0 {
		text(orderCities[hash>>24%uint64(len(orderCities))])
	} else {
		text(`\N`)
	}
	if rnd.IntN(10) < 4 {
		field(func(b []byte) []byte { return appendNote(b, rnd) })
	} else {
		text(`\N`)
	}
	field(func(b []byte) []byte { return at.AppendFormat(b, "2006-01-02 15:04:05.000000") })
	if rnd.IntN(8) > 0 {
		ship := at.AddDate(0, 0, 1+rnd.IntN(9))
		field(func(b []byte) []byte { return ship.AppendFormat(b, time.DateOnly) })
	} else {
		text(`\N`)
	}
	updated := at.Add(time.Duration(rnd.IntN(10*24*3600)) * time.Second)
	return append(updated.AppendFormat(dst, time.DateTime), '\n')
}

func appendDecimal(dst []byte, v int64, scale int) []byte {
	unit := int64(1)
	for range scale {
		unit *= 10
	}
	dst = append(strconv.AppendInt(dst, v/unit, 10), '.')
	for unit /= 10; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+v/unit%10))
	}
	return dst
}

func appendSKU(dst []byte, product int64) []byte {
	dst = append(dst, "SKU-"...)
	dst = append(dst, byte('A'+product%26), byte('A'+product/26%26), '-')
	return strconv.AppendInt(dst, 100_000+product*17, 10)
}

func appendNote(dst []byte, rnd *random) []byte {
	for i := range 4 + rnd.IntN(16) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, orderWords[rnd.IntN(len(orderWords))]...)
	}
	return dst
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
