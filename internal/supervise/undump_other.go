//go:build !linux

package supervise

// HideMemory does nothing here: there is only the limit for core files, which
// the command would inherit.
func HideMemory() error { return nil }
