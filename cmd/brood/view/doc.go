// Package view draws what the operator sees: tables and texts from a picture of
// the daemon, as wide as the terminal is. It knows no terminal and no daemon: a
// Look says how it may draw, and what it returns is text. What a picture means
// is decided in internal/scoreboard.
package view
