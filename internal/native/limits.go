package native

import "time"

// What a configuration may be at most. The limits are far above honest use and
// keep a hostile or damaged file from costing more than its own size.
const (
	fileBytesMax     = 4 << 20   // one file
	filesMax         = 1_000     // the main file and all that it includes
	servicesMax      = 10_000    // after the instances are counted
	expandedBytesMax = 64 << 20  // text that instances and merged environments add
	listenMax        = 64        // addresses of one service
	wordsMax         = 4_096     // elements of any other list
	wordBytesMax     = 128 << 10 // one argument or variable, MAX_ARG_STRLEN of execve(2)
	nestingMax       = 8         // arrays and tables within each other
	syntaxErrorsMax  = 25        // in one file, before the rest of it is skipped
	diagnosticsMax   = 500       // told at once
	suggestionsMax   = 200       // nearest-name searches of one load
	nameBytesMax     = 64        // of a service, template, ceiling or instance
)

// Bounds of what a key may be set to, where a longer one can only be a slip.
const (
	workersMax = 100_000
	timeMin    = time.Millisecond
	timeMax    = 365 * 24 * time.Hour
)
