// Package native reads brood's own configuration file, brood.toml, and the
// files that it includes.
//
// Load does the whole way from a path to typed, checked services: syntax, the
// keys and their types, templates and instances, combinations that cannot work,
// and, through the functions of a System, whether the programs, users and
// directories exist and what needs root. It does not stop at a mistake: it
// reports all that it finds, each with file, line, column and length, and with
// what to write instead. Render shows them with the source line underlined.
//
// One table (serviceKeys and its two small siblings) holds every key: its type,
// default, range, protocols and text. The parser, the validation, the starting
// file of `brood init` and docs/config.md are all drawn from it.
//
// The package never starts, binds, creates or changes anything, and it asks the
// system only through System. It is safe against hostile files: size, number of
// services, of mistakes told and of bytes that placeholders expand to are
// bounded; the limits are constants in limits.go.
//
// A diagnostic of severity Error means that the configuration must not be used;
// a Warning leaves it usable. Columns and lengths count bytes, as plan.Pos does.
package native
