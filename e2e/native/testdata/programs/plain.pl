# A worker in plain Perl: the listening socket is the descriptor that its
# argument names. TERM has it finish its client and leave.
use strict;
use warnings;

my $leaving;
$SIG{TERM} = sub { $leaving = 1 };
$SIG{PIPE} = 'IGNORE';
open my $listener, '+<&=', $ARGV[0] or die "cannot use descriptor $ARGV[0]: $!";
until ($leaving) {
    accept my $client, $listener or next;
    my $word = <$client> // '';
    select undef, undef, undef, 0.3 if $word =~ /slow/;
    print $client "served by $$\n";
    close $client;
}
