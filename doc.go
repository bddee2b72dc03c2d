// Package brood is the root of the module. It holds no code: the daemon is
// cmd/broodd, the operator's command is cmd/brood, and ARCHITECTURE.md is the
// map of the rest. Its test is the law that the tree is held to.
package brood
