package keyring

import (
	"crypto/ecdh"
	"encoding/base64"
)

// Push gives the key pair (P-256) by which services that push messages to
// browsers know this deployment (VAPID, RFC 8292), in the form that they use:
// base64url without padding. It is derived from the index key, so that it
// lasts as long as the deployment and needs no key of its own. It panics on a
// ring without an index key, which Missing tells.
func (r *Ring) Push() (private, public string) {
	for n := byte(0); ; n++ { // a hash that is no scalar of the curve is as good as impossible
		k, err := ecdh.P256().NewPrivateKey(r.Index("web push key v1", []byte{n}))
		if err == nil {
			return base64.RawURLEncoding.EncodeToString(k.Bytes()), base64.RawURLEncoding.EncodeToString(k.PublicKey().Bytes())
		}
	}
}
