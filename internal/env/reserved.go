package env

import "strings"

// isReserved tells whether a name decides which code runs in the child: whoever
// may write a secret must not thereby run programs, so such a name never comes
// from a whole secret. An explicit --env and a reference in an inherited
// variable may set it: there the operator wrote the name.
//
// Left out on purpose are names that merely configure and are common as fields
// (USER, PWD, HOST, TMPDIR, JAVA_OPTS, SSL_CERT_FILE), and VAULT_* and
// VAULTEXEC_*: what a secret holds under such a name was put there for the
// application, unlike the inherited ones, which are vaultexec's own settings.
//
// It is a switch, and not a list of globs, since it is asked for every name
// before every start: a hundred times faster, and nothing to initialize.
func isReserved(name string) bool {
	switch name {
	case // ld.so(8), and what glibc ignores in setuid programs (sysdeps/generic/unsecvars.h), but for TMPDIR and TZDIR.
		"GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN",
		"LOCPATH", "NIS_PATH", "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS",

		// Shells: sh(1), bash(1), zshparam(1), and what sudo takes away (sudoers(5), env_delete).
		"PATH", "HOME", "SHELL", "IFS", "ENV", "CDPATH", "FPATH", "PS0", "PS1", "PS2", "PS3", "PS4",
		"BASHOPTS", "SHELLOPTS", "PROMPT_COMMAND", "GLOBIGNORE", "ZDOTDIR", "NULLCMD", "READNULLCMD",
		"TMPPREFIX", "INPUTRC", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "TERMPATH",

		// Commands that programs run by name.
		"EDITOR", "VISUAL", "FCEDIT", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
		"GIT_PROXY_COMMAND", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_EDITOR",
		"GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_TEMPLATE_DIR", "SSH_ASKPASS", "SUDO_ASKPASS",
		"SVN_SSH", "RSYNC_RSH", "CVS_RSH",

		// Modules that libraries load.
		"OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "KRB5_CONFIG",

		// Language runtimes: options, module paths, start-up hooks.
		"NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "BUN_OPTIONS",
		"PERLLIB", "PERL_UNICODE",
		"RUBYOPT", "RUBYLIB", "RUBYLIB_PREFIX", "RUBYPATH", "RUBYSHELL", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE",
		"JAVA_HOME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "JDK_JAVAC_OPTIONS",
		"IBM_JAVA_OPTIONS", "OPENJ9_JAVA_OPTIONS", "CLASSPATH",
		"DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "MONO_PATH", "MONO_ENV_OPTIONS",
		"PHPRC", "PHP_INI_SCAN_DIR", "TCLLIBPATH",
		"ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ERL_LIBS", "ELIXIR_ERL_OPTIONS",
		"JULIA_LOAD_PATH", "JULIA_DEPOT_PATH", "GODEBUG", "GOFLAGS":
		return true
	}
	for _, prefix := range [...]string{
		"LD_", "DYLD_", "MALLOC_", "BASH_", // linkers, allocators, bash
		"GIT_SSH", "GIT_CONFIG",
		"PYTHON", "PERL5", "PERLIO", "LUA_INIT", "LUA_PATH", "LUA_CPATH", "R_PROFILE", "R_ENVIRON", "R_LIBS",
		"CORECLR_", "COR_", "COMPlus_", // .NET profilers and debug hooks
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
