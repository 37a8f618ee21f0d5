package main

import "os"

// memoryDirs is the user's own directory for temporary files, the best there is
// here.
func memoryDirs() []string { return []string{os.TempDir()} }
