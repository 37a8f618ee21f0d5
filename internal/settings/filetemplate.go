package settings

import (
	"fmt"
	"path/filepath"
	"slices"

	"vaultexec/internal/config"
	"vaultexec/internal/env"
)

// stronger are the variables and files that flags, the environment and stronger
// files make; files by their absolute paths. What else would make the same one
// gives way.
type stronger struct{ variables, files []string }

// absolute is a path as it can be compared.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path) // there is no working directory
}

func (m stronger) variable(name string) bool { return slices.Contains(m.variables, name) }
func (m stronger) file(dest string) bool     { return slices.Contains(m.files, absolute(dest)) }

func (s *Settings) made() stronger {
	var made stronger
	for _, v := range s.Env.Items {
		made.variables = append(made.variables, v.Name)
	}
	for _, t := range s.EnvTemplate.Items {
		made.variables = append(made.variables, t.Name)
	}
	for _, f := range s.File.Items {
		made.files = append(made.files, absolute(f.Dest))
	}
	for _, t := range s.Template.Items {
		made.files = append(made.files, absolute(t.Dest))
	}
	for _, f := range s.files.Tokens {
		made.files = append(made.files, absolute(f.Dest))
	}
	for _, t := range s.files.Templates {
		if t.Dest == "" {
			made.variables = append(made.variables, t.Name)
		} else {
			made.files = append(made.files, absolute(t.Dest))
		}
	}
	return made
}

// giveWay takes out of a list that has just been set what is made already.
func (s *Settings) giveWay(flag string, made stronger) {
	template := func(t env.Template) bool { return made.variable(t.Name) || t.Dest != "" && made.file(t.Dest) }
	switch flag {
	case "env":
		s.Env.Items = slices.DeleteFunc(s.Env.Items, func(v env.Variable) bool { return made.variable(v.Name) })
	case "file":
		s.File.Items = slices.DeleteFunc(s.File.Items, func(f env.File) bool { return made.file(f.Dest) })
	case "env-template":
		s.EnvTemplate.Items = slices.DeleteFunc(s.EnvTemplate.Items, template)
	case "template":
		s.Template.Items = slices.DeleteFunc(s.Template.Items, template)
	}
}

// templates takes over the template and env_template blocks.
func (l *layer) templates(c *config.Config, made stronger) {
	for _, t := range c.EnvTemplates {
		if !made.variable(t.Name) {
			l.template("env_template", t)
		}
	}
	for _, t := range c.Templates {
		if !made.file(t.Destination.Value) {
			l.template("template", t)
		}
	}
}

func (l *layer) template(what string, t config.Template) {
	text := t.Contents.Value
	if source := t.Source; source.Value != "" {
		var err error
		if text, err = env.ReadTemplate(source.Value); err != nil {
			l.bad(source.Place, "%s: source %v", what, err)
			return
		}
	}
	made := env.Template{
		Place: t.Place + ": " + what + " " + t.Name + t.Destination.Value, Text: text, From: t.Source.Value, Dest: t.Destination.Value, Name: t.Name,
		OnChange: t.OnChange.Value, Left: t.LeftDelimiter.Value, Right: t.RightDelimiter.Value,
		Lenient: !t.ErrorOnMissingKey.Value, Sandbox: t.SandboxPath.Value, Deny: t.FunctionDenylist,
	}
	if t.Name == "" {
		l.blockFile(t, &made)
	}
	l.settings.files.Templates = append(l.settings.files.Templates, made)
}

// blockFile takes over what is about the file of a template block.
func (l *layer) blockFile(t config.Template, made *env.Template) {
	made.Block = &env.Block{
		NoDirs:  t.CreateDestDirs.IsSet() && !t.CreateDestDirs.Value,
		Backup:  t.Backup.Value,
		Command: t.Command.Value, Timeout: t.CommandTimeout.Value,
	}
	if len(made.Block.Command) > 0 { // it is what a change does
		made.OnChange = "none"
	}
	if t.Perms.IsSet() && t.Perms.Value != 0 { // the agent takes 0 for not set
		made.Mode = fmt.Sprintf("%04o", t.Perms.Value)
	}
	made.Owner = t.User.Value
	if t.Group.Value != "" {
		made.Owner += ":" + t.Group.Value
	}
}
