package env

import "os"

// Open is for Linux alone; the settings refuse --fd-env elsewhere.
func (d PlannedDescriptor) Open() (*os.File, error) {
	return nil, finding(ClassConfig, "%s: it takes Linux to hand over memory like a file: use --file-env", d.File.Place)
}
