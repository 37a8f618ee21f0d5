package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// scrubBlock is the part of ScrubEnviron that is about the block of memory.
func scrubBlock(secret func(name string) bool) error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	start, end, err := environBounds(stat)
	if err != nil {
		return err
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close() // each write has been checked
	block := make([]byte, end-start)
	if _, err := mem.ReadAt(block, start); err != nil {
		return fmt.Errorf("read the initial environment: %v", err)
	}
	for _, value := range secretValues(block, secret) {
		if _, err := mem.WriteAt(make([]byte, value.length), start+int64(value.offset)); err != nil {
			return fmt.Errorf("overwrite the initial environment: %v", err)
		}
	}
	return nil
}

// span is a piece of a block.
type span struct{ offset, length int }

// secretValues finds the values of the variables that secret accepts in a
// block of NUL-terminated NAME=VALUE strings.
func secretValues(block []byte, secret func(name string) bool) []span {
	var spans []span
	offset := 0
	for variable := range bytes.SplitSeq(block, []byte{0}) {
		name, value, ok := bytes.Cut(variable, []byte("="))
		if ok && secret(string(name)) {
			spans = append(spans, span{offset + len(name) + 1, len(value)})
		}
		offset += len(variable) + 1
	}
	return spans
}

// environBounds reads env_start and env_end, the fields 50 and 51 of
// /proc/PID/stat (proc_pid_stat(5)).
func environBounds(stat []byte) (start, end int64, err error) {
	// The second field may contain anything; the third follows its last ")".
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const third = 3
	if len(fields) <= 51-third {
		return 0, 0, errors.New("/proc/self/stat does not tell where the environment is")
	}
	start, startErr := strconv.ParseInt(fields[50-third], 10, 64)
	end, endErr := strconv.ParseInt(fields[51-third], 10, 64)
	if err := errors.Join(startErr, endErr); err != nil {
		return 0, 0, err
	}
	if start <= 0 || end <= start {
		return 0, 0, errors.New("/proc/self/stat hides where the environment is")
	}
	return start, end, nil
}
