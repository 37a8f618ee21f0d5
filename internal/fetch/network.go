package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// diagnoseSilence explains why there was no HTTP answer at all.
func diagnoseSilence(err error, timeout time.Duration) *failure {
	if f := diagnoseTLS(err); f != nil {
		return f
	}
	f := &failure{class: ClassUnreachable}
	var dns *net.DNSError
	var netErr net.Error
	switch {
	case errors.As(err, &dns):
		f.reason = fmt.Sprintf("the name %s cannot be resolved: %s", dns.Name, dns.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		f.class, f.reason = ClassTimeout, fmt.Sprintf("no answer within %s", timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.reason = "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		f.reason = "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.reason = "the connection was closed before the answer"
	default:
		f.reason = plainReason(err)
	}
	return f
}

// brokeOff tells whether there was a connection that ended for a reason that
// err may not have.
func brokeOff(err error) bool {
	var dns *net.DNSError
	return !errors.As(err, &dns) && !errors.Is(err, syscall.ECONNREFUSED)
}

// plainReason is the innermost text of a transport error, without the URL and
// without what net/http quotes: that is what the other end sent.
func plainReason(err error) string {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	text, _, _ := strings.Cut(firstLine(err.Error()), ` "`)
	return text
}

// diagnoseTLS explains what no amount of waiting cures, or returns nil.
func diagnoseTLS(err error) *failure {
	var (
		reason    string
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		remote    *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		reason = "its certificate is signed by an unknown authority: give the CA with VAULT_CACERT"
	case errors.As(err, &host):
		reason = fmt.Sprintf("its certificate is not for %s: use a name that it is for, or give it with VAULT_TLS_SERVER_NAME", host.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		reason = "its certificate is expired or not yet valid: renew it, or set this machine's clock"
	case errors.As(err, &invalid):
		reason = "its certificate does not verify: " + firstLine(invalid.Error())
	case errors.As(err, &verify):
		reason = "its certificate does not verify: " + firstLine(verify.Err.Error())
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		reason = "it does not speak TLS: write http:// in VAULT_ADDR if that is meant"
	case errors.As(err, &remote) && remote.Op == "remote error" && remote.Err.Error() != alertInternalError:
		reason = fmt.Sprintf("it ended the TLS handshake: %s; does it want a client certificate (VAULT_CLIENT_CERT)?", strings.TrimPrefix(remote.Err.Error(), "tls: "))
	default:
		return nil
	}
	return &failure{class: ClassTLS, reason: reason, final: true}
}

// alertInternalError is the TLS alert (RFC 8446 section 6) of a server that
// is only starting; the others will not change. Alerts come as a net.OpError
// around a type that crypto/tls does not export, so there is only their text.
const alertInternalError = "tls: internal error"
