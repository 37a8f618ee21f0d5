// Command floor is the least that a program can do that logs in to Vault with
// the same client library, reads, and becomes the command. Nothing can be
// faster than it, so it is what vaultexec's start is measured against.
//
//	floor [-role ROLE -jwt FILE] PATH,PATH... COMMAND [ARG...]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/kubernetes"
)

func main() {
	role := flag.String("role", "", "")
	jwt := flag.String("jwt", "", "")
	flag.Parse()
	client, err := api.NewClient(nil)
	check(err)
	if *role != "" {
		method, err := kubernetes.NewKubernetesAuth(*role, kubernetes.WithServiceAccountTokenPath(*jwt))
		check(err)
		_, err = client.Auth().Login(context.Background(), method)
		check(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	environ := os.Environ()
	limit := make(chan struct{}, 16)
	for _, path := range strings.Split(flag.Arg(0), ",") {
		all.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			secret, err := client.Logical().Read(path)
			check(err)
			mu.Lock()
			defer mu.Unlock()
			for k, v := range secret.Data["data"].(map[string]any) {
				environ = append(environ, fmt.Sprintf("%s=%v", k, v))
			}
		})
	}
	all.Wait()
	check(syscall.Exec(flag.Arg(1), flag.Args()[1:], environ))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}
