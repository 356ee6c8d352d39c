package verify

import "math/big"

// spare is the most that may follow what a decoder of AAC must know.
const spare = 6

// bareAAC reports whether the settings of an AAC decoder say no more than it
// needs; known is false when they are of a kind that is not looked into.
func bareAAC(b []byte) (known, bare bool) {
	if len(b) < 2 {
		return false, false
	}
	all, left := new(big.Int).SetBytes(b), 8*len(b)
	bits := func(n int) int {
		if left -= n; left < 0 {
			return 0
		}
		v := new(big.Int).Rsh(all, uint(left))
		return int(v.And(v, big.NewInt(1<<n-1)).Int64())
	}
	what, rate, speakers := bits(5), bits(4), bits(4)
	if what == 5 || what == 29 {
		if bits(4) == 15 {
			return false, false
		}
		what = bits(5)
	}
	if what == 0 || what > 4 || rate == 15 {
		return false, false
	}
	if speakers > 0 {
		return true, len(b) <= spare+1
	}
	if bits(2)&1 == 1 {
		bits(14)
	}
	bits(1 + 10)
	counts := []int{bits(4), bits(4), bits(4), bits(2), bits(3), bits(4)}
	for _, size := range []int{4, 4, 3} {
		if bits(1) == 1 {
			bits(size)
		}
	}
	for i, size := range []int{5, 5, 5, 4, 4, 5} {
		for range counts[i] {
			bits(size)
		}
	}
	bits(left & 7) // to a whole byte
	words := bits(8)
	return left >= 0, left >= 0 && words == 0 && left <= 8*spare
}
