package template

import (
	"strconv"
	text "text/template"
	"time"
)

// sprigTime are sprig's functions of times. Of consul-template those that depend on
// the time zone are no part; vault-env has them. As timestamp does, now gives
// another value at each rendering.
func sprigTime() text.FuncMap {
	const day = "2006-01-02"
	return text.FuncMap{
		"sprig_now":            time.Now,
		"sprig_date":           func(layout string, date any) string { return dateIn(layout, date, "Local") },
		"sprig_dateInZone":     dateIn,
		"sprig_htmlDate":       func(date any) string { return dateIn(day, date, "Local") },
		"sprig_htmlDateInZone": func(date any, zone string) string { return dateIn(day, date, zone) },
		"sprig_toDate": func(layout, s string) time.Time {
			t, _ := time.ParseInLocation(layout, s, time.Local)
			return t
		},
		"sprig_mustToDate": func(layout, s string) (time.Time, error) {
			t, err := time.ParseInLocation(layout, s, time.Local)
			if err != nil {
				return t, failf("sprig_mustToDate: the text is no time of that layout")
			}
			return t, nil
		},
		"sprig_dateModify": func(by string, t time.Time) time.Time {
			d, _ := time.ParseDuration(by)
			return t.Add(d)
		},
		"sprig_mustDateModify": func(by string, t time.Time) (time.Time, error) {
			d, err := time.ParseDuration(by)
			if err != nil {
				return t, failf("sprig_mustDateModify: the first argument is no duration, as 1h30m")
			}
			return t.Add(d), nil
		},
		"sprig_unixEpoch":     func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
		"sprig_ago":           func(date any) string { return time.Since(timeOf(date)).Round(time.Second).String() },
		"sprig_duration":      func(seconds any) string { return secondsOf(seconds).String() },
		"sprig_durationRound": func(d any) string { return roundDuration(durationOf(d)) },
	}
}

// timeOf is a time, or the seconds since 1970; what is neither is the present.
func timeOf(date any) time.Time {
	switch d := date.(type) {
	case time.Time:
		return d
	case *time.Time:
		return *d
	case int64:
		return time.Unix(d, 0)
	case int:
		return time.Unix(int64(d), 0)
	case int32:
		return time.Unix(int64(d), 0)
	}
	return time.Now()
}

// dateIn writes a time by a layout of package time. A zone that the system does
// not know is UTC.
func dateIn(layout string, date any, zone string) string {
	in, err := time.LoadLocation(zone)
	if err != nil {
		in = time.UTC
	}
	return timeOf(date).In(in).Format(layout)
}

// secondsOf takes text and int64, and other types for 0, as sprig does.
func secondsOf(v any) time.Duration {
	var n int64
	switch x := v.(type) {
	case string:
		n, _ = strconv.ParseInt(x, 10, 64)
	case int64:
		n = x
	}
	return time.Duration(n) * time.Second
}

func durationOf(v any) time.Duration {
	switch x := v.(type) {
	case string:
		d, _ := time.ParseDuration(x)
		return d
	case int64:
		return time.Duration(x)
	case time.Time:
		return time.Since(x)
	}
	return 0
}

// roundDuration writes a duration, which may be negative, in its largest unit.
func roundDuration(d time.Duration) string {
	length := uint64(d)
	if d < 0 {
		length = -length
	}
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "y"}, {30 * day, "mo"}, {day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if length > uint64(unit.length) {
			return strconv.FormatUint(length/uint64(unit.length), 10) + unit.name
		}
	}
	return "0s"
}
