package config

import (
	"fmt"
	"slices"
)

// merge adds a later file. Blocks of which there is one replace the earlier one,
// as the agent has it; templates, secrets and notes add up.
func (c *Config) merge(later *Config) {
	replaceBlock(&c.Vault, later.Vault, later.Vault.Place)
	replaceBlock(&c.AutoAuth, later.AutoAuth, later.AutoAuth.Place)
	replaceBlock(&c.TemplateConfig, later.TemplateConfig, later.TemplateConfig.Place)
	replaceBlock(&c.Exec, later.Exec, later.Exec.Place)
	c.Templates = append(c.Templates, later.Templates...)
	c.EnvTemplates = append(c.EnvTemplates, later.EnvTemplates...)
	c.Secrets = append(c.Secrets, later.Secrets...)
	c.Notes = append(c.Notes, later.Notes...)

	replace(&c.ExitAfterAuth, later.ExitAfterAuth)
	replace(&c.LogLevel, later.LogLevel)
	replace(&c.LogFormat, later.LogFormat)
	replace(&c.PIDFile, later.PIDFile)
	replace(&c.Upcase, later.Upcase)
	replace(&c.Sanitize, later.Sanitize)
	replace(&c.Wait, later.Wait)
	for _, f := range later.Flags {
		c.Flags = slices.DeleteFunc(c.Flags, func(earlier Flag) bool { return earlier.Name == f.Name })
		c.Flags = append(c.Flags, f)
	}
}

func replaceBlock[T any](to *T, later T, place string) {
	if place != "" {
		*to = later
	}
}

func replace[T any](to *Given[T], later Given[T]) {
	if later.IsSet() {
		*to = later
	}
}

// checkTwice finds variables that are there twice, in one file or in two.
func (c *Config) checkTwice(problems *[]string) {
	first := map[string]string{} // variable's name -> place
	for _, t := range c.EnvTemplates {
		if other, twice := first[t.Name]; twice && t.Name != "" {
			*problems = append(*problems, fmt.Sprintf("%s: env_template %q is there already, in %s: remove one", t.Place, t.Name, other))
			continue
		}
		first[t.Name] = t.Place
	}
}
