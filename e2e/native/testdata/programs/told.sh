# A shell worker that says how it is by systemd-notify. Perl waits for a client
# and becomes the shell that serves it. TERM ends the wait, never a client.
set -eu
trap 'leaving=1; kill "$waits" 2>/dev/null || :' TERM
leaving= waits=
systemd-notify --ready --status="waits for clients" X_BROOD_STATE=idle
while [ -z "$leaving" ]; do
	perl -e '
		my $leaving;
		$SIG{TERM} = sub { $leaving = 1 };
		open my $listener, "+<&=", 3 or die "no socket: $!";
		until (accept $client, $listener) { exit if $leaving }
		$SIG{TERM} = "IGNORE";
		open STDIN, "<&", $client;
		open STDOUT, ">&", $client;
		exec "sh", "-c", $ARGV[0], $ARGV[1];
	' '
		systemd-notify X_BROOD_STATE=busy
		read -r word
		[ "$word" = slow ] && sleep 0.3
		echo "served by $0"
	' $$ &
	waits=$!
	# A trap interrupts wait.
	while kill -0 "$waits" 2>/dev/null; do wait "$waits" || :; done
	[ -n "$leaving" ] || systemd-notify X_BROOD_STATE=idle
	echo idle again >&2
done
