package servers

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// Oldest vault on PATH that the tests are written for.
const oldestMajor, oldestMinor = 1, 21

var versionLine = regexp.MustCompile(`^Vault v(\d+)\.(\d+)\.(\d+\S*)`)

// vaultOnPath gives the path of a vault that may serve in place of our own
// build, or nothing. Why one that is there may not is told to progress.
func vaultOnPath(ctx context.Context, progress io.Writer) string {
	path, err := exec.LookPath("vault")
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, path, "version").Output()
	if err != nil {
		fmt.Fprintf(progress, "not using %s: vault version: %v\n", path, err)
		return ""
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		fmt.Fprintf(progress, "not using %s: it does not say which version it is\n", path)
		return ""
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	version := fmt.Sprintf("%d.%d.%s", major, minor, m[3])
	switch {
	case major < oldestMajor || major == oldestMajor && minor < oldestMinor:
		fmt.Fprintf(progress, "not using %s: it is %s, older than %d.%d\n", path, version, oldestMajor, oldestMinor)
	case !links(path, pluginTarget.version):
		fmt.Fprintf(progress, "not using %s %s: it has no Kubernetes auth method\n", path, version)
	default:
		fmt.Fprintf(progress, "using %s %s\n", path, version)
		return path
	}
	return ""
}

// links says whether a Go program has a package of that module in it.
func links(program, module string) bool {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return false
	}
	for _, dep := range info.Deps {
		if strings.EqualFold(dep.Path, module) {
			return true
		}
	}
	return false
}
