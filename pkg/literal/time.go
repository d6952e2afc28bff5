package literal

// Microseconds.
const (
	SecondMicros = 1_000_000
	DayMicros    = 86_400 * SecondMicros
)

// Pad2 appends n, below 100, in two digits.
func Pad2(dst []byte, n int64) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

// AppendDate appends the date that is days after 1970-01-01, of year 0 to 9999, as
// YYYY-MM-DD.
func AppendDate(dst []byte, days int64) []byte {
	// Counted from 0000-03-01, so that the leap day is the last of its year; 400 years
	// have 146,097 days.
	d := days + 719468
	era := d / 146097
	if d < 0 {
		era = (d - 146096) / 146097
	}
	d -= era * 146097
	year := (d - d/1460 + d/36524 - d/146096) / 365
	d -= 365*year + year/4 - year/100
	month := (5*d + 2) / 153 // 0 is March
	day := d - (153*month+2)/5 + 1
	year += era * 400
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	century, y := uint32(year/100), uint32(year%100)
	m, dom := uint32(month), uint32(day)
	// At once: an append of its own for each part costs more than all digits.
	return append(dst, tens(century), ones(century), tens(y), ones(y), '-', tens(m), ones(m), '-', tens(dom), ones(dom))
}

func tens(v uint32) byte { return byte('0' + v/10) }
func ones(v uint32) byte { return byte('0' + v%10) }

// AppendDateTime appends microseconds since 1970-01-01T00:00:00 as YYYY-MM-DD, sep,
// HH:MM:SS and digits of the fraction.
func AppendDateTime(dst []byte, us int64, sep byte, digits int) []byte {
	days := us / DayMicros
	if us %= DayMicros; us < 0 {
		us += DayMicros
		days--
	}
	dst = append(AppendDate(dst, days), sep)
	return appendClock(dst, us, digits)
}

// AppendTime appends a TIME, which may be negative and longer than a day.
func AppendTime(dst []byte, us int64, digits int) []byte {
	if us < 0 {
		dst, us = append(dst, '-'), -us
	}
	return appendClock(dst, us, digits)
}

func appendClock(dst []byte, us int64, digits int) []byte {
	h := us / (3600 * SecondMicros)
	if h >= 100 {
		dst = append(dst, byte('0'+h/100))
		h %= 100
	}
	hour, s, f := uint32(h), uint32(us/SecondMicros%3600), uint32(us%SecondMicros)
	dst = append(dst, tens(hour), ones(hour), ':', tens(s/60), ones(s/60), ':', tens(s%60), ones(s%60))
	if digits <= 0 {
		return dst
	}
	fraction := [...]byte{'.', tens(f / 10_000), ones(f / 10_000), tens(f / 100 % 100), ones(f / 100 % 100), tens(f % 100), ones(f % 100)}
	return append(dst, fraction[:1+digits]...)
}
