"""Threads, processes, pools, signals and asyncio's subprocesses in one program."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading


def square(x):
    return x * x


def producer(q, n):
    for i in range(n):
        q.put(i)
    q.put(None)


def threads():
    lock, total = threading.Lock(), [0]

    def add():
        for _ in range(1000):
            with lock:
                total[0] += 1

    workers = [threading.Thread(target=add) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("threads", total)
    q = queue.Queue()
    threading.Thread(target=producer, args=(q, 100)).start()
    print("queue", sum(iter(q.get, None)))


def processes(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        print(method, pool.map(square, range(8)))
    q = context.Queue()
    child = context.Process(target=producer, args=(q, 50))
    child.start()
    print(method, sum(iter(q.get, None)))
    child.join()
    print(method, child.exitcode)


async def subprocesses():
    async def run(n):
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", f"cat; exit {n}", stdin=subprocess.PIPE,
                                                       stdout=subprocess.PIPE)
        output, _ = await process.communicate(b"%d" % n)
        return output, process.returncode

    print("asyncio", await asyncio.gather(*(run(n) for n in range(4))))
    process = await asyncio.create_subprocess_exec("/bin/sleep", "100")
    process.terminate()
    print("asyncio", await process.wait())


def main():
    threads()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        print("futures", list(pool.map(square, range(5))))
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print("futures", list(pool.map(square, range(5))))
    processes("fork")
    processes("spawn")
    result = subprocess.run(["/bin/sh", "-c", "cat; echo error >&2; kill -9 $$"], input=b"in", capture_output=True)
    print(result.returncode, result.stdout, result.stderr)
    seen = []
    signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.pause()
    print("signals", seen, signal.sigtimedwait([signal.SIGUSR1], 0))
    asyncio.run(subprocesses())
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    print("wait", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    sys.exit(4)


if __name__ == "__main__":
    main()
