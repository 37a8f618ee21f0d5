package supervise

import "time"

// deliveryPatience is how long the end of a run waits for a delivery that is
// under way: what comes after may remove what it puts in place.
const deliveryPatience = 2 * time.Second

// deliver calls f beside the loop and posts what came of it. The loop has
// received the one before by then.
func (s *system) deliver(f func() error) {
	if f == nil {
		s.deliveredc <- event{kind: changeDelivered}
		return
	}
	donec := make(chan struct{})
	s.donec = donec
	go func() {
		defer close(donec)
		if err := f(); err != nil {
			s.deliveredc <- event{kind: deliveryFailed, err: err}
			return
		}
		s.deliveredc <- event{kind: changeDelivered}
	}()
}

// leave ends the delivery that may be under way at the end of a run: it cancels
// what can be, such as a command that a file has, and waits for the rest.
func (s *system) leave() {
	if s.donec == nil {
		return
	}
	select {
	case <-s.donec:
		return
	default:
	}
	s.cancel()
	timeout := time.NewTimer(deliveryPatience)
	defer timeout.Stop()
	select {
	case <-s.donec:
	case <-timeout.C:
		s.log.Warn("the files of a rotation are still being put in place, not waiting for that")
	}
}
