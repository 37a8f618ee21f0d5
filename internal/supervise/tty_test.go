package supervise

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

func TestTakeOff(t *testing.T) {
	const hup, usr1, cont = syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGCONT
	tests := []struct{ waiting, want []os.Signal }{
		{nil, nil},
		{[]os.Signal{usr1, cont}, []os.Signal{usr1, cont}},
		{[]os.Signal{hup}, nil},
		{[]os.Signal{usr1, hup, cont, hup}, []os.Signal{usr1, cont, hup}},
	}
	for _, tt := range tests {
		sigc := make(chan os.Signal, 4)
		for _, sig := range tt.waiting {
			sigc <- sig
		}
		takeOff(sigc, hup)
		var got []os.Signal
		for len(sigc) > 0 {
			got = append(got, <-sigc)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("of %v is left %v, want %v", tt.waiting, got, tt.want)
		}
	}
}
