package supervise

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slow makes deliveries take their time, notes them, and fails the test if there
// are two at once.
func (c *rotated) slow(t *testing.T, change Change, takes time.Duration, result error) Change {
	change.Deliver = func() error {
		if c.delivering.Add(1) > 1 {
			t.Error("two deliveries at once")
		}
		time.Sleep(takes)
		c.delivering.Add(-1)
		return result
	}
	return change
}

// A delivery that hangs is said once. The child goes on, and when the file
// system answers after all, so does the change.
func TestLoopLateDelivery(t *testing.T) {
	for _, takes := range []time.Duration{deliveryTimeout - 1, deliveryTimeout + 1, time.Hour} {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{}), c, func() {
			c.changec <- c.slow(t, restart("/new"), takes, nil)
			c.stopAt(2 * time.Hour)
		})
		want := []string{"0s startChild", "0s /bin/sleep", "0s deliverChange"}
		if takes > deliveryTimeout {
			want = append(want, "30s DeliveryLate", takes.String()+" DeliveryEnded")
		}
		stopped := takes + time.Second
		expect(t, c.did, append(want, takes.String()+" RestartBegan", takes.String()+" signalChild(TERM)",
			stopped.String()+" startChild", stopped.String()+" /new", "2h0m0s signalChild(TERM)"))
	}
}

// A child that ends meanwhile is started again as it was, the first time when
// the delivery is late, then without any wait.
func TestLoopStartBesideALateDelivery(t *testing.T) {
	c := &rotated{}
	c.onStart = func(n int) event {
		if n <= 2 {
			return c.dies(9*time.Second, 6)(n)
		}
		return event{kind: childStarted}
	}
	rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
		c.changec <- c.slow(t, restart("/new"), time.Hour, nil)
		time.Sleep(35 * time.Second)
		c.changec <- c.slow(t, restart("/newer"), time.Second, nil)
		c.stopAt(2 * time.Hour)
	})
	expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "0s deliverChange", "9s BackedOff",
		"30s DeliveryLate", "30s startChild", "30s /bin/sleep", "39s BackedOff", "41s startChild", "41s /bin/sleep",
		"1h0m0s DeliveryEnded", "1h0m0s RestartBegan", "1h0m0s signalChild(TERM)", "1h0m1s deliverChange",
		"1h0m2s startChild", "1h0m2s /newer", "2h0m0s signalChild(TERM)"})
}

// A newer change waits until the hanging delivery has ended, and is then tried
// by itself; if that has failed, together with what failed.
func TestLoopChangeDuringALateDelivery(t *testing.T) {
	for _, result := range []error{nil, errors.New("input/output error")} {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{}), c, func() {
			c.changec <- c.slow(t, restart("/new"), time.Hour, result)
			time.Sleep(time.Minute)
			c.changec <- c.slow(t, restart("/newer"), time.Minute, nil)
			c.stopAt(2 * time.Hour)
		})
		want := []string{"1h0m0s DeliveryEnded", "1h0m0s RestartBegan", "1h0m0s signalChild(TERM)", "1h0m1s deliverChange",
			"1h0m31s DeliveryLate", "1h0m31s startChild", "1h0m31s /new", "1h1m1s DeliveryEnded", "1h1m1s RestartBegan", "1h1m1s signalChild(TERM)", "1h1m2s startChild"}
		if result != nil {
			want = []string{"1h0m0s DeliveryFailed", "1h0m1s deliverChange", "1h0m31s DeliveryLate",
				"1h1m1s DeliveryEnded", "1h1m1s RestartBegan", "1h1m1s signalChild(TERM)", "1h1m2s startChild"}
		}
		expect(t, c.did, append(append([]string{"0s startChild", "0s /bin/sleep", "0s deliverChange", "30s DeliveryLate"}, want...),
			"1h1m2s /newer", "2h0m0s signalChild(TERM)"))
		if n := strings.Count(c.log.String(), "still not in place"); n != 2 {
			t.Errorf("said %d times of two that hang\n%s", n, c.log.String())
		}
	}
}

// P4 whatever hangs, signals arrive and a stop is a stop.
func TestP4LoopStopDuringALateDelivery(t *testing.T) {
	for _, at := range []time.Duration{time.Second, time.Minute} {
		c := &rotated{}
		var end time.Duration
		outcome := rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
			c.changec <- c.slow(t, restart("/new"), time.Hour, nil)
			time.Sleep(at / 2)
			c.sigc <- syscall.SIGUSR1
			c.stopAt(at)
		}, func() { end = time.Since(c.t0) })
		if outcome.Code != 143 || end != at+time.Second || len(c.times("signalChild(USR1)")) != 1 {
			t.Errorf("%+v at %s, want 143 at %s\n%q", outcome, end, at+time.Second, c.did)
		}
	}
}
