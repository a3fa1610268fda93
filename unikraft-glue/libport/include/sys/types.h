// The types that <libelf.h> takes from here. The kernel's compiler does not look into the folder of the C library's own,
// machine-dependent headers.
#pragma once
#include <stddef.h>
#include <stdint.h>
typedef long off_t;
typedef long ssize_t;
typedef long loff_t;
typedef long time_t;
typedef unsigned uid_t;
typedef unsigned gid_t;
typedef unsigned mode_t;
