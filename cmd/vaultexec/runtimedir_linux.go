package main

// memoryDirs is /dev/shm, unless it is an ordinary directory of an image.
func memoryDirs() []string {
	const shm = "/dev/shm"
	if memory, _ := inMemory(shm); !memory {
		return nil
	}
	return []string{shm}
}
