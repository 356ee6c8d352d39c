package words

import "time"

var (
	months = []Text{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	days   = []Text{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
)

// Date is a day as people write it: 24 November 2026.
func Date(t time.Time) Text {
	return Say("{day} {month} {year}", t.Day(), months[t.Month()-1], t.Year())
}

// Weekday is a day with its name: Tuesday 24 November 2026.
func Weekday(t time.Time) Text { return Say("{weekday} {date}", days[t.Weekday()], Date(t)) }

// Clock is a time of the day: 2:05pm.
func Clock(t time.Time) Text {
	if t.Hour() < 12 {
		return Say("{time}am", t.Format("3:04"))
	}
	return Say("{time}pm", t.Format("3:04"))
}

// Moment is a time: 24 November 2026, 2:05pm.
func Moment(t time.Time) Text { return Say("{date}, {time}", Date(t), Clock(t)) }
