package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// Signer proves to a provider who we are with a private key, whose public half
// is registered there (private_key_jwt, RFC 7523).
type Signer struct{ signer jose.Signer }

// NewSigner makes a Signer of a private key in PEM (PKCS #8 or #1), which the
// provider knows by keyID.
func NewSigner(text []byte, keyID string) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the file holds no private key in PEM")
	}
	var key any
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, errors.New("the file holds no private key that can be read") // the error may repeat it
		}
	}
	var alg jose.SignatureAlgorithm
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if alg = jose.RS512; k.N.BitLen() < 2048 { // what NHS CIS2 wants; others take it
			return nil, errors.New("the private key must have 2048 bits or more")
		}
	case *ecdsa.PrivateKey:
		if alg = jose.ES256; k.Curve != elliptic.P256() {
			return nil, errors.New("the private key must be of the curve P-256")
		}
	case ed25519.PrivateKey:
		alg = jose.EdDSA
	default:
		return nil, fmt.Errorf("a private key of type %T cannot be used", key)
	}
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if keyID != "" {
		opts = opts.WithHeader("kid", keyID)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key.(crypto.Signer)}, opts)
	return &Signer{s}, err
}

// assertion is a fresh proof for the token endpoint.
func (s *Signer) assertion(client, endpoint string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": endpoint, "jti": uuid.NewString(), "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := s.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign a proof for the provider: %w", err)
	}
	return signed.CompactSerialize()
}
