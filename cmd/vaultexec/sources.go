package main

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/ref"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// The settings as each of the packages wants them; none of them knows
// the others or the settings.

func sources(s *settings.Settings, environ []string) env.Sources {
	vaultEnv, files := s.VaultEnv(), s.Files()
	src := env.Sources{
		TransitMount:  vaultEnv.TransitMount,
		TransitKey:    vaultEnv.TransitKey,
		IgnoreMissing: vaultEnv.IgnoreMissing,

		Inherited:  environ,
		Secrets:    slices.Concat(s.Secret.Items, s.From.Items),
		Renamed:    files.Renamed,
		Custom:     files.Custom,
		Variables:  s.Env.Items,
		EnvFiles:   s.EnvFile.Items,
		Files:      slices.Concat(s.File.Items, files.Tokens),
		Templates:  slices.Concat(s.EnvTemplates(), s.FileTemplates()),
		OnConflict: env.Conflict(s.OnConflict),
		Case:       ref.Case(s.Case),
		Prefix:     s.Prefix,
		Pristine:   s.Pristine,
		Keep:       s.Keep.Items,
		Drop:       s.Drop.Items,
		Pass:       s.Pass.Items,

		FileVariables:       s.FileEnv.Items,
		DescriptorVariables: s.FDEnv.Items,
		Credentials:         s.Credentials.Items,
		RuntimeDir:          s.RuntimeDir,
		InMemory:            s.RequireTmpfs,
	}
	if anotherUser(s) {
		src.Owner = &env.Owner{UID: s.User.UID, GID: s.User.GID}
		src.Inherited = withHome(environ, s.User.Home)
	}
	if n := len(src.DescriptorVariables); n > 0 {
		src.FirstDescriptor = supervise.FreeDescriptors(n)
	}
	return src
}

// anotherUser tells whether the command runs as somebody else than we.
func anotherUser(s *settings.Settings) bool { return s.User.IsSet() && s.User.UID != os.Geteuid() }

// withHome is an environment with the home of the user whom the command runs as,
// if it has one at all.
func withHome(environ []string, home string) []string {
	changed := slices.Clone(environ)
	for i, entry := range changed {
		if strings.HasPrefix(entry, "HOME=") {
			changed[i] = "HOME=" + home
		}
	}
	return changed
}

// runAs is who commands run as; nil: who we are.
func runAs(s *settings.Settings) *supervise.Identity {
	if !s.User.IsSet() {
		return nil
	}
	return &supervise.Identity{UID: s.User.UID, GID: s.User.GID, Groups: s.User.Groups}
}

func fetchConfig(s *settings.Settings, log *slog.Logger) fetch.Config {
	cfg := fetch.Config{
		Auth:           fetch.Auth(s.Auth),
		Role:           s.Role,
		AuthMount:      s.AuthMount,
		JWTPath:        s.JWTPath,
		RemoveJWT:      s.RemoveJWT,
		RoleIDPath:     s.RoleIDPath,
		SecretIDPath:   s.SecretIDPath,
		RemoveSecretID: s.RemoveSecretID,
		Username:       s.Username,
		PasswordPath:   s.PasswordPath,
		TokenFile:      s.TokenFile,
		Wrapped:        s.Wrapped,
		Namespace:      s.Namespace,
		Prompt:         askPassword,
		Concurrency:    s.Concurrency,
		Log:            log,
		Defaults:       fetch.Defaults{},
	}
	cfg.LoginNamespace, cfg.RemoveJWTTarget = s.Files().LoginNamespace, s.Files().JWTTarget.Value
	for name, v := range s.Files().Vault {
		cfg.Defaults[name] = fetch.Default{Value: v.Value, Place: v.Place}
	}
	if s.IsSet("request-timeout") { // else VAULT_CLIENT_TIMEOUT may say
		cfg.RequestTimeout = s.RequestTimeout
	}
	return cfg
}

func fromConfig(s *settings.Settings, refs []ref.Ref, log *slog.Logger) from.Config {
	return from.Config{Refs: refs, Refresh: s.Refresh, Credentials: os.Getenv("CREDENTIALS_DIRECTORY"), Log: log}
}

func superviseOptions(s *settings.Settings, log *slog.Logger) supervise.Options {
	o := supervise.Options{
		StopSignal:  syscall.Signal(s.StopSignal),
		StopTimeout: s.StopTimeout,
		Rewrite:     map[syscall.Signal]syscall.Signal{},
		Log:         log,
	}
	o.Rotation = supervise.Rotation{
		Debounce:    s.Debounce,
		Splay:       s.Splay,
		MinInterval: s.MinInterval,
		Window:      s.Window.From,
		OnFailure:   s.Restart.OnFailure,
		MaxFailures: s.Restart.Max,
	}
	if s.Forward == settings.ForwardChild {
		o.Forward = supervise.Child
	}
	for _, r := range s.RewriteSignal.Items {
		o.Rewrite[r.From] = r.To
	}
	return o
}
