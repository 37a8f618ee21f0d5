package supervise

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The end of a run ends a delivery that can be cancelled, and waits a little for
// one that cannot.
func TestLeaveDuringDelivery(t *testing.T) {
	tests := map[string]struct {
		takes     time.Duration // once it is cancelled
		want      time.Duration
		cancelled bool
	}{
		"ended":     {-1, 0, false},
		"cancelled": {time.Second, time.Second, true},
		"stuck":     {time.Hour, deliveryPatience, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cancelc := make(chan struct{})
				log := &strings.Builder{}
				s := &system{log: slog.New(slog.NewTextHandler(log, nil)), cancel: func() { close(cancelc) }, deliveredc: make(chan event, 1)}
				s.deliver(func() error {
					if tt.takes >= 0 {
						<-cancelc
						time.Sleep(tt.takes)
					}
					return nil
				})
				synctest.Wait()
				began := time.Now()
				s.leave()
				if took := time.Since(began); took != tt.want {
					t.Errorf("it took %v, want %v", took, tt.want)
				}
				select {
				case <-cancelc:
					if !tt.cancelled {
						t.Error("cancelled what had ended")
					}
				default:
					if tt.cancelled {
						t.Error("nothing was cancelled")
						close(cancelc)
					}
				}
				if warned := log.Len() > 0; warned != (tt.takes > deliveryPatience) {
					t.Errorf("logged %q", log)
				}
				<-s.donec
			})
		})
	}
}
