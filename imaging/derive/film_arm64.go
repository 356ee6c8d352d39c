//go:build linux

package derive

var older []uint32
