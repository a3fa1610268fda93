package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

type node struct{ left, right *node }

func tree(d int) *node {
	if d == 0 {
		return &node{}
	}
	return &node{tree(d - 1), tree(d - 1)}
}
func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func main() {
	runtime.GOMAXPROCS(4)
	var wg sync.WaitGroup
	var mu sync.Mutex
	sums := []int{}
	for i := 0; i < 8; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			s := 0
			for j := 0; j < 4; j++ {
				s += tree(12).count()
			}
			mu.Lock()
			sums = append(sums, s+i)
			mu.Unlock()
		}(i)
	}
	wg.Wait()
	sort.Ints(sums)
	fmt.Println(sums)
	out, err := exec.Command("/bin/sh", "-c", "echo child; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-c)
	t := time.NewTimer(30 * time.Millisecond)
	tick := time.NewTicker(5 * time.Millisecond)
	n := 0
loop:
	for {
		select {
		case <-tick.C:
			n++
		case <-t.C:
			break loop
		}
	}
	fmt.Println(n >= 1)
	// A spinning goroutine is preempted by a signal.
	runtime.GOMAXPROCS(1)
	go func() {
		for {
		}
	}()
	time.Sleep(20 * time.Millisecond)
	fmt.Println("preempted")
	r, w, _ := os.Pipe()
	go func() { time.Sleep(10 * time.Millisecond); w.Write([]byte("piped")); w.Close() }()
	b := make([]byte, 10)
	k, _ := r.Read(b)
	fmt.Println(string(b[:k]))
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *int
		fmt.Println(*p)
	}()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(m.NumGC > 0)
	panic("end")
}
