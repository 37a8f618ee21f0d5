package env

import (
	"errors"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/template"
)

// parseKey parses the template that a reference has in place of a key, with what
// vault-env has for it: the functions of sprig under their own names. Its error
// names the place.
func parseKey(place string, r ref.Ref) (*template.Template, error) {
	return template.Parse(r.Template, template.Options{Place: place, Left: "${", Right: "}", Sprig: true})
}

// checkKey reports a template in place of a key that cannot be parsed.
func checkKey(place string, r ref.Ref, rep *report) {
	if r.Template == "" {
		return
	}
	if _, err := parseKey(place, r); err != nil {
		rep.addf(ClassTemplate, "%v", err)
	}
}

// compute is the value of a template in place of a key; it is null where the
// secret is missing, or a field of it that the template names. What else is wrong
// has been reported if it failed.
func (l lookup) compute(place string, r ref.Ref) (v secret.Value, failed bool) {
	fields, there := l.secrets[r.Source]
	if !there {
		return secret.Value{}, false
	}
	parsed, err := parseKey(place, r)
	var result template.Result
	if err == nil {
		result, err = parsed.Execute(template.Data{Fields: fields, Env: l.env})
	}
	var wrong *template.Error
	switch {
	case errors.As(err, &wrong) && wrong.MissingKey() != "":
		return secret.Value{}, false
	case err == nil && len(result.Missing) > 0:
		l.report.of(r, ClassTemplate, "%s: a template in place of a key has the fields of its own secret and reads no other: use --env-template or --template", place)
	case err != nil:
		l.report.of(r, ClassTemplate, "%v", err)
	default:
		return secret.Of(result.Text), false
	}
	return secret.Value{}, true
}
