// LinuxABI: Linux x86_64's numbers, flags and struct layouts, apart from any behaviour. It imports nothing.
