# SPDX-License-Identifier: MIT
# Reads what bench/inside-exec measured (exec, keys, bulk in the current directory) and draws it.
set terminal svg size 760,360 font "sans-serif,13" background rgb "white"
set style fill solid 0.85 noborder
set style line 1 linecolor rgb "#3b6ea5"
set style line 2 linecolor rgb "#d98c3f"
set style line 3 linecolor rgb "#6a9f58"
set border 3
set tics nomirror out
set grid x linecolor rgb "#dddddd"
set yrange [*:*] reverse
set offsets 0, 0, 0.5, 0.5
unset key

set output "exec.svg"
set title "A command in a running container: client start to exit status, /bin/true"
set xlabel "milliseconds, median; the line ends at the 99th percentile"
set logscale x
set xrange [0.5:*]
plot "exec" using (0.5):0:(0.5):2:($0-0.35):($0+0.35):ytic(1) with boxxyerror linestyle 1, \
     "exec" using 2:0:2:3 with xerrorbars linecolor rgb "#333333" pointtype 0

set output "keys.svg"
set title "A typed key to its echo"
set xlabel "microseconds, median; the line ends at the 99th percentile"
unset logscale x
set xrange [0:*]
plot "keys" using (0):0:(0):2:($0-0.35):($0+0.35):ytic(1) with boxxyerror linestyle 1, \
     "keys" using 2:0:2:3 with xerrorbars linecolor rgb "#333333" pointtype 0

set output "bulk.svg"
set title "Bulk without a terminal"
set xlabel "MB/s"
set key outside bottom horizontal
set xrange [0:*]
plot "bulk" using (0):0:(0):2:($0-0.36):($0-0.12):ytic(1) with boxxyerror linestyle 1 title "out", \
     "bulk" using (0):0:(0):3:($0-0.12):($0+0.12) with boxxyerror linestyle 2 title "in", \
     "bulk" using (0):0:(0):4:($0+0.12):($0+0.36) with boxxyerror linestyle 3 title "both ways"
