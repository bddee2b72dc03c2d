// Bench measures brood beside Postfix's master, s6-ipcserver,
// systemd-socket-activate and a bare C loop, all in one run, taking turns, so
// that what else the machine does meets all of them alike.
//
//	go run ./bench              every row of the table
//	go run ./bench -row 1,4     some of them
//	go run ./bench -rounds 3    fewer rounds, for a first impression
//	go run ./bench -quick       a smoke test: small counts, meaningless numbers
//	go run ./bench -out bench   also writes RESULTS.md and the figures there
//	go run ./bench -stock OLD/master
//	                            against another build of ours
//
// Rows 1 to 10 are about a drop-in for master(8), 11 to 13 about brood.toml.
//
// It builds the daemon and the C programs that it needs (gcc), and runs as
// root, because a mail system does. Everything lives below one temporary
// directory and ends with the run; /etc/postfix is not touched.
//
// What is compared is the ratio within one round: contender A, B, C, then A, B,
// C again. The median of the ratios counts; beside it stand the quartiles.
//
// It exits with 0 when all was measured, whatever came out; with 1 when
// something could not be measured.
package main
