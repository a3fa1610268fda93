//! Threads, channels, panics that are caught and one that is not, and a child process.

use std::process::Command;
use std::sync::{mpsc, Arc, Condvar, Mutex};
use std::{panic, thread};

fn main() {
    let total = Arc::new(Mutex::new(0u64));
    let threads: Vec<_> = (0..8u64)
        .map(|index| {
            let total = Arc::clone(&total);
            thread::spawn(move || {
                for step in 0..1000 {
                    *total.lock().unwrap() += index * step;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("total {}", total.lock().unwrap());

    let (sender, receiver) = mpsc::channel();
    for index in 0..4 {
        let sender = sender.clone();
        thread::spawn(move || (0..100).for_each(|value| sender.send(value * index).unwrap()));
    }
    drop(sender);
    println!("received {}", receiver.iter().sum::<i32>());

    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&pair);
    let waiter = thread::spawn(move || {
        let mut ready = other.0.lock().unwrap();
        while !*ready {
            ready = other.1.wait(ready).unwrap();
        }
        "woken"
    });
    *pair.0.lock().unwrap() = true;
    pair.1.notify_one();
    println!("{}", waiter.join().unwrap());

    panic::set_hook(Box::new(|info| println!("panic: {}", info.location().unwrap().line() > 0)));
    println!("{}", panic::catch_unwind(|| { let empty: Vec<i32> = vec![]; empty[total_length(&[])] }).is_err());
    println!("{}", thread::spawn(|| panic!("in a thread")).join().is_err());
    let output = Command::new("/bin/sh").args(["-c", "echo child; exit 3"]).output().unwrap();
    println!("{:?} {}", output.status.code(), String::from_utf8_lossy(&output.stdout).trim());
    panic!("the end");
}

fn total_length(parts: &[&str]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}
