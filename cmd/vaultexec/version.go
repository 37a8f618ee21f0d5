package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X main.version=...
var version = "dev"

func versionLine() string {
	return fmt.Sprintf("vaultexec %s %s/%s %s", version, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

func versionCommand(stdout io.Writer) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{Use: "version", Short: "print the version", Args: noWords, RunE: func(*cobra.Command, []string) error {
		if asJSON {
			return json.NewEncoder(stdout).Encode(struct {
				Version string `json:"version"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
				Go      string `json:"go"`
			}{version, runtime.GOOS, runtime.GOARCH, runtime.Version()})
		}
		_, err := fmt.Fprintln(stdout, versionLine())
		return err
	}}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
