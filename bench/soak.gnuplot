# SPDX-License-Identifier: MIT
# Reads what tests/torture/soak measured (soak in the current directory; its columns are named there) and draws it.
set terminal svg size 760,720 font "sans-serif,13" background rgb "white"
set output "soak.svg"
set border 3
set tics nomirror out
set grid linecolor rgb "#dddddd"
set key outside right
set multiplot layout 3,1

minutes(s) = s / 60.0
set yrange [0:*]
set ylabel "PSS, MiB"
set title "After each round of mixed work, when all is quiet"
plot "soak" using (minutes($1)):($2/1024) with lines linewidth 2 title "agent", \
     "" using (minutes($1)):($3/1024) with lines linewidth 2 title "launcher", \
     "" using (minutes($1)):($4/1024) with lines linewidth 2 title "systemd, host", \
     "" using (minutes($1)):($5/1024) with lines linewidth 2 title "systemd, guest"
unset title
set ylabel "descriptors"
plot "soak" using (minutes($1)):6 with lines linewidth 2 title "agent", \
     "" using (minutes($1)):7 with lines linewidth 2 title "launcher", \
     "" using (minutes($1)):8 with lines linewidth 2 title "systemd, host", \
     "" using (minutes($1)):9 with lines linewidth 2 title "systemd, guest"
set ylabel "how many"
set xlabel "minutes"
plot "soak" using (minutes($1)):10 with lines linewidth 2 title "ptys, guest", \
     "" using (minutes($1)):11 with lines linewidth 2 title "processes, guest", \
     "" using (minutes($1)):12 with lines linewidth 2 title "processes, host", \
     "" using (minutes($1)):13 with lines linewidth 2 title "cgroups, guest", \
     "" using (minutes($1)):14 with lines linewidth 2 title "cgroups, host", \
     "" using (minutes($1)):16 with lines linewidth 2 title "inotify, host", \
     "" using (minutes($1)):17 with lines linewidth 2 title "mounts, host"
