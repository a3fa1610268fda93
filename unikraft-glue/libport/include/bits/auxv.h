// <elf.h> includes this for the AT_ numbers, which LinuxABI has.
#pragma once
