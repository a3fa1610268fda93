int part0(int), part1(int), part2(int), part3(int), part4(int), part5(int);
