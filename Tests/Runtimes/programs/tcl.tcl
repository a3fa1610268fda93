puts [exec echo hello | tr a-z A-Z]
puts [catch {exec sh -c {echo out; echo err >&2; exit 3}} message options]
puts $message
puts [lindex [dict get $options -errorcode] 2]
set pipe [open {|sort -n} r+]
puts $pipe "3\n1\n2"
close $pipe write
puts [read $pipe]
close $pipe
set pipe [open {|sh -c {sleep 0; echo later}} r]
fconfigure $pipe -blocking 0
fileevent $pipe readable {
  if {[gets $pipe line] >= 0} { puts "got $line" } elseif {[eof $pipe]} { close $pipe; set done 1 }
}
vwait done
after 20 {set timer 1}
vwait timer
exec sh -c {kill -9 $$} &
puts [catch {exec sh -c {kill -TERM $$}} message]
puts $message
exec echo background > /work/bg &
after 300 {set timer 2}
vwait timer
puts [exec cat /work/bg]
