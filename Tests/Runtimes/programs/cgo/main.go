package main

/*
#include <stdio.h>
#include <pthread.h>
#include <unistd.h>
static void *run(void *p) { *(int *)p += 1; return 0; }
static int threads(void) { pthread_t t[4]; int v[4] = {1,2,3,4}; int s = 0;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, run, &v[i]);
  for (int i = 0; i < 4; i++) { pthread_join(t[i], 0); s += v[i]; } return s; }
extern int goCallback(int);
int callit(int x);
*/
import "C"
import (
	"fmt"
	"os/user"
	"sync"
)

//export goCallback
func goCallback(x C.int) C.int { return x * 2 }

func main() {
	var wg sync.WaitGroup
	r := make([]int, 5)
	for i := range r {
		wg.Add(1)
		go func(i int) { defer wg.Done(); r[i] = int(C.threads()) + int(C.callit(C.int(i))) }(i)
	}
	wg.Wait()
	fmt.Println(r)
	u, err := user.Current()
	fmt.Println(u.Username, err)
}
