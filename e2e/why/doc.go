// Package why makes the failures that operators meet, each for real, and asks
// "brood why" about them: the first two lines have to name the true cause. The
// failures of programs are made below broodd with a brood.toml, those of Postfix
// below broodd in the place of its master. All daemons have directories and ports
// of their own. testdata has what brood says, without what differs from run to
// run; -rewrite writes it anew.
package why
