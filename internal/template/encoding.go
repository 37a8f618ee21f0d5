package template

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	text "text/template"
)

// encodingFunctions write values in other forms, and read some.
func encodingFunctions() text.FuncMap {
	return text.FuncMap{
		"base64Encode":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64URLEncode":       func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		"base64Decode":          func(s string) (string, error) { return decode64("base64Decode", base64.StdEncoding, s) },
		"base64URLDecode":       func(s string) (string, error) { return decode64("base64URLDecode", base64.URLEncoding, s) },
		"sha256Hex":             func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
		"md5sum":                func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) },
		"hmacSHA256Hex":         hmacSHA256Hex,
		"toJSON":                func(v any) (string, error) { return encodeJSON("toJSON", v, true, "") },
		"toJSONPretty":          func(v any) (string, error) { return encodeJSON("toJSONPretty", v, true, "  ") },
		"toUnescapedJSON":       func(v any) (string, error) { return encodeJSON("toUnescapedJSON", v, false, "") },
		"toUnescapedJSONPretty": func(v any) (string, error) { return encodeJSON("toUnescapedJSONPretty", v, false, "  ") },
		"toYAML":                toYAML,
		"toTOML":                toTOML,
		"parseJSON":             parseJSON,
		"parseYAML":             parseYAML,
		"sockaddr":              socketAddress,
	}
}

func decode64(function string, encoding *base64.Encoding, s string) (string, error) {
	decoded, err := encoding.DecodeString(s)
	if err != nil {
		return "", failf("%s: the text is not base64", function)
	}
	return string(decoded), nil
}

func hmacSHA256Hex(message, key string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message)) // never fails
	return hex.EncodeToString(h.Sum(nil))
}

// encodeJSON escapes <, > and & for pages where consul-template does.
func encodeJSON(function string, v any, escape bool, indent string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escape)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return "", failf("%s: the value has no form in JSON", function)
	}
	return strings.TrimSpace(b.String()), nil
}

func parseJSON(s string) (any, error) {
	if s == "" {
		return map[string]any{}, nil
	}
	v, err := decodeJSON(s)
	if err != nil {
		return nil, failf("parseJSON: the text is not JSON")
	}
	return v, nil
}

func decodeJSON(s string) (v any, err error) {
	err = json.Unmarshal([]byte(s), &v)
	return v, err
}
