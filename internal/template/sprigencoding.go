package template

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"net/url"
	"path"
	"reflect"
	text "text/template"
)

// sprigEncoding are sprig's functions that write values in other forms, and read
// some: encodings, hashes, JSON, paths and URLs.
func sprigEncoding() text.FuncMap {
	return text.FuncMap{
		"sprig_b64enc":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"sprig_b64dec":     func(s string) (string, error) { return decode64("sprig_b64dec", base64.StdEncoding, s) },
		"sprig_b32enc":     func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
		"sprig_b32dec":     decode32,
		"sprig_decryptAES": decryptAES,

		"sprig_sha1sum":    func(s string) string { sum := sha1.Sum([]byte(s)); return hex.EncodeToString(sum[:]) },
		"sprig_sha256sum":  encodingFunctions()["sha256Hex"],
		"sprig_sha512sum":  func(s string) string { sum := sha512.Sum512([]byte(s)); return hex.EncodeToString(sum[:]) },
		"sprig_adler32sum": func(s string) string { return fmt.Sprint(adler32.Checksum([]byte(s))) },

		"sprig_toJson":       func(v any) (string, error) { return encodeJSON("sprig_toJson", v, true, "") },
		"sprig_toPrettyJson": func(v any) (string, error) { return encodeJSON("sprig_toPrettyJson", v, true, "  ") },
		"sprig_toRawJson":    func(v any) (string, error) { return encodeJSON("sprig_toRawJson", v, false, "") },
		"sprig_fromJson":     func(s string) any { v, _ := decodeJSON(s); return v },
		"sprig_mustFromJson": func(s string) (any, error) {
			v, err := decodeJSON(s)
			if err != nil {
				return nil, failf("sprig_mustFromJson: the text is not JSON")
			}
			return v, nil
		},

		"sprig_base":     path.Base,
		"sprig_dir":      path.Dir,
		"sprig_clean":    path.Clean,
		"sprig_ext":      path.Ext,
		"sprig_isAbs":    path.IsAbs,
		"sprig_urlParse": urlParse,
		"sprig_urlJoin":  urlJoin,
	}
}

func decode32(s string) (string, error) {
	decoded, err := base32.StdEncoding.DecodeString(s)
	if err != nil {
		return "", failf("sprig_b32dec: the text is not base32")
	}
	return string(decoded), nil
}

// decryptAES reads what encryptAES of sprig wrote: base64 of the initial vector and
// of the text, padded, in CBC mode; the password, filled up with zeros, is the key.
func decryptAES(password, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	key := make([]byte, 32)
	copy(key, password)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("BUG: AES does not take a key of 32 bytes")
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) < 2*aes.BlockSize || len(b)%aes.BlockSize != 0 {
		return "", failf("sprig_decryptAES: the text is nothing that encryptAES of sprig wrote")
	}
	clear := b[aes.BlockSize:]
	cipher.NewCBCDecrypter(block, b[:aes.BlockSize]).CryptBlocks(clear, clear)
	padding := int(clear[len(clear)-1])
	if padding > len(clear) {
		return "", failf("sprig_decryptAES: the password is another one")
	}
	return string(clear[:len(clear)-padding]), nil
}

func urlParse(s string) (map[string]any, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, failf("sprig_urlParse: the text is no URL")
	}
	return map[string]any{
		"scheme": u.Scheme, "userinfo": u.User.String(), "host": u.Host, "hostname": u.Hostname(), "path": u.Path,
		"query": u.RawQuery, "opaque": u.Opaque, "fragment": u.Fragment,
	}, nil
}

// urlJoin makes a URL of what urlParse gives; a part may be missing.
func urlJoin(parts map[string]any) (string, error) {
	var texts [7]string
	for i, name := range []string{"scheme", "userinfo", "host", "path", "query", "opaque", "fragment"} {
		v, there := parts[name]
		if there && reflect.ValueOf(v).Kind() != reflect.String {
			return "", failf("sprig_urlJoin: the part %s is no text", name)
		} else if there {
			texts[i] = reflect.ValueOf(v).String()
		}
	}
	u := url.URL{Scheme: texts[0], Host: texts[2], Path: texts[3], RawQuery: texts[4], Opaque: texts[5], Fragment: texts[6]}
	if texts[1] != "" {
		with, err := url.Parse("proto://" + texts[1] + "@host")
		if err != nil {
			return "", failf("sprig_urlJoin: the part userinfo cannot be one")
		}
		u.User = with.User
	}
	return u.String(), nil
}
