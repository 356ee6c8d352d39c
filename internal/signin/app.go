package signin

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/storage/meta"
)

// stepOf finds the period whose code this is: the present one, or the one
// before or after, since clocks differ.
func stepOf(seed, code string, now time.Time) (int64, bool) {
	for _, d := range []int64{0, -1, 1} {
		step := now.Unix()/codePeriod + d
		ok, err := hotp.ValidateCustom(code, uint64(step), seed, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok {
			return step, true
		}
	}
	return 0, false
}

// App is an app being set up: its key, for people to type, and as an address
// that apps read from a picture.
type App struct {
	Setup    token.Secret
	Key, URL string
}

// BeginApp begins to set up an app that shows codes.
func (f *Factors) BeginApp(ctx context.Context, who access.Principal) (App, error) {
	if err := f.room(ctx, who); err != nil {
		return App{}, err
	}
	b := make([]byte, 20) // as RFC 4226 recommends
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand documents that it never fails
	}
	key := base32Code.EncodeToString(b)
	setup, err := f.begin(ctx, who.Person.ID, forTOTP, []byte(key), false)
	if err != nil {
		return App{}, err
	}
	return App{setup, key, appURL(who.Person.Username, key)}, nil
}

// Setup gives an app that is being set up once more, when its code was wrong.
func (f *Factors) Setup(ctx context.Context, who access.Principal, setup string) (App, error) {
	_, key, err := f.data(ctx, who.Person.ID, setup, forTOTP)
	return App{token.Secret(setup), string(key), appURL(who.Person.Username, string(key))}, err
}

// FinishApp adds the app once it shows the right code. With the first factor
// come recovery codes, which are shown this once.
func (f *Factors) FinishApp(ctx context.Context, who access.Principal, setup, code, name string) ([]string, error) {
	c, key, err := f.data(ctx, who.Person.ID, setup, forTOTP)
	if err != nil {
		return nil, err
	}
	now, err := f.store.Now(ctx)
	if err != nil {
		return nil, down(err)
	}
	step, ok := stepOf(string(key), strings.ReplaceAll(strings.TrimSpace(code), " ", ""), now)
	if !ok {
		return nil, fault.New(fault.Invalid, "code-wrong", "This code is not right. Use the one that the app shows now, and check that the clock of the phone is right.").In("code")
	}
	return f.add(ctx, who, c, meta.Factor{Kind: meta.KindTOTP, Name: name, LastStep: step}, key)
}

// appURL is the address that apps read (the key URI format of the app's makers).
func appURL(username, key string) string {
	return fmt.Sprintf("otpauth://totp/Wardseal:%s?secret=%s&issuer=Wardseal&period=%d&digits=6&algorithm=SHA1", escapePath(username), key, codePeriod)
}
