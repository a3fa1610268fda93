import java.util.*;
import java.util.concurrent.*;

public class Main {
    static class Node { Node left, right; byte[] payload = new byte[64]; }
    static Node tree(int depth) {
        Node n = new Node();
        if (depth > 0) { n.left = tree(depth - 1); n.right = tree(depth - 1); }
        return n;
    }
    static int count(Node n) { return n == null ? 0 : 1 + count(n.left) + count(n.right); }
    static int depth(int n) { return depth(n + 1) + 1; }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> sums = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            final int k = i;
            sums.add(pool.submit(() -> { int s = 0; for (int j = 0; j < 3; j++) s += count(tree(12)); return s + k; }));
        }
        for (Future<Integer> sum : sums) System.out.println(sum.get());
        pool.shutdown();
        System.out.println(pool.awaitTermination(10, TimeUnit.SECONDS));
        try { String s = null; s.length(); } catch (NullPointerException e) { System.out.println("null"); }
        int nulls = 0;
        for (int i = 0; i < 20000; i++) { try { Node n = i % 2 == 0 ? null : new Node(); n.left = n; } catch (NullPointerException e) { nulls++; } }
        System.out.println(nulls);
        try { depth(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
        try { int[] a = new int[2]; a[arguments.length + 2] = 1; } catch (ArrayIndexOutOfBoundsException e) { System.out.println(e.getMessage()); }
        try { System.out.println(1 / arguments.length); } catch (ArithmeticException e) { System.out.println(e.getMessage()); }
        try { List<long[]> hog = new ArrayList<>(); while (true) hog.add(new long[1 << 20]); } catch (OutOfMemoryError e) { System.out.println("no memory"); }
        System.gc();
        Process child = new ProcessBuilder("/bin/sh", "-c", "cat; exit 5").redirectErrorStream(true).start();
        child.getOutputStream().write("to the child\n".getBytes());
        child.getOutputStream().close();
        System.out.print(new String(child.getInputStream().readAllBytes()));
        System.out.println(child.waitFor());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
        Object lock = new Object();
        Thread waiter = new Thread(() -> { synchronized (lock) { try { lock.wait(); } catch (InterruptedException e) { System.out.println("interrupted"); } } });
        waiter.start();
        while (waiter.getState() != Thread.State.WAITING) Thread.sleep(1);
        waiter.interrupt();
        waiter.join();
        throw new IllegalStateException("the end");
    }
}
