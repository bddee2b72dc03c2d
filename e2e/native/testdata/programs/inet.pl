# Net::Server as inetd starts it: one client at descriptors 0 and 1.
package Greeter;
use strict;
use warnings;
use base 'Net::Server::INET';

sub process_request {
    my $word = <STDIN> // '';
    select undef, undef, undef, 0.3 if $word =~ /slow/;
    print "served by $$\n";
}

Greeter->run(log_level => 0);
