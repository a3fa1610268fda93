use strict; use warnings;
$| = 1;
use POSIX ':sys_wait_h';
pipe(my $r, my $w) or die; 
my $pid = fork // die;
if (!$pid) { close $r; print $w "from child $_\n" for 1..3; exit 9 }
close $w; print while <$r>; waitpid $pid, 0; print "status ", $? >> 8, "\n";
print `echo backticks; exit 2`; print $? >> 8, "\n";
open my $p, '|-', 'sort', '-r' or die; print $p "b\na\nc\n"; close $p; print "close $?\n";
open my $q, '-|', 'sh', '-c', 'kill -TERM $$' or die; my @l = <$q>; close $q; print "signal ", $? & 127, "\n";
$SIG{CHLD} = sub { while ((my $k = waitpid(-1, WNOHANG)) > 0) { print "reaped ", $? >> 8, "\n" } };
my $c = fork // die; exit 3 unless $c; sleep 5;
$SIG{CHLD} = 'DEFAULT';
$SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 10; }; print $@;
my @kids = map { my $n = $_; my $k = fork // die; exit $n unless $k; $k } 1..5;
print join(',', sort map { waitpid $_, 0; $? >> 8 } @kids), "\n";
system('true') == 0 or print "no\n"; system('sh', '-c', 'exit 7'); print $? >> 8, "\n";
exec 'echo', 'exec' or die;
