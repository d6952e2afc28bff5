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
	dst = Pad2(Pad2(dst, year/100), year%100)
	dst = append(dst, '-')
	dst = append(Pad2(dst, month), '-')
	return Pad2(dst, day)
}

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
	s := us / SecondMicros
	if h := s / 3600; h >= 100 {
		dst = append(dst, byte('0'+h/100))
		dst = Pad2(dst, h%100)
	} else {
		dst = Pad2(dst, h)
	}
	dst = append(dst, ':')
	dst = append(Pad2(dst, s/60%60), ':')
	dst = Pad2(dst, s%60)
	if digits > 0 {
		dst = append(dst, '.')
		for unit, f := int64(SecondMicros/10), us%SecondMicros; digits > 0; unit, digits = unit/10, digits-1 {
			dst = append(dst, byte('0'+f/unit%10))
		}
	}
	return dst
}
