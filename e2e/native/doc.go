// Package native tests broodd with programs that nobody here wrote, unmodified
// from Debian's packages, each in a pool of a brood.toml of its own.
//
// The tests need no root. What they need to be installed, scripts/test-deps
// installs; without it they fail.
package native
