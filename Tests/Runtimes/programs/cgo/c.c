#include "_cgo_export.h"
int callit(int x) { return goCallback(x) + 1; }
