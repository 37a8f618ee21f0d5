package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"vaultexec/internal/settings"
)

// newLogger makes the logger that the settings ask for. It writes to standard
// error and nowhere else: standard output is the command's.
func newLogger(s *settings.Settings, stderr *os.File) *slog.Logger {
	text := s.LogFormat == settings.LogText ||
		s.LogFormat == settings.LogAuto && term.IsTerminal(int(stderr.Fd()))
	if text {
		return slog.New(&textHandler{w: lossy{stderr}, mu: new(sync.Mutex), level: s.LogLevel.Level})
	}
	return slog.New(slog.NewJSONHandler(lossy{stderr}, &slog.HandlerOptions{Level: s.LogLevel.Level}))
}

// lossy drops what would have to wait: whoever reads the log may have stopped
// reading, and neither a stop nor a KILL must wait for him. A pipe is ready
// while it has room for PIPE_BUF bytes (pipe(7)), so a longer line goes piece by
// piece; a reader who takes the first is given a moment to take the others.
type lossy struct{ f *os.File }

const (
	pipeBuf        = 4096 // PIPE_BUF of Linux; POSIX's least, 512, is Darwin's
	piecesPatience = 100  // milliseconds for a piece but the first
)

func (w lossy) Write(line []byte) (int, error) {
	patience := 0
	for rest := line; len(rest) > 0; patience = piecesPatience {
		ready := []unix.PollFd{{Fd: int32(w.f.Fd()), Events: unix.POLLOUT}}
		if n, err := unix.Poll(ready, patience); err == nil && n == 0 {
			break
		}
		n, err := w.f.Write(rest[:min(len(rest), pipeBuf)])
		if err != nil {
			return len(line) - len(rest) + n, err
		}
		rest = rest[n:]
	}
	return len(line), nil
}

// textHandler writes a line for a person: the program's name, the level if it
// is not info, the message, and what belongs to it. No time: it is now.
type textHandler struct {
	w     io.Writer
	mu    *sync.Mutex // shared by all handlers that write to w
	level slog.Level
	attrs string
}

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString("vaultexec: ")
	if r.Level != slog.LevelInfo && r.Level != slog.LevelError {
		line.WriteString(strings.ToLower(r.Level.String()) + ": ")
	}
	message, class := r.Message, ""
	var attrs strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "class" && r.Level == slog.LevelError {
			class = a.Value.String() + ": "
		} else {
			writeAttr(&attrs, a)
		}
		return true
	})
	line.WriteString(class + strings.ReplaceAll(message, "\n", "\n  ") + h.attrs + attrs.String() + "\n")
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, line.String())
	return err
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var more strings.Builder
	for _, a := range attrs {
		writeAttr(&more, a)
	}
	return &textHandler{h.w, h.mu, h.level, h.attrs + more.String()}
}

// WithGroup is part of slog.Handler; nothing in vaultexec groups attributes.
func (h *textHandler) WithGroup(string) slog.Handler { return h }

func writeAttr(b *strings.Builder, a slog.Attr) {
	b.WriteString(" " + a.Key + "=" + a.Value.Resolve().String())
}
