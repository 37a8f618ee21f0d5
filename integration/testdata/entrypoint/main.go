// Command entrypoint stands in for the entry point of an image that exists: it
// prints its arguments and the variable that it was promised, one a line.
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, arg := range os.Args {
		fmt.Println(arg)
	}
	fmt.Println(os.Getenv("SERVER_NAME"))
}
