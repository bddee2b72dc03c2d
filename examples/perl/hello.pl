# Greets each line that a client sends. It says nothing to brood, which sees from
# the accept queue when all are busy.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new_from_fd($ARGV[0], 'r+') or die "cannot use the socket: $!\n";
$listener->blocking(1);
while (my $client = $listener->accept) {
    while (my $name = <$client>) {
        $name =~ s/\s+$//;
        $client->print("hello $name from Perl, worker $$\n");
    }
}
