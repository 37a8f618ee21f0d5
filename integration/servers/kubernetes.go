package servers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

type object = map[string]any

// CreateNamespace creates a namespace.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	return c.post(ctx, "/api/v1/namespaces", object{"metadata": object{"name": name}}, nil)
}

// CreateServiceAccount creates a service account in a namespace that exists.
func (c *Cluster) CreateServiceAccount(ctx context.Context, namespace, name string) error {
	return c.post(ctx, "/api/v1/namespaces/"+namespace+"/serviceaccounts", object{"metadata": object{"name": name}}, nil)
}

// DeleteServiceAccount deletes a service account: its tokens are worth nothing
// from then on, whatever they say themselves.
func (c *Cluster) DeleteServiceAccount(ctx context.Context, namespace, name string) error {
	return c.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name, nil, nil)
}

// Token issues a token of a service account through TokenRequest, as kubelet
// does for a projected volume. Kubernetes gives none for less than ten
// minutes. No audiences mean those of the API server itself.
func (c *Cluster) Token(ctx context.Context, namespace, serviceAccount string, audiences []string, life time.Duration) (string, error) {
	in := object{"spec": object{"audiences": audiences, "expirationSeconds": int(life.Seconds())}}
	var out struct{ Status struct{ Token string } }
	err := c.post(ctx, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+serviceAccount+"/token", in, &out)
	return out.Status.Token, err
}

// ExpiredToken makes a token of a service account that was good until an hour
// ago: the same claims and the cluster's own signature.
func (c *Cluster) ExpiredToken(ctx context.Context, namespace, serviceAccount, audience string) (string, error) {
	var sa struct{ Metadata struct{ UID string } }
	if err := c.do(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+serviceAccount, nil, &sa); err != nil {
		return "", err
	}
	issued := time.Now().Add(-2 * time.Hour)
	return signJWT(c.signer, object{
		"iss": issuer, "aud": []string{audience}, "sub": "system:serviceaccount:" + namespace + ":" + serviceAccount,
		"iat": issued.Unix(), "nbf": issued.Unix(), "exp": issued.Add(time.Hour).Unix(),
		"kubernetes.io": object{
			"namespace":      namespace,
			"serviceaccount": object{"name": serviceAccount, "uid": sa.Metadata.UID},
		},
	})
}

// signJWT signs claims with ES256, see RFC 7518 section 3.4.
func signJWT(key *ecdsa.PrivateKey, claims object) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + enc.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return "", err
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + enc.EncodeToString(sig), nil
}

// reviewer gives the token of a service account that may ask the cluster
// whose tokens are whose, and nothing else.
func (c *Cluster) reviewer(ctx context.Context) (string, error) {
	const namespace, name = "vault", "vault"
	account := object{"metadata": object{"name": name}}
	binding := object{
		"metadata": object{"name": "vault-tokenreview"},
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
		"subjects": []object{{"kind": "ServiceAccount", "namespace": namespace, "name": name}},
	}
	for _, err := range []error{
		c.CreateNamespace(ctx, namespace),
		c.post(ctx, "/api/v1/namespaces/"+namespace+"/serviceaccounts", account, nil),
		c.post(ctx, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding, nil),
	} {
		var status *statusError
		if errors.As(err, &status) && status.code == http.StatusConflict {
			continue // another Vault, or another mount, was there first
		}
		if err != nil {
			return "", err
		}
	}
	return c.Token(ctx, namespace, name, nil, certLife)
}

// statusError is an answer of the API server that is no success.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

func (c *Cluster) post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, http.MethodPost, path, in, out)
}

// Pod is what a manifest comes to.
type Pod struct {
	Metadata struct{ Annotations map[string]string }
	Spec     struct {
		Containers []struct {
			Command, Args []string
			Env           []struct{ Name, Value string }
			VolumeMounts  []struct{ Name, MountPath string }
		}
		Volumes []Volume
	}
}

// Volume is one of a Pod.
type Volume struct {
	Name   string
	Secret *struct{ SecretName string } // nil: it is another kind of volume
}

// Pod has the API server check a manifest, in YAML, as strictly as it can, and
// makes no pod of it.
func (c *Cluster) Pod(ctx context.Context, namespace, manifest string) (Pod, error) {
	var pod Pod
	path := "/api/v1/namespaces/" + namespace + "/pods?dryRun=All&fieldValidation=Strict"
	return pod, c.send(ctx, http.MethodPost, path, "application/yaml", []byte(manifest), &pod)
}

// do asks the API server as admin.
func (c *Cluster) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, "application/json", body, out)
}

func (c *Cluster) send(ctx context.Context, method, path, kind string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.Address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.admin)
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, text)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func httpsClient(ca *authority) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
}
