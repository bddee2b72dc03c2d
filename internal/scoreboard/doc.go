// Package scoreboard is the one picture of a running brood that everything an
// operator sees is drawn from: brood status, brood why, the readiness and the
// metrics. The loop fills in a Picture when somebody asks, so that nobody asking
// costs nothing; from then on it is never changed, and any number of readers may
// share it.
//
// The package is pure: it knows no socket, clock, file or process. What follows
// from a picture (the word for a state, the health, the story in sentences, the
// text for Prometheus) is computed here, by functions of a Picture alone, so that
// the daemon, the command and the tests cannot disagree.
//
// All times are nanoseconds, points in time since the Unix epoch; 0 means never
// or not known. Spans are nanoseconds as well. Sizes are bytes.
package scoreboard
